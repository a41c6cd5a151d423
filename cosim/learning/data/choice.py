"""Which of a row's choices its answer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from cosim.learning.data.row import as_text


def chosen(
    answer: Any,
    choices: Sequence[Any],
    texts: Sequence[str],
    *,
    typed: bool = True,
    reading: Literal["choice", "index"] | None = None,
) -> str:
    """The text of the choice that an answer is, or whose index it is; texts are of the choices.

    Text is compared with the choices as text and is no index. An integer is the index of a choice
    that is text, as published rows number them, and one of the choices where these are numbers; not
    `typed`, as choices are that the scenario holds as text, it may be either. Raises `ValueError`
    where it is neither, and where it is both and they differ; `reading` says which it is.
    """
    word = as_text(answer, "answer")
    loose = reading == "choice" or not typed
    value = None if reading == "index" else _value(answer, word, choices, texts, loose=loose)
    number = None if reading == "choice" else _index(answer, loose=reading == "index")
    indexed = texts[number] if number is not None and 0 <= number < len(texts) else None
    words = f"answer {answer!r}"
    if value is not None and indexed is not None and value != indexed:
        raise ValueError(
            f"{words} is one of {tuple(texts)} and the index of '{indexed}'; say which with "
            "fields.answer_is: choice, or index"
        )
    choice = indexed if value is None else value
    if choice is not None:
        return choice
    if reading is not None:
        raise ValueError(f"{words} is not the {reading} that fields.answer_is says: {tuple(texts)}")
    hint = "; as text it is a choice: fields.answer_is: choice" if word in texts else ""
    raise ValueError(f"{words} is neither a choice nor the index of one of {tuple(texts)}{hint}")


def _value(
    answer: Any, word: str, choices: Sequence[Any], texts: Sequence[str], *, loose: bool
) -> str | None:
    if word in texts and (loose or not _is_number(answer)):
        return word
    for choice, text in zip(choices, texts, strict=True):
        if _is_number(answer) and _is_number(choice) and choice == answer:
            return text
    return None


def _index(answer: Any, *, loose: bool) -> int | None:
    """Loose: also written as text or, as by tables with gaps, with a decimal point."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        return answer
    if loose and isinstance(answer, str) and answer.isascii() and answer.isdecimal():
        return int(answer) if len(answer) < 10 else None
    if loose and isinstance(answer, float) and answer.is_integer():
        return int(answer)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
