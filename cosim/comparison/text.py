"""Tables as lines of text, in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.comparison.table import Cell, Table

_GAP = "  "


def text_of(tables: Sequence[Table], sentences: Sequence[str], width: int | None = None) -> str:
    """Tables and sentences, every table in the form that fits: as it is, on its side with a line a
    figure, or a block a group. width: None where there is no limit."""
    parts = ["\n".join(_form(table, width)) for table in tables]
    return "\n\n".join([*parts, *(["\n".join(sentences)] if sentences else [])]) + "\n"


def _form(table: Table, width: int | None) -> list[str]:
    title = [table.title] if table.title else []
    upright = [table.heads, *([cell.text for cell in row] for row in table.rows)]
    on_its_side = list(zip(*upright, strict=True))
    for rows in (upright, on_its_side):
        lines = _aligned(rows)
        if width is None or max(map(len, lines)) <= width:
            return title + lines
    blocks = title
    for row in table.rows:
        blocks += _block(table.heads, row)
    return blocks


def _block(heads: Sequence[str], row: Sequence[Cell]) -> list[str]:
    label, *cells = row
    wide = max(map(len, heads[1:]))
    pairs = zip(heads[1:], cells, strict=True)
    return [f"{_GAP}{label.text}", *(f"{2 * _GAP}{h:{wide}}{_GAP}{c.text}" for h, c in pairs)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right, a rule under the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first = f"{row[0]:{widths[0]}}"
        rest = [f"{text:>{wide}}" for text, wide in zip(row[1:], widths[1:], strict=True)]
        lines.append(_GAP + _GAP.join([first, *rest]))
    return [lines[0], _GAP + "─" * (len(lines[0]) - len(_GAP)), *lines[1:]]
