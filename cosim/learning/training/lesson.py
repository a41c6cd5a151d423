"""One adapter's local fine-tuning: what it takes and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import common_length
from cosim.methods.adapter import Adapter

Batch = tuple[Encoded, ...]


@dataclass(frozen=True)
class Lesson:
    """A lesson is one adapter's local fine-tuning.

    adapter: its state at the start.
    batches: the mini-batches in order, one a step.
    kept: positions of each module that a mask will keep (L,), where none has been chosen yet.
    others: the mini-batches of further devices whose rows the adapter learns from as well.
    trains: the factors that are trained, of "A" and "B"; None: as the trainer's settings say.
    reached: how many adapted blocks, counted from the last, the last step trains; None: all.
    correction: what is taken off the gradient in each step, by factor.
    """

    adapter: Adapter
    batches: tuple[Batch, ...]
    kept: NDArray[np.int64] | None = None
    others: tuple[tuple[Batch, ...], ...] = ()
    trains: frozenset[str] | None = None
    reached: int | None = None
    correction: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(row.tokens for part in (self.batches, *self.others) for b in part for row in b)

    @property
    def tokens(self) -> int:
        """Tokens that all steps read, what a mini-batch's rows begin with alike once."""
        count = 0
        for batch in (batch for part in (self.batches, *self.others) for batch in part):
            rows = [row.prompt + row.answer[:-1] for row in batch]
            count += sum(map(len, rows)) - max(len(rows) - 1, 0) * common_length(rows)
        return count

    def parts(self, step: int) -> list[Batch]:
        """One step's mini-batches, one for each device that takes part."""
        return [self.batches[step], *(batches[step] for batches in self.others)]


@dataclass(frozen=True)
class Outcome:
    """An outcome is what a lesson has come to.

    adapter: its state after the last step.
    loss: the mean of all steps, nats a token.
    fault: where a loss or a value first was no finite number; None where all are.
    """

    adapter: Adapter
    loss: float
    fault: str | None = None
