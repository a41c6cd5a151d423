"""From text to padded token rows in which only the answer positions are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """One row: the prompt's tokens and the tokens that are to follow it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens that the model reads: the last answer token is only predicted."""
        return len(self.prompt) + len(self.answer) - 1


@dataclass(frozen=True)
class TokenRows:
    """Rows padded on the right, with the flat positions whose next token is scored.

    input_ids: (rows, T). positions: (P,) into rows·T. targets: (P,). row: (P,) row of a position.
    """

    input_ids: Tensor
    positions: Tensor
    targets: Tensor
    row: Tensor


def encode(tokenizer: Any, prompt: str, answer: str, *, terminated: bool) -> Encoded:
    """Tokens of a prompt and of " " + answer, closed by the end-of-text token if `terminated`.

    A free answer is terminated, so that an exact match includes knowing when to stop; a choice
    is ranked by its own tokens alone.
    """
    return encode_all(tokenizer, [(prompt, answer, terminated)])[0]


def encode_all(tokenizer: Any, rows: Sequence[tuple[str, str, bool]]) -> list[Encoded]:
    """`encode` of many (prompt, answer, terminated), given to the tokenizer at once."""
    if not rows:
        return []
    before = tokenizer([prompt for prompt, _, _ in rows])["input_ids"]
    answers = [f" {answer}" for _, answer, _ in rows]
    after = tokenizer(answers, add_special_tokens=False)["input_ids"]
    end = (tokenizer.eos_token_id,)
    return [
        Encoded(tuple(prompt), (*answer, *end) if terminated else tuple(answer))
        for prompt, answer, (_, _, terminated) in zip(before, after, rows, strict=True)
    ]


def token_rows(rows: Sequence[Encoded | None], device: torch.device | str = "cpu") -> TokenRows:
    """Pads rows to the longest; None is an empty row that keeps groups of equal size."""
    width = max(row.tokens for row in rows if row is not None)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    positions: list[int] = []
    targets: list[int] = []
    of_row: list[int] = []
    for number, row in enumerate(rows):
        if row is None:
            continue
        tokens = (row.prompt + row.answer)[:-1]
        ids[number, : len(tokens)] = torch.tensor(tokens)
        first = number * width + len(row.prompt) - 1
        positions.extend(range(first, first + len(row.answer)))
        targets.extend(row.answer)
        of_row.extend([number] * len(row.answer))
    return TokenRows(
        ids.to(device),
        torch.tensor(positions, device=device),
        torch.tensor(targets, device=device),
        torch.tensor(of_row, device=device),
    )
