"""Devices of a finished run asked for answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cosim.asking.opened import AskableRun
from cosim.errors import AskError
from cosim.trace.reader import Run

if TYPE_CHECKING:
    from cosim.learning.respondents import Answer

# Tokens of an answer, the end-of-text token included.
MOST_TOKENS = 64
# Who answers without an adapter.
BASE = "base"
Device = int | Literal["base"]


def ask(
    run: Run,
    device: Device,
    texts: Sequence[str],
    *,
    max_tokens: int = MOST_TOKENS,
    taken_for: str | None = None,
) -> list[Answer]:
    """What a device of a finished run, or its base model alone, answers to each text.

    Greedy: the same texts get the same answers. Raises `CosimError` for a run, a device or a text
    that cannot be asked.
    """
    opened = _opened(run, device, max_tokens, taken_for)
    for text in texts:
        refuse_no_text(text)
    if not texts:
        return []
    return opened.respondents().answers(_number(device), texts, max_tokens)


def ask_rows(
    run: Run,
    device: Device,
    file: Path,
    *,
    max_tokens: int = MOST_TOKENS,
    taken_for: str | None = None,
) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, each with what the device `generated` and whose expert had
    the largest part in it, `asked` (null: none, or one of no single device).

    Raises `CosimError` as `ask`, with file and line for a row without a prompt.
    """
    opened = _opened(run, device, max_tokens, taken_for)
    from cosim.learning.data.files import prompts_of

    rows = prompts_of(file, "--jsonl", opened.fields)
    prompts = [prompt for _, prompt in rows]
    answers = opened.respondents().answers(_number(device), prompts, max_tokens)
    return [_answered(row, answer) for (row, _), answer in zip(rows, answers, strict=True)]


def json_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as JSON lines."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def refuse_no_text(text: str) -> None:
    """Raises AskError for a text of blanks, or one that no file could hold."""
    if not text.strip():
        raise AskError("there is nothing to ask: the text is empty.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AskError("the text is not UTF-8.") from None


def _opened(run: Run, device: Device, max_tokens: int, taken_for: str | None) -> AskableRun:
    if max_tokens < 1:
        raise AskError(f"an answer has 1 token at least, and not {max_tokens}.")
    number = _number(device)
    return AskableRun.of(run, [] if number is None else [number], taken_for)


def _number(device: Device) -> int | None:
    """A device's number; None for the base model alone."""
    return None if device == BASE else int(device)


def _answered(row: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    asked = answer.asked[0].owner if answer.asked else None
    return {**row, "generated": answer.text, "asked": asked}
