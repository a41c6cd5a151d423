"""From text to padded token rows in which only the answer positions are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """An encoded row is a prompt and what is to follow it, as tokens.

    prompt: ids of the prompt's tokens.
    answer: ids of the tokens that follow; of a free answer the end-of-text token is the last.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens that the model reads: the last answer token is only predicted."""
        return len(self.prompt) + len(self.answer) - 1


@dataclass(frozen=True)
class TokenRows:
    """Token rows are padded on the right; with them go the flat positions whose next token is
    scored.

    input_ids: (rows, T), T tokens of the longest.
    positions: (P,) into rows·T.
    targets: (P,), the next tokens.
    row: (P,), the row of each position.
    """

    input_ids: Tensor
    positions: Tensor
    targets: Tensor
    row: Tensor


def encode(tokenizer: Any, prompt: str, answer: str, *, terminated: bool) -> Encoded:
    """Tokens of a prompt and of " " + answer, closed by the end-of-text token if `terminated`.

    A free answer is terminated, so that an exact match includes knowing when to stop; a choice
    is ranked by its own tokens alone. Raises `ValueError` as `encode_all` does.
    """
    return encode_all(tokenizer, [(prompt, answer, terminated)])[0]


def encode_all(tokenizer: Any, rows: Sequence[tuple[str, str, bool]]) -> list[Encoded]:
    """`encode` of many (prompt, answer, terminated), given to the tokenizer at once.

    Prompt and answer are one text, which is cut after as many tokens as the prompt has alone; the
    blanks that a prompt ends with are read with the answer. That is how lm-evaluation-harness does
    it (`_encode_pair`), and answers are then what the model has seen within texts, also where a
    tokenizer begins every text with a sign of its own. A line break at a prompt's end that is one
    token with what it follows stays there, where lm-evaluation-harness loses it. What the tokenizer
    puts before a text, the beginning-of-text token, comes before the prompt, once; what it puts
    after one is left out.

    Raises `ValueError` where an answer is to be terminated and the tokenizer has no end-of-text
    token, where an answer holds that token, and where prompt or answer has no token of its own.
    """
    if not rows:
        return []
    end = tokenizer.eos_token_id
    if end is None and any(terminated for _, _, terminated in rows):
        raise ValueError(
            "the base model's tokenizer has no end-of-text token, with which a free answer ends; "
            "choose another base_model, or give the rows choices"
        )
    prompts = list(dict.fromkeys(prompt.rstrip() for prompt, _, _ in rows))
    alone = dict(zip(prompts, _plain(tokenizer, prompts), strict=True))
    wholes = _plain(tokenizer, [f"{prompt} {answer}" for prompt, answer, _ in rows])
    probe = next((prompt for prompt in prompts if alone[prompt]), prompts[0])
    prefix = _before_a_text(tokenizer, probe, alone[probe])
    encoded = []
    for (prompt, answer, terminated), whole in zip(rows, wholes, strict=True):
        head = alone[prompt.rstrip()]
        tail = whole[len(head) :]
        if prompt[-1:].isspace():  # a line break may be one token with what it follows
            head = whole[: len(head)]
        if end is not None and end in tail:
            raise ValueError(
                f"the answer {_clipped(answer)} holds the end-of-text token, which cosim itself "
                "puts after a free answer"
            )
        prompt_ids = head if head[: len(prefix)] == prefix else prefix + head
        for part, text, tokens in (("prompt", prompt, head), ("answer", answer, tail)):
            if not tokens:
                raise ValueError(f"the {part} {_clipped(text)} has no token of its own")
        encoded.append(Encoded(prompt_ids, (*tail, end) if terminated else tail))
    return encoded


def encode_prompts(tokenizer: Any, prompts: Sequence[str]) -> list[tuple[int, ...]]:
    """The tokens of prompts whose answers are to be found, as those of `encode_all`.

    Raises `ValueError` for a prompt that has no token of its own.
    """
    rows = encode_all(tokenizer, [(prompt, _ANY_ANSWER, False) for prompt in prompts])
    return [row.prompt for row in rows]


# What a prompt is encoded with depends on no answer, but on there being one.
_ANY_ANSWER = "a"


def _plain(tokenizer: Any, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """The tokens of texts, without those that mark a text's ends."""
    return [tuple(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def _before_a_text(tokenizer: Any, text: str, plain: tuple[int, ...]) -> tuple[int, ...]:
    """What the tokenizer puts before a text, whose tokens alone are `plain`."""
    marked = tuple(tokenizer([text])["input_ids"][0])
    for start in range(len(marked) - len(plain) + 1):
        if marked[start : start + len(plain)] == plain:
            return marked[:start]
    raise ValueError(
        "the base model's tokenizer reads a text otherwise where it marks its beginning and end"
    )


def _clipped(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


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
        start = number * width + len(row.prompt) - 1
        positions.extend(range(start, start + len(row.answer)))
        targets.extend(row.answer)
        of_row.extend([number] * len(row.answer))
    return TokenRows(
        ids.to(device),
        torch.tensor(positions, device=device),
        torch.tensor(targets, device=device),
        torch.tensor(of_row, device=device),
    )
