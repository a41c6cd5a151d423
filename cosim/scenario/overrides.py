"""The `--set` arguments: values assigned by dotted path."""

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.errors import ScenarioError
from cosim.scenario.key_paths import word_key
from cosim.scenario.reading.document import Document, Loc, Override
from cosim.scenario.reading.one_line import dotted, shorten, shown
from cosim.scenario.reading.yaml_text import MAX_DEPTH, TextError, parse, plain


def apply_overrides(document: Document, arguments: Iterable[str]) -> Document:
    """A new document with `dotted.path=value` arguments assigned in order.

    Digits index a list; a missing level (or a null) becomes a mapping, and a word that stands for
    one the mapping it stands for; values are YAML scalars or flow collections. Raises
    ScenarioError that names the `--set` argument.
    """
    data = copy.deepcopy(document.data)
    overrides = list(document.overrides)
    for argument in arguments:
        try:
            steps, value = _split_override(argument)
            overrides.append(Override(_assign(data, steps, value), argument))
        except TextError as problem:
            raise ScenarioError(f"--set {shorten(argument)}: {problem}") from None
    return replace(document, data=data, overrides=tuple(overrides))


def assigned(document: Document, path: str, value: Any, source: str, folder: Path) -> Document:
    """A new document with `value` at a dotted path; errors about it name `source`, `file:line`.

    Relative paths in the value start at `folder`. Raises ScenarioError for a path that leads
    nowhere.
    """
    data = copy.deepcopy(document.data)
    try:
        loc = _assign(data, _steps(path, "the path", "path.to.key"), copy.deepcopy(value))
    except TextError as problem:
        raise ScenarioError(f"{source}: {shorten(path)}: {problem}") from None
    override = Override(loc, f"{path}={shown(value)}", source, folder)
    return replace(document, data=data, overrides=(*document.overrides, override))


def _steps(path: str, label: str, form: str) -> list[str]:
    steps = [step.strip() for step in path.split(".")]
    if not all(steps):
        raise TextError(f"{label} has an empty part; write {form}")
    if len(steps) > MAX_DEPTH:
        raise TextError(f"the path is deeper than {MAX_DEPTH} levels")
    return steps


def _split_override(argument: str) -> tuple[list[str], Any]:
    path, equals, text = argument.partition("=")
    if not equals:
        raise TextError("has no '='; write path.to.key=value")
    steps = _steps(path, "the path before '='", "path.to.key=value")
    node = parse(text)
    if node is None:
        return steps, None
    if isinstance(node.value, dict | list) and not text.lstrip().startswith(("[", "{")):
        raise TextError("write a list as [a, b], a mapping as {a: 1}, and quote other text")
    return steps, plain(node)


def _assign(data: dict[str, Any], steps: Sequence[str], value: object) -> Loc:
    loc: list[str | int] = []
    at: Any = data
    for number, step in enumerate(steps):
        key: Any = step
        if isinstance(at, list):
            if not re.fullmatch(r"[0-9]{1,9}", step) or int(step) >= len(at):
                have = f"indices 0 to {len(at) - 1}" if at else "no items"
                raise TextError(f"'{shorten(step)}' is not in the list '{dotted(loc)}' ({have})")
            key = int(step)
        elif not isinstance(at, dict):
            raise TextError(f"'{dotted(loc)}' is {shown(at)} and has no keys of its own")
        loc.append(key)
        if number == len(steps) - 1:
            at[key] = value
        else:
            at[key] = _level(at[key] if isinstance(at, list) else at.get(key), loc)
        at = at[key]
    return tuple(loc)


def _level(value: Any, loc: Sequence[str | int]) -> Any:
    """What is at a path, made a mapping where it is nothing yet, or a word that stands for one."""
    if value is None:
        return {}
    if not isinstance(value, str):
        return value
    # A profile's name is no word of the schema: it may be one of a file.
    word = "name" if loc[0] == "devices" and loc[2:] == ["profile"] else word_key(loc)
    return value if word is None else {word: value}
