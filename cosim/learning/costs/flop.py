"""FLOP of fine-tuning, counted from the real model's shapes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cosim.learning.base.geometry import Geometry, head_weight, multiplied
from cosim.learning.data.encoding import Encoded
from cosim.methods.layout import Layout
from cosim.methods.workload import Workload


@dataclass(frozen=True)
class Work:
    """Work is the multiply-adds that a token costs: frozen layers, head, attention, adapters.

    frozen: Σ d·k of all linear layers but the head, of a mixture's experts those of a token.
    head: h·V.
    attention: Σ over the blocks that attend of heads·head size.
    adapter_in: Σ r·k.
    adapter_out: Σ d·r.
    trainable_projection, trainable_expansion: whether A and whether B are trained.
    trainable_base: whether the model's own parameters are; there are no adapters then.
    """

    frozen: int
    head: int
    attention: int
    adapter_in: int
    adapter_out: int
    trainable_projection: bool
    trainable_base: bool = False
    trainable_expansion: bool = True

    @classmethod
    def of(cls, model: Any, layout: Layout, *, trainable_projection: bool) -> Work:
        """Counts the layers of a causal language model, adapted or not.

        A layout without projections is that of the model's own parameters, all trained.
        """
        full = layout.projection_size == 0
        geometry = Geometry.of(model)
        return cls(
            frozen=multiplied(model),
            head=head_weight(model).numel(),
            attention=geometry.attending * geometry.heads * geometry.head_size,
            adapter_in=layout.projection_size,
            adapter_out=0 if full else layout.expansion_size,
            trainable_projection=trainable_projection,
            trainable_base=full,
        )

    def adapted(self, layout: Layout) -> Work:
        """The same with adapters of another layout."""
        if self.trainable_base:
            return self
        sizes = layout.projection_size, layout.expansion_size
        return replace(self, adapter_in=sizes[0], adapter_out=sizes[1])

    def training(self, trains: Collection[str]) -> Work:
        """The same where a round trains these factors, of "A" and "B"."""
        return replace(self, trainable_projection="A" in trains, trainable_expansion="B" in trains)

    def forward_flop(self, tokens: int, scored: int) -> int:
        """2 FLOP a multiply-add: 2T(P + r·Σ(k+d)) + 2a·h·V + 4T²·heads·size, T tokens, a scored."""
        adapters = self.adapter_in + self.adapter_out
        return (
            2 * tokens * (self.frozen + adapters)
            + 2 * scored * self.head
            + 4 * tokens**2 * self.attention
        )

    def backward_flop(self, tokens: int, scored: int) -> int:
        """Input gradients of every product, weight gradients of the factors that are trained.

        The frozen layers need no weight gradient: that third of usual training is not there,
        unless the base is trained too.
        """
        weights = 2 * tokens * self.frozen + 2 * scored * self.head if self.trainable_base else 0
        adapters = self.adapter_in + self.adapter_out
        adapters += self.adapter_out if self.trainable_expansion else 0
        adapters += self.adapter_in if self.trainable_projection else 0
        return (
            2 * tokens * (self.frozen + adapters)
            + 2 * scored * self.head
            + 8 * tokens**2 * self.attention
            + weights
        )

    def training_flop(self, batches: Sequence[Sequence[Encoded]]) -> int:
        """Forward and backward over all mini-batches, rows padded to the longest of their own.

        That is what a device that trains alone computes; what a grouped pass pads besides, the
        host's convenience, is not counted.
        """
        return sum(self.forward_of(batch) + self.backward_of(batch) for batch in batches)

    def forward_of(self, batch: Sequence[Encoded]) -> int:
        """Forward over one mini-batch, its rows padded to the longest."""
        longest = max(row.tokens for row in batch)
        return sum(self.forward_flop(longest, len(row.answer)) for row in batch)

    def backward_of(self, batch: Sequence[Encoded]) -> int:
        """Backward over one mini-batch, its rows padded to the longest."""
        longest = max(row.tokens for row in batch)
        return sum(self.backward_flop(longest, len(row.answer)) for row in batch)

    def reading_flop(self, rows: Sequence[Encoded]) -> int:
        """One forward pass without adapters and head over all rows, padded to their longest."""
        longest = max(row.tokens for row in rows)
        return len(rows) * (2 * longest * self.frozen + 4 * longest**2 * self.attention)

    def workload(
        self, batches: Sequence[Sequence[Encoded]], *, trained: int, ranked: int = 0
    ) -> Workload:
        """A local round over these mini-batches; choosing a mask takes one pass more.

        `trained` values are updated in every step; `ranked` positions of B are compared first,
        0 where no mask has to be chosen.
        """
        choosing = batches[:1] if ranked else []
        return Workload(
            flop=self.training_flop([*choosing, *batches]),
            passes=len(choosing) + len(batches),
            steps=len(batches),
            samples=sum(map(len, batches)),
            trained=trained,
            ranked=ranked,
        )

    def warm_up_workload(
        self, batches: Sequence[Sequence[Encoded]], *, trained: int, ranked: int
    ) -> Workload:
        """A local round that a warm-up with all `ranked` values of B comes before.

        `trained` of the result is the mean over both halves, so that Q times the steps is right.
        """
        return Workload(
            flop=2 * self.training_flop(batches),
            passes=2 * len(batches),
            steps=2 * len(batches),
            samples=2 * sum(map(len, batches)),
            trained=(trained + ranked) // 2,
            ranked=ranked,
        )
