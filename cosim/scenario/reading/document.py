"""A scenario as written: its data, and for every path in it the line or `--set` it came from."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cosim.errors import ScenarioError
from cosim.scenario.reading.one_line import shorten, shown
from cosim.scenario.reading.yaml_text import Node, TextError, parse, plain

Loc: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Override:
    """An override assigns a value to a path: one `--set` argument, or a line of another file.

    path: that it assigns.
    argument: as `--set` takes it, `path=value`.
    source: `file:line` where it is not from the command line; None where it is.
    folder: where relative paths in its value start.
    """

    path: Loc
    argument: str
    source: str | None = None
    folder: Path = Path()

    @property
    def where(self) -> str:
        """What a message names as the place of the value."""
        return f"--set {shorten(self.argument)}" if self.source is None else self.source


@dataclass(frozen=True, eq=False)
class Document:
    """A document is a scenario as written, which knows of every path the line that it came from.

    path: of the file; `scenario` where the data were never a text.
    text: what is in the file; empty where there is none.
    data: plain mappings, lists and scalars, the overrides in them.
    root: the nodes that know the lines; None where the data were never a text.
    overrides: in the order in which they were made.
    """

    path: Path
    text: str
    data: dict[str, Any]
    root: Node | None = field(repr=False)
    overrides: tuple[Override, ...] = ()

    @classmethod
    def of_mapping(cls, data: dict[str, Any]) -> Document:
        """The document of what Python gives; relative paths in it start at the current folder."""
        return cls(Path("scenario"), "", data, None)

    def override_of(self, loc: Sequence[str | int]) -> str | None:
        """The `--set` argument that decided the value at `loc`, None where the file did."""
        override = self.decided_by(loc)
        return None if override is None else override.argument

    def decided_by(self, loc: Sequence[str | int]) -> Override | None:
        """The override that decided the value at `loc`, None where the file did."""
        loc = tuple(loc)
        for override in reversed(self.overrides):
            if loc[: len(override.path)] == override.path:
                return override
        if loc and self._line(loc)[1] < len(loc):
            # Not in the file, so a level that an override had to create on its way down.
            for override in reversed(self.overrides):
                if override.path[: len(loc)] == loc:
                    return override
        return None

    def line_of(self, loc: Sequence[str | int]) -> int | None:
        """The 1-based line of the key or item at `loc`, else of the nearest level around it.

        None where a `--set` argument, and not the file, decided the value, or there is no file.
        """
        if self.root is None or self.override_of(loc) is not None:
            return None
        return self._line(loc)[0]

    def where(self, loc: Sequence[str | int]) -> str:
        """`file:line`, or the `--set` argument; the file alone for the top level."""
        decided = self.decided_by(loc)
        if decided is None and loc:
            # What is wrong with a section as a whole is likeliest what was just changed in it.
            inside = [o for o in self.overrides if o.path[: len(loc)] == tuple(loc)]
            decided = inside[-1] if inside else None
        if decided is not None:
            return decided.where
        return f"{self.path}:{self._line(loc)[0]}" if loc and self.root else str(self.path)

    def _line(self, loc: Sequence[str | int]) -> tuple[int, int]:
        if self.root is None:
            return 0, 0
        node, line = self.root, self.root.line
        for depth, step in enumerate(loc):
            if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
                line, node = node.value[step]
            elif isinstance(node.value, list) and step in range(len(node.value)):
                node = node.value[int(step)]
                line = node.line
            else:
                return line, depth
        return line, len(loc)


def read_document(path: Path) -> Document:
    """Read a scenario file; raises ScenarioError, one sentence, for all that can be wrong."""
    try:
        if path.is_dir():
            raise ScenarioError(f"{path}: is a directory; name a scenario file in it")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file{_near_file(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{shorten(str(path))}: cannot be read: {reason.lower()}") from None
    if len(raw) > MAX_BYTES:
        raise ScenarioError(f"{path}: is larger than 1 MiB, too large for a scenario")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None
    try:
        root = parse(text)
        if root is None:
            raise ScenarioError(f"{path}: is empty; a scenario is a mapping of keys to values")
        if not isinstance(root.value, dict):
            kind = "a list" if isinstance(root.value, list) else shown(root.value)
            raise TextError(f"the top level must be keys and values, not {kind}", root.line)
    except TextError as problem:
        column = "" if problem.column is None else f":{problem.column}"
        raise ScenarioError(f"{path}:{problem.line}{column}: {problem}") from None
    return Document(path, text, plain(root), root)


def _near_file(path: Path) -> str:
    paths = [*sorted(path.parent.glob("*.yaml")), *sorted(Path("scenarios").glob("*.yaml"))]
    stems = {candidate.stem.lower(): candidate for candidate in reversed(paths)}
    near = difflib.get_close_matches(path.stem.lower(), stems, n=1, cutoff=0.6)
    return f"; did you mean '{stems[near[0]]}'?" if near else ""
