"""The tables of the READMEs, made from the code: keys, columns, methods, commands, rooms."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer.main

from cosim.cli.app import app
from cosim.methods import METHODS
from cosim.methods.words import method_words
from cosim.scenario.catalogue import catalogue
from cosim.scenario.reference import Key, sections
from cosim.scenario.values import written
from cosim.trace.column import Column
from cosim.trace.schema import OPTIONAL_ROWS, ROWS

ROOT = Path(__file__).parent.parent
READMES = [
    ROOT / name
    for name in (
        "README.md",
        "cosim/README.md",
        "cosim/methods/README.md",
        "cosim/trace/README.md",
        "scenarios/README.md",
        "analysis/README.md",
        "tests/README.md",
        "tests/benchmarks/README.md",
        "tests/cases/README.md",
        ".github/CONTRIBUTING.md",
    )
]
# Parts of a method that have a column of their own; the others are told where they differ.
_PARTS_SHOWN = 5


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are text, whose signs are escaped, unless they are code."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(word: str) -> str:
    return f"`{word}`" if word else ""


def _cell(text: str) -> str:
    parts = " ".join(text.split()).split("`")
    parts[::2] = [part.replace("*", r"\*").replace("<", r"\<") for part in parts[::2]]
    return "`".join(parts).replace("|", r"\|")


def scenario_keys() -> str:
    """Every key but a method's: a table for what has no keys inside, and one for each section."""
    alone = [key for key in sections() if not key.variants]
    return "\n\n".join(
        [_keys_table(alone, 0)]
        + [_section(key) for key in sections() if key.variants and key.name != "method"]
    )


def method_parts() -> str:
    """What a scenario may write for a method."""
    (method,) = (key for key in sections() if key.name == "method")
    return _section(method)


def _section(section: Key) -> str:
    default = f" By default `{section.default}`." if section.default not in (None, "", "{}") else ""
    # Of a list's items or named values the keys stand below their number or name.
    return (
        f"### `{section.name}`\n\n{_sentence(section.meaning)}{default}\n\n"
        f"{_keys_table([section], 1)}"
    )


def _keys_table(keys: Sequence[Key], outer: int) -> str:
    rows = [row for key in keys for row in (_inside(key, outer) if outer else [_row(key, 0)])]
    return table(("key", "type", "range", "default", "unit", "meaning"), rows)


def _row(key: Key, outer: int) -> tuple[str, ...]:
    words = ", ".join(map(code, key.words))
    kinds = " or ".join([words, *key.kinds] if words else key.kinds)
    default = "required" if key.default is None else code(key.default)
    return code(_local(key, outer)), kinds, key.bounds, default, key.unit, key.meaning


def _local(key: Key, outer: int) -> str:
    return ".".join(key.path[outer:])


def _inside(key: Key, outer: int) -> Iterator[tuple[str, ...]]:
    """The keys of a key's mappings, each mapping's under a row that says when they are there."""
    for variant in key.variants:
        required = [inner.path[-1] for inner in variant.keys if inner.default is None]
        word = variant.word or (f"{{{required[0]}: …}}" if len(key.variants) > 1 else "")
        if word:
            name = _local(key, outer) or key.name
            yield code(f"{name}: {word}"), "", "", "", "", variant.meaning
        for inner in variant.keys:
            yield _row(inner, outer)
            yield from _inside(inner, outer)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def trace_columns() -> str:
    """A table for each of a run's tables."""
    return "\n\n".join(
        f"### `{name}.parquet`\n\n{_first_paragraph(row.__doc__)}\n\n"
        + table(("column", "type", "unit", "meaning"), _columns(row))
        for name, row in {**ROWS, **OPTIONAL_ROWS}.items()
    )


def _columns(row: Any) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(row, include_extras=True)
    for name in row._fields:
        kind, column = get_args(hints[name])
        assert isinstance(column, Column)
        kinds = get_args(kind) or (kind,)
        words = [code(str(word)) for one in kinds if hasattr(one, "__members__") for word in one]
        types = {int: "integer", float: "number", str: "text", type(None): "null"}
        plain = [types[one] for one in kinds if one in types]
        unit = "" if column.unit == "1" else column.unit
        yield code(name), ", ".join(words) or " or ".join(plain), unit, column.description


def methods() -> str:
    """Every method: what its file says of it, and its parts."""
    parts = {name: dict(method_words(recipe)) for name, recipe in METHODS.items()}
    every = list(next(iter(parts.values())))
    shown, rest = every[:_PARTS_SHOWN], every[_PARTS_SHOWN:]
    usual = {
        part: Counter(own[part] for own in parts.values()).most_common(1)[0][0] for part in rest
    }
    rows = [
        (
            code(name),
            _method_docstring(name),
            *(code(own[part]) for part in shown),
            ", ".join(code(f"{part}: {own[part]}") for part in rest if own[part] != usual[part]),
        )
        for name, own in parts.items()
    ]
    return table(("method", "what it is", *shown, "besides"), rows)


def _method_docstring(name: str) -> str:
    text = _first_paragraph(importlib.import_module(f"cosim.methods.{name}").__doc__)
    return text.partition(": ")[2]


def profiles() -> str:
    """The catalogue's devices."""
    head = ("profile", "peak FLOP/s", "utilisation", "compute W", "idle W", "battery J", "source")
    return table(
        head,
        (
            (
                code(name),
                written(float(profile.peak_flop_s)),
                written(profile.utilisation),
                written(profile.compute_w),
                written(profile.idle_w),
                written(profile.battery_j) if profile.battery_j else "mains",
                profile.source,
            )
            for name, profile in catalogue().items()
        ),
    )


def commands() -> str:
    """The commands of `cosim` in the order of its help."""
    group: Any = typer.main.get_command(app)
    return table(
        ("command", "what it does"),
        (
            (code(f"cosim {name}"), command.get_short_help_str(limit=200))
            for name, command in group.commands.items()
        ),
    )


def scenario_files() -> str:
    """The scenarios of the repository, by the comment that each begins with."""
    return table(
        ("file", "what it shows"),
        (
            (code(str(path.relative_to(ROOT))), _comment(path))
            for folder in ("scenarios", "scenarios/paper", "scenarios/rivals")
            for path in sorted((ROOT / folder).glob("*.yaml"))
        ),
    )


def _comment(path: Path) -> str:
    """The first sentence of a file's leading comment; of a sweep's, what follows its figures."""
    lines = path.read_text(encoding="utf-8").splitlines()
    leading = [line.removeprefix("# ") for line in itertools.takewhile(_is_comment, lines)]
    text = " ".join(line for line in leading if not line.startswith("cosim sweep "))
    return _sentence(re.sub(r"^→ analysis/[^:]*: ", "", text).split(". ")[0])


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def figures() -> str:
    """The scripts that draw, by the first line and the command of their docstrings."""
    return table(
        ("script", "draws", "command"), ((code(name), *said) for name, said in _drawing().items())
    )


def _drawing() -> dict[str, tuple[str, str]]:
    found = {}
    for path in sorted((ROOT / "analysis").glob("*.py")):
        paragraphs = _docstring(path).split("\n\n")
        if len(paragraphs) > 1 and paragraphs[1].startswith("python analysis/"):
            found[path.name] = (_first_paragraph(paragraphs[0]), code(paragraphs[1]))
    return found


def tree() -> str:
    """The rooms of the package and what each says of itself."""
    lines = [("cosim/", "")]
    lines += [(f"  {name}/", said) for name, said in _rooms(ROOT / "cosim")]
    lines += [
        (f"  {path.name}", _first_paragraph(_docstring(path)))
        for path in sorted((ROOT / "cosim").glob("*.py"))
        if not path.name.startswith("__")
    ]
    widest = max(len(name) for name, _ in lines)
    return "\n".join(["```", *(f"{name:{widest}}  {said}".rstrip() for name, said in lines), "```"])


def _rooms(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*/__init__.py")):
        yield path.parent.name, _first_paragraph(_docstring(path))
        for name, said in _rooms(path.parent):
            yield f"  {name}", said


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


BLOCKS = {
    "commands": commands,
    "figures": figures,
    "method parts": method_parts,
    "methods": methods,
    "profiles": profiles,
    "scenario files": scenario_files,
    "scenario keys": scenario_keys,
    "trace columns": trace_columns,
    "tree": tree,
}
