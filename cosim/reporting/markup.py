"""HTML that cannot be broken into: what is not markup already is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any, TypeAlias


class Markup(str):
    """Markup is text that is HTML already; any other text is escaped where it is put into HTML."""

    __slots__ = ()


# Text, markup, nothing, or several of them.
Content: TypeAlias = "str | Iterable[Content] | None"

_VOID = frozenset({"input", "meta", "link", "br", "circle", "line", "path", "rect", "polyline"})


def tag(name: str, /, *content: Content, **attributes: object) -> Markup:
    """An element; an attribute that is None or False is left out, one that is True has no value.

    `class_` stands for `class`, and `data_run` for `data-run`.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        words.append(written if value is True else f'{written}="{html.escape(str(value))}"')
    opening = " ".join(words)
    if name in _VOID and not content:
        return Markup(f"<{opening}/>")
    return Markup(f"<{opening}>{together(*content)}</{name}>")


def together(*content: Content) -> Markup:
    """Pieces beside each other."""
    parts: list[str] = []
    for piece in content:
        if piece is None:
            continue
        if isinstance(piece, str):
            parts.append(piece if isinstance(piece, Markup) else html.escape(piece))
        else:
            parts.append(together(*piece))
    return Markup("".join(parts))


def embedded(value: Any) -> Markup:
    """A value as JSON that may stand inside a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Nothing that a script element could end with, or a comment begin with, is left in it.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def table(
    head: Iterable[Content], rows: Iterable[Iterable[Content]], *, class_: str | None = None
) -> Markup:
    """A table that scrolls by itself where the screen is narrower than it."""
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head])),
            tag("tbody", [tag("tr", [tag("td", cell) for cell in row]) for row in rows]),
            class_=class_,
        ),
        class_="wide",
    )
