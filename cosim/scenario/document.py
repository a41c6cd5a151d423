"""A scenario's YAML text as plain data that remembers its lines, and overrides by dotted path.

The reader walks ruamel's events instead of its nodes: events come one at a time, so depth and size
are bounded before anything recurses, and scalars follow the YAML 1.2 core schema (`yes` is text,
`2020-01-01` is text, `20e6` is a float) with `1_000` read as a number besides.
"""

import copy
import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from cosim.errors import ScenarioError

Loc: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = str | int | float | bool | None

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 50
MAX_DIGITS = 100

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INTEGER = re.compile(rf"[-+]?{_DIGITS}")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

# What ruamel's scanner and parser say → what it means for the person who wrote the line.
_PLAIN_WORDS = (
    (r"mapping values are not allowed", "a ':' is not expected here; indent or quote the text"),
    (r"sequence entries are not allowed", "a list item '-' is not expected here; start a new line"),
    (r"found character '\\t'", "a tab cannot indent; use spaces"),
    (r"found character '(.)' that", r"text cannot start with '\1'; put it in quotes"),
    (r"could not find expected ':'", "expected a ':' after the key"),
    (r"expected ',' or '\]'", "expected ',' or ']' in the list"),
    (r"expected ',' or '\}'", "expected ',' or '}' in the mapping"),
    (r"expected <block end>, but found '-'", "a list item '-' does not belong with the keys above"),
    (r"expected <block end>, but found '\?'", "this key is not indented like the lines above"),
    (r"expected <block end>", "unexpected text after the value"),
    (r"expected the node content", "expected a value"),
    (r"unexpected end of stream|document separator", "the quoted text is not closed"),
    (r"unknown escape character '(.)'", r"'\\\1' means nothing in double quotes; write '\\\\\1'"),
    (r"expected escape sequence", "the escape in double quotes is incomplete"),
    (r"chomping or indentation", "expected a new line after '|' or '>'"),
    (r"document start", "expected a key and a ':'"),
    (r"tag handle|expected '>'|expected URI", "tags that start with '!' are not used in scenarios"),
    (r"alphabetic or numeric", "expected a name after '&', '*' or '%'"),
    (r"incompatible YAML", "only YAML 1.2 is read"),
)


class _TextError(Exception):
    """What is wrong with a YAML text, and where (1-based; None where only the line is known)."""

    def __init__(self, message: str, line: int = 1, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(slots=True)
class _Node:
    """A value with its line; `size` and `height` count what its aliases expand to."""

    value: "Scalar | list[_Node] | dict[str, tuple[int, _Node]]"
    line: int
    size: int = 1
    height: int = 0
    pending: tuple[str, int] | None = None  # the key, and its line, that waits for its value


@dataclass(frozen=True)
class Override:
    """One `--set` argument and the path that it assigns."""

    path: Loc
    argument: str


@dataclass(frozen=True, eq=False)
class Document:
    """A scenario as written: plain `data`, and for every path in it the line it came from."""

    path: Path
    text: str
    data: dict[str, Any]
    root: _Node = field(repr=False)
    overrides: tuple[Override, ...] = ()

    def override_of(self, loc: Sequence[str | int]) -> str | None:
        """The `--set` argument that decided the value at `loc`, None where the file did."""
        loc = tuple(loc)
        for override in reversed(self.overrides):
            if loc[: len(override.path)] == override.path:
                return override.argument
        if loc and self._line(loc)[1] < len(loc):
            # Not in the file, so a level that an override had to create on its way down.
            for override in reversed(self.overrides):
                if override.path[: len(loc)] == loc:
                    return override.argument
        return None

    def line_of(self, loc: Sequence[str | int]) -> int | None:
        """The 1-based line of the key or item at `loc`, else of the nearest level around it.

        None where a `--set` argument, and not the file, decided the value.
        """
        return None if self.override_of(loc) is not None else self._line(loc)[0]

    def where(self, loc: Sequence[str | int]) -> str:
        """`file:line`, or the `--set` argument; the file alone for the top level."""
        argument = self.override_of(loc)
        if argument is not None:
            return f"--set {shorten(argument)}"
        return f"{self.path}:{self._line(loc)[0]}" if loc else str(self.path)

    def _line(self, loc: Sequence[str | int]) -> tuple[int, int]:
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
        root = _parse(text)
        if root is None:
            raise ScenarioError(f"{path}: is empty; a scenario is a mapping of keys to values")
        if not isinstance(root.value, dict):
            got = "a list" if isinstance(root.value, list) else shown(root.value)
            raise _TextError(f"the top level must be keys and values, not {got}", root.line)
    except _TextError as problem:
        column = "" if problem.column is None else f":{problem.column}"
        raise ScenarioError(f"{path}:{problem.line}{column}: {problem}") from None
    return Document(path, text, _plain(root), root)


def apply_overrides(document: Document, arguments: Iterable[str]) -> Document:
    """A new document with `dotted.path=value` arguments assigned in order.

    Digits index a list; a missing level (or a null) becomes a mapping; values are YAML scalars or
    flow collections. Raises ScenarioError that names the `--set` argument.
    """
    data = copy.deepcopy(document.data)
    overrides = list(document.overrides)
    for argument in arguments:
        try:
            steps, value = _split_override(argument)
            overrides.append(Override(_assign(data, steps, value), argument))
        except _TextError as problem:
            raise ScenarioError(f"--set {shorten(argument)}: {problem}") from None
    return replace(document, data=data, overrides=tuple(overrides))


def shown(value: object, width: int = 60) -> str:
    """A value as a person would write it, on one line and at most `width` characters."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        return f"{text[:-3]}.{text[-3:]}" if text[-3:] in ("inf", "nan") else text
    return shorten(repr(value), width)


def shorten(text: str, width: int = 60) -> str:
    """`text` on one line, without control characters, cut to `width` characters."""
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def dotted(loc: Iterable[str | int]) -> str:
    """A path the way `--set` takes it: `devices.0.count`."""
    return ".".join(shorten(str(step)) for step in loc)


def _near_file(path: Path) -> str:
    found = [*sorted(path.parent.glob("*.yaml")), *sorted(Path("scenarios").glob("*.yaml"))]
    stems = {candidate.stem.lower(): candidate for candidate in reversed(found)}
    near = difflib.get_close_matches(path.stem.lower(), stems, n=1, cutoff=0.6)
    return f"; did you mean '{stems[near[0]]}'?" if near else ""


def _split_override(argument: str) -> tuple[list[str], Any]:
    path, equals, text = argument.partition("=")
    if not equals:
        raise _TextError("has no '='; write path.to.key=value")
    steps = [step.strip() for step in path.split(".")]
    if not all(steps):
        raise _TextError("the path before '=' has an empty part; write path.to.key=value")
    if len(steps) > MAX_DEPTH:
        raise _TextError(f"the path is deeper than {MAX_DEPTH} levels")
    node = _parse(text)
    if node is None:
        return steps, None
    if isinstance(node.value, dict | list) and not text.lstrip().startswith(("[", "{")):
        raise _TextError("write a list as [a, b], a mapping as {a: 1}, and quote other text")
    return steps, _plain(node)


def _assign(data: dict[str, Any], steps: Sequence[str], value: object) -> Loc:
    loc: list[str | int] = []
    at: Any = data
    for number, step in enumerate(steps):
        key: Any = step
        if isinstance(at, list):
            if not re.fullmatch(r"[0-9]{1,9}", step) or int(step) >= len(at):
                have = f"indices 0 to {len(at) - 1}" if at else "no items"
                raise _TextError(f"'{shorten(step)}' is not in the list '{dotted(loc)}' ({have})")
            key = int(step)
        elif not isinstance(at, dict):
            raise _TextError(f"'{dotted(loc)}' is {shown(at)} and has no keys of its own")
        loc.append(key)
        if number == len(steps) - 1:
            at[key] = value
        elif (at[key] if isinstance(at, list) else at.get(key)) is None:
            at[key] = {}
        at = at[key]
    return tuple(loc)


def _plain(node: _Node) -> Any:
    # Every alias is copied out, so that an override of one place never changes another.
    if isinstance(node.value, dict):
        return {key: _plain(item) for key, (_, item) in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value


def _parse(text: str) -> _Node | None:
    """The one document in `text`, None if there is none."""
    builder = _Builder()
    line = 1  # of the latest event
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line = event.start_mark.line + 1
            builder.take(event, line, event.start_mark.column + 1)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _TextError("holds a character that YAML does not allow", line) from None
    except MarkedYAMLError as error:
        _refuse(error)
    except (YAMLError, ValueError):
        raise _TextError("holds a value that YAML cannot express", line) from None
    return builder.root


def _refuse(error: MarkedYAMLError) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    opened = error.context_mark
    found = ((re.search(pattern, error.problem or ""), words) for pattern, words in _PLAIN_WORDS)
    words = next((match.expand(words) for match, words in found if match), "is not valid YAML")
    if opened and mark and opened.line != mark.line and "block" not in (error.context or ""):
        words += f" (it begins on line {opened.line + 1})"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    raise _TextError(words, line, column) from None


class _Builder:
    """Puts events together to nodes; refuses whatever a scenario has no use for."""

    def __init__(self) -> None:
        self.root: _Node | None = None
        self._open: list[_Node] = []
        self._anchors: dict[str, _Node] = {}
        self._documents = 0

    def take(self, event: Any, line: int, column: int) -> None:
        if isinstance(event, ev.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _TextError("a second document begins here; a file holds one", line)
        elif isinstance(event, ev.CollectionEndEvent):
            self._place(self._open.pop())
        elif isinstance(event, ev.NodeEvent):
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise _TextError(f"the tag '{shorten(tag)}' is not used in scenarios", line, column)
            self._begin(event, line, column)

    def _begin(self, event: Any, line: int, column: int) -> None:
        if isinstance(event, ev.AliasEvent):
            node = self._alias(event.anchor, line, column)
        elif isinstance(event, ev.ScalarEvent):
            value = _scalar(event.value, line) if event.style is None else event.value
            node = _Node(value, line)
            if any("\ud800" <= c <= "\udfff" for c in event.value):
                raise _TextError("holds half of a surrogate pair", line, column)
        else:
            node = _Node({} if isinstance(event, ev.MappingStartEvent) else [], line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.pending is None:
            if node.value == "<<" and getattr(event, "style", None) is None:
                raise _TextError("'<<' merges are not YAML 1.2; repeat the keys", line, column)
            self._key(parent, node, line)
        elif isinstance(event, ev.CollectionStartEvent):
            self._open.append(node)
            if len(self._open) > MAX_DEPTH:
                raise _TextError(f"is nested deeper than {MAX_DEPTH} levels", line, column)
        else:
            self._place(node, line)

    def _alias(self, name: str, line: int, column: int) -> _Node:
        node = self._anchors.get(name)
        if node is None:
            raise _TextError(f"'*{shorten(name)}' has no '&{shorten(name)}' above", line, column)
        if any(node is opened for opened in self._open):
            raise _TextError(f"'*{shorten(name)}' contains itself", line, column)
        if len(self._open) + node.height > MAX_DEPTH:
            raise _TextError(f"is nested deeper than {MAX_DEPTH} levels", line, column)
        # The line of an alias is its own; the lines inside it are where its values are written.
        return replace(node, line=line)

    def _key(self, parent: _Node, node: _Node, line: int) -> None:
        key = node.value
        if not isinstance(key, str):
            kind = "a list or mapping" if isinstance(key, dict | list) else shown(key)
            raise _TextError(f"a key must be text, not {kind}; put it in quotes", line)
        assert isinstance(parent.value, dict)
        if key in parent.value:
            first = parent.value[key][0]
            name = shorten(key)
            raise _TextError(f"the key '{name}' is given twice, first on line {first}", line)
        parent.pending = (key, line)

    def _place(self, node: _Node, line: int | None = None) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > MAX_NODES:
            raise _TextError(f"holds more than {MAX_NODES} values", line or node.line)
        if isinstance(parent.value, list):
            parent.value.append(node)
        else:
            assert isinstance(parent.value, dict)
            assert parent.pending is not None
            key, key_line = parent.pending
            parent.value[key] = (key_line, node)
            parent.pending = None


def _scalar(text: str, line: int) -> Scalar:
    """The value of a plain scalar in the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    based, integer = _BASED.fullmatch(text), _INTEGER.fullmatch(text)
    if based or integer:
        if len(text) > MAX_DIGITS:
            raise _TextError(f"an integer has more than {MAX_DIGITS} digits", line)
        return int(text, 0) if based else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinity = _INFINITY.fullmatch(text)
    return float(f"{infinity[1]}inf") if infinity else text
