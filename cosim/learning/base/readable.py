"""Whether a base model has a row of its embedding, and a place, for every token of a task."""

from __future__ import annotations

from typing import Any

from cosim.errors import BaseModelError, TaskError
from cosim.learning.base.geometry import embedded_tokens, head_weight, positions
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import TaskPool


def refuse_unreadable(model: Any, tokenizer: Any, pool: TaskPool, source: str) -> None:
    """Raises one sentence for a token that the model does not know, or a row that is too long.

    source: of the task. A vocabulary that is larger than the tokenizer's is fine. `BaseModelError`
    of a token, `TaskError` of a row.
    """
    rows = [*pool.train, *(row for question in pool.test for row in question.candidates)]
    inputs, outputs = embedded_tokens(model), int(head_weight(model).shape[0])
    size = min(inputs, outputs)
    for row in rows:
        token = _unknown(row, inputs, size)
        if token is not None:
            raise BaseModelError(
                f"base_model.source: its tokenizer makes token {token} ({_text(tokenizer, token)}) "
                f"of task '{pool.name}' ({source}), and the model has {size} tokens: "
                "take the tokenizer that belongs to the model, or enlarge its embedding"
            )
    limit, longest = positions(model), max(row.tokens for row in rows)
    if limit is not None and longest > limit:
        raise TaskError(
            f"training.max_tokens: task '{pool.name}' ({source}) has a row of {longest} tokens and "
            f"the base model has places for {limit}; set training.max_tokens to {limit} at most, "
            "which leaves longer rows out"
        )


def _unknown(row: Encoded, embedded: int, size: int) -> int | None:
    """The first token of a row that is not in the embedding or, in the answer, not in the head."""
    for tokens, count in ((row.prompt, embedded), (row.answer, size)):
        for token in tokens:
            if token is not None and not 0 <= token < count:
                return token
    return None


def _text(tokenizer: Any, token: int) -> str:
    try:
        return repr(tokenizer.decode([token]))
    except Exception:  # of several kinds, for a token that the tokenizer itself does not know
        return "unknown"
