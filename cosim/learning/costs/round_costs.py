"""What a device's local round costs, and how far it comes with a part of that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cosim.learning.costs.depth import FineTuningProgress, block_works, progress
from cosim.learning.costs.flop import Work
from cosim.learning.data.encoding import Encoded
from cosim.methods.layout import Layout
from cosim.methods.method import Method
from cosim.methods.workload import Workload

Batches = Sequence[Sequence[Encoded]]


class RoundCosts:
    """Round costs count the work of local rounds of one model under one method.

    work: what a token costs.
    """

    def __init__(self, model: Any, layout: Layout, method: Method) -> None:
        self.layout, self.method, self._model = layout, method, model
        self.work = Work.of(model, layout, trainable_projection=method.projection.moves)
        self._by_rank = {layout.rank: self}

    def of(self, layout: Layout) -> RoundCosts:
        """The costs of devices whose adapters have this layout's rank, one record a rank."""
        if layout.rank not in self._by_rank:
            self._by_rank[layout.rank] = RoundCosts(self._model, layout, self.method)
        return self._by_rank[layout.rank]

    @cached_property
    def _blocks(self) -> tuple[Work, ...]:
        return block_works(self._model, self.layout, self.work)

    def workload(
        self, batches: Batches, kept: int, trains: frozenset[str], *, chooses: bool
    ) -> Workload:
        """A round over these mini-batches that trains so many values of B, or A, or both.

        chooses: the positions of B are chosen first.
        """
        trained = kept if "B" in trains else 0
        trained += self.layout.projection_size if "A" in trains else 0
        work = self.work.training(trains)
        ranked = self.layout.expansion_size if chooses else 0
        if chooses and self.method.expansion.warms_up:
            return work.warm_up_workload(batches, trained=trained, ranked=ranked)
        return work.workload(batches, trained=trained, ranked=ranked)

    def progress(
        self, flop_done: int, whole: Workload, batches: Batches, trains: frozenset[str]
    ) -> FineTuningProgress:
        """What of a round's work has been trained, and is kept, after so many FLOP.

        What the work has besides its steps, a calibration, comes first. Nothing is kept where the
        method's aggregation takes no part of a round.
        """
        if not self.method.aggregation.by_block:
            return FineTuningProgress(0)
        work = self.work.training(trains)
        before = int(whole.flop) - work.training_flop(batches)
        blocks = [block.training(trains) for block in self._blocks]
        return progress(flop_done - before, work, blocks, batches)
