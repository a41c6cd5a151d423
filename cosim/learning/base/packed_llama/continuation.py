"""Rows that are read on token by token, over the keys and values of what was read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.learning.base.packed_llama.saved import Mix


@dataclass
class KeysAndValues:
    """Keys and values are those of one block, of rows that grow by a token at a time.

    keys, values: (rows, K, places, size), nothing where a row has not come to yet.
    """

    keys: Tensor
    values: Tensor

    @classmethod
    def of(
        cls, keys: Tensor, values: Tensor, rows: Tensor, depths: Tensor, places: int
    ) -> KeysAndValues:
        """From the keys and values (N, K, size) of tokens, each at its depth of its row."""
        shape = (int(rows.max()) + 1, keys.shape[1], places, keys.shape[2])
        memory = cls(keys.new_zeros(shape), values.new_zeros(shape))
        memory.keys[rows, :, depths] = keys
        memory.values[rows, :, depths] = values
        return memory

    def attended(self, heads: Tensor, values: Tensor, depths: Tensor) -> Tensor:
        """softmax(q·kᵀ/√size)·v (rows, H·size) of one more token a row, over its row and itself.

        heads: (rows, H + K, size), queries and keys; values (rows, K, size); depths: (rows,).
        """
        rows, groups, size = values.shape
        queries, keys = heads.split([heads.shape[1] - groups, groups], 1)
        every = torch.arange(rows, device=depths.device)
        self.keys[every, :, depths] = keys
        self.values[every, :, depths] = values
        until = int(depths.max()) + 1
        k, v = (kept[:, :, :until].flatten(0, 1) for kept in (self.keys, self.values))
        q = queries.reshape(rows * groups, -1, size)
        scores = q.new_empty(*q.shape[:2], until)
        torch.baddbmm(scores, q, k.transpose(1, 2), beta=0, alpha=size**-0.5, out=scores)
        unread = torch.arange(until, device=depths.device) > depths[:, None]
        scores.view(rows, -1, until).masked_fill_(unread[:, None], -torch.inf)
        # As in the attention of whole rows.
        wide = torch.promote_types(q.dtype, torch.float32)
        weights = torch.softmax(scores, -1, dtype=wide).to(q.dtype)
        return torch.bmm(weights, v).view(rows, -1)

    def keep(self, rows: Tensor) -> None:
        """Forgets all rows but these."""
        self.keys, self.values = self.keys[rows], self.values[rows]


@dataclass
class Continuation:
    """A continuation is rows with what every block remembers of them, and what they are read with.

    memories: a block each.
    lengths: tokens by row (rows,).
    numbers: of the rows (rows,), as `mix` knows them.
    pairs, scale, mix: as they were read before.
    """

    memories: list[KeysAndValues]
    lengths: Tensor
    numbers: Tensor
    pairs: Sequence[tuple[Tensor, Tensor]] | None
    scale: float
    mix: Mix | None

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all rows but these, which are then counted anew from 0."""
        chosen = torch.tensor(rows, device=self.lengths.device)
        self.lengths, self.numbers = self.lengths[chosen], self.numbers[chosen]
        for memory in self.memories:
            memory.keep(chosen)
