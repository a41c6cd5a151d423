"""A comparison in the formats of other programs: CSV, JSON, LaTeX, Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.comparison.estimate import Estimate
from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.comparison.measures import Measure
from cosim.comparison.questions import by_question
from cosim.comparison.table import Cell, Table, bounds_of, sentences, tables, told
from cosim.comparison.text import text_of
from cosim.comparison.twins import differing
from cosim.errors import RunDirectoryError
from cosim.trace.files import replacing


class Format(StrEnum):
    """These are the formats of a comparison."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"
    MARKDOWN = "markdown"


# What the end of a file's name says.
FORMAT_OF = {".csv": "csv", ".json": "json", ".tex": "latex", ".md": "markdown", ".txt": "table"}


def written(comparison: Comparison, format_: Format, width: int | None = None) -> str:
    """The comparison in a format; width: of a table."""
    if format_ is Format.TABLE:
        return text_of(tables(comparison), sentences(comparison), width)
    by_format: Mapping[Format, Callable[[Comparison], str]] = {
        Format.CSV: csv_of,
        Format.JSON: json_of,
        Format.LATEX: latex_of,
        Format.MARKDOWN: markdown_of,
    }
    return by_format[format_](comparison)


def write_file(text: str, path: Path) -> None:
    """Replaces the file; raises RunDirectoryError where it cannot be written."""
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror}.") from error


def csv_of(comparison: Comparison) -> str:
    """A row a run."""
    return str(pd.DataFrame(comparison.rows()).to_csv(index=False))


def json_of(comparison: Comparison) -> str:
    """One object: groups with their runs, differences to the first, differences to twins, notes.

    Every figure has mean, low, high and n; low and high are null for one seed. `answers` is the
    difference by seed and question, null where it is not known.
    """
    groups, measures = comparison.groups, told(comparison)
    compared = [measure for measure in measures if measure.compared]
    rows = comparison.rows()
    out = {
        "groups": [
            {
                "label": group.label,
                "method": group.method,
                "figures": {
                    measure.name: _numbers(group.estimate(measure.name), measure)
                    for measure in measures
                },
                "runs": [row for row in rows if row["label"] == group.label],
            }
            for group in groups
        ],
        "differences": [
            {"label": group.label, "to": groups[0].label, **_difference(group, groups[0], compared)}
            for group in groups[1:]
        ],
        "twins": [
            {
                "label": group.label,
                "differs": {path: list(pair) for path, pair in differing(group, twin).items()},
                **_difference(group, twin, compared),
            }
            for group in groups
            if (twin := group.twin) is not None
        ],
        "notes": list(comparison.notes),
    }
    return json.dumps(out, indent=2, ensure_ascii=False, default=str) + "\n"


def _difference(group: Group, other: Group, compared: Sequence[Measure]) -> dict[str, Any]:
    answers = by_question(group, other)
    return {
        "pairs": sum(seed in other.runs for seed in group.runs),
        "figures": {
            measure.name: _numbers(group.difference(other, measure.name), measure, difference=True)
            for measure in compared
        },
        "answers": answers._asdict() if answers and not isinstance(answers, str) else None,
    }


def _numbers(
    estimate: Estimate | None, measure: Measure, *, difference: bool = False
) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return estimate.numbers(*bounds_of(measure, difference=difference))


def markdown_of(comparison: Comparison) -> str:
    """Tables with pipes; what stands out is bold."""

    def cell(entry: Cell) -> str:
        text = entry.text.replace("|", "\\|")
        return f"**{text}**" if entry.bold else text

    def table(data: Table) -> str:
        heads = " | ".join(head.replace("|", "\\|") for head in data.heads)
        rule = " | ".join(["---", *["---:"] * (len(data.heads) - 1)])
        rows = [f"| {' | '.join(map(cell, row))} |" for row in data.rows]
        title = [f"{data.title}:", ""] if data.title else []
        return "\n".join([*title, f"| {heads} |", f"| {rule} |", *rows])

    return "\n\n".join([*map(table, tables(comparison)), *sentences(comparison)]) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "–": "--", "×": r"$\times$", "−": "$-$",
}  # fmt: skip


def latex_of(comparison: Comparison) -> str:
    """A booktabs tabular a table, sentences as comments; what stands out is bold."""

    def plain(text: str) -> str:
        return "".join(_LATEX.get(letter, letter) for letter in text)

    def cell(entry: Cell) -> str:
        return rf"\textbf{{{plain(entry.text)}}}" if entry.bold else plain(entry.text)

    def table(data: Table) -> str:
        lines = [f"% {data.title}"] if data.title else []
        lines += [rf"\begin{{tabular}}{{l{'r' * (len(data.heads) - 1)}}}", r"\toprule"]
        lines += [" & ".join(map(plain, data.heads)) + r" \\", r"\midrule"]
        lines += [" & ".join(map(cell, row)) + r" \\" for row in data.rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])

    notes = "\n".join(f"% {sentence}" for sentence in sentences(comparison))
    return "\n\n".join([*map(table, tables(comparison)), *([notes] if notes else [])]) + "\n"
