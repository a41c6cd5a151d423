"""A YAML text as plain data that remembers its lines, with depth and size bounded."""

import re
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from cosim.scenario.reading.invisible import TabScanner, invisible_in, invisible_near
from cosim.scenario.reading.one_line import shorten, shown

Scalar: TypeAlias = str | int | float | bool | None

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


class TextError(Exception):
    """A text error says what is wrong with a YAML text, and where.

    line, column: from 1 on; column None where only the line is known.
    """

    def __init__(self, message: str, line: int = 1, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(slots=True)
class Node:
    """A node is a value of a YAML text with its line.

    value: a scalar, the items of a list, or by key the key's line and its value.
    line: where it begins, from 1 on.
    size: how many values it holds, itself included, its aliases expanded.
    height: how many levels lie inside it, its aliases expanded.
    pending: the key, and its line, that waits for its value; None where none does.
    """

    value: "Scalar | list[Node] | dict[str, tuple[int, Node]]"
    line: int
    size: int = 1
    height: int = 0
    pending: tuple[str, int] | None = None


def parse(text: str) -> Node | None:
    """The one document in `text`, None if there is none.

    The text is walked as ruamel's events, which come one at a time, so depth and size are bounded
    before anything recurses. Scalars follow the YAML 1.2 core schema (`yes` is text, `2020-01-01`
    is text, `20e6` is a float) with `1_000` read as a number besides.
    """
    builder = _Builder()
    line = 1  # of the latest event
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Scanner = TabScanner
        for event in yaml.parse(text):
            line = event.start_mark.line + 1
            builder.take(event, line, event.start_mark.column + 1)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = ord(text[error.position : error.position + 1] or " ")
        code_point = f": U+{code:04X}" if code > 0x7E else ""
        raise TextError(f"holds a character that YAML does not allow{code_point}", line) from None
    except MarkedYAMLError as error:
        _refuse(error, text)
    except (YAMLError, ValueError):
        raise TextError("holds a value that YAML cannot express", line) from None
    return builder.root


def plain(node: Node) -> Any:
    """A node's data; aliases are copied out, so that changing one place changes no other."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, (_, item) in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def _refuse(error: MarkedYAMLError, text: str) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    start = error.context_mark
    matches = ((re.search(pattern, error.problem or ""), words) for pattern, words in _PLAIN_WORDS)
    words = next((match.expand(words) for match, words in matches if match), "is not valid YAML")
    if start and mark and start.line != mark.line and "block" not in (error.context or ""):
        words += f" (it begins on line {start.line + 1})"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    hint = invisible_near(text, start.line + 1 if start else line, line)
    raise TextError(words + hint, line, column) from None


class _Builder:
    """Puts events together to nodes; refuses whatever a scenario has no use for."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0

    def take(self, event: Any, line: int, column: int) -> None:
        if isinstance(event, ev.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise TextError("a second document begins here; a file holds one", line)
        elif isinstance(event, ev.CollectionEndEvent):
            self._place(self._open.pop())
        elif isinstance(event, ev.NodeEvent):
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise TextError(f"the tag '{shorten(tag)}' is not used in scenarios", line, column)
            self._begin(event, line, column)

    def _begin(self, event: Any, line: int, column: int) -> None:
        if isinstance(event, ev.AliasEvent):
            node = self._alias(event.anchor, line, column)
        elif isinstance(event, ev.ScalarEvent):
            if event.style is None and (hidden := invisible_in(event.value)) is not None:
                raise TextError(f"holds {hidden}; remove it, or quote the text", line, column)
            value = _scalar(event.value, line) if event.style is None else event.value
            node = Node(value, line)
            if any("\ud800" <= c <= "\udfff" for c in event.value):
                raise TextError("holds half of a surrogate pair", line, column)
        else:
            node = Node({} if isinstance(event, ev.MappingStartEvent) else [], line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.pending is None:
            if node.value == "<<" and getattr(event, "style", None) is None:
                raise TextError("'<<' merges are not YAML 1.2; repeat the keys", line, column)
            self._key(parent, node, line)
        elif isinstance(event, ev.CollectionStartEvent):
            self._open.append(node)
            if len(self._open) > MAX_DEPTH:
                raise TextError(f"is nested deeper than {MAX_DEPTH} levels", line, column)
        else:
            self._place(node, line)

    def _alias(self, name: str, line: int, column: int) -> Node:
        node = self._anchors.get(name)
        if node is None:
            raise TextError(f"'*{shorten(name)}' has no '&{shorten(name)}' above", line, column)
        if any(node is opened for opened in self._open):
            raise TextError(f"'*{shorten(name)}' contains itself", line, column)
        if len(self._open) + node.height > MAX_DEPTH:
            raise TextError(f"is nested deeper than {MAX_DEPTH} levels", line, column)
        # The line of an alias is its own; the lines inside it are where its values are written.
        return replace(node, line=line)

    def _key(self, parent: Node, node: Node, line: int) -> None:
        key = node.value
        if not isinstance(key, str):
            kind = "a list or mapping" if isinstance(key, dict | list) else shown(key)
            raise TextError(f"a key must be text, not {kind}; put it in quotes", line)
        assert isinstance(parent.value, dict)
        if key in parent.value:
            first = parent.value[key][0]
            name = shorten(key)
            raise TextError(f"the key '{name}' is given twice, first on line {first}", line)
        parent.pending = (key, line)

    def _place(self, node: Node, line: int | None = None) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > MAX_NODES:
            raise TextError(f"holds more than {MAX_NODES} values", line or node.line)
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
            raise TextError(f"an integer has more than {MAX_DIGITS} digits", line)
        return int(text, 0) if based else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinity = _INFINITY.fullmatch(text)
    return float(f"{infinity[1]}inf") if infinity else text
