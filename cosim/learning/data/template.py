"""Prompt templates: text with the names of a row's keys in braces."""

from __future__ import annotations

from collections.abc import Iterator


def template_parts(template: str) -> Iterator[tuple[str, str | None]]:
    """Yields (text, name) pairs of a template; name is None where only text is left.

    As with Python's `str.format`, `{name}` stands for a value and `{{` and `}}` for a brace; a
    name is all that is between its braces, so that it may hold blanks, dots, colons and letters of
    any script. Raises `ValueError` for a brace without its partner and for an empty name.
    """
    text, at = "", 0
    while at < len(template):
        sign = template[at]
        if sign not in "{}":
            text += sign
            at += 1
        elif template[at : at + 2] in ("{{", "}}"):
            text += sign
            at += 2
        elif sign == "}":
            raise ValueError(f"{_where(template, at)} closes nothing; {_ADVICE}")
        else:
            end = template.find("}", at)
            name = template[at + 1 : end]
            if end < 0 or "{" in name:
                raise ValueError(f"{_where(template, at)} is not closed; {_ADVICE}")
            if not name.strip():
                raise ValueError(f"{_where(template, at)} names no key of a row; {_ADVICE}")
            yield text, name
            text, at = "", end + 1
    if text:
        yield text, None


_ADVICE = "a brace that belongs to the text is written twice, {{ or }}"


def _where(template: str, at: int) -> str:
    return (
        f"the brace before '{template[at + 1 : at + 21]}'"
        if template[at + 1 :]
        else ("the last brace")
    )
