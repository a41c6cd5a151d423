"""How far a fine-tuning comes with so many FLOP: whole steps, and blocks of the step after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cosim.learning.base.geometry import Geometry, attends, multiplied_by_block
from cosim.learning.costs.flop import Work
from cosim.learning.data.encoding import Encoded
from cosim.methods.layout import Layout


@dataclass(frozen=True)
class FineTuningProgress:
    """A fine-tuning's progress is what of it has been computed.

    steps: optimiser steps that are whole.
    lowest: the lowest block that back-propagation has reached in the step after them, and with it
        all blocks above; None where it has reached none.
    """

    steps: int
    lowest: int | None = None

    def depth(self, layout: Layout) -> int:
        """How many of a layout's blocks have been reached in that step."""
        return 0 if self.lowest is None else sum(b >= self.lowest for b in layout.blocks)


def block_works(model: Any, layout: Layout, work: Work) -> tuple[Work, ...]:
    """A model's `work` by transformer block, the last one first, as back-propagation takes them.

    The output head is the last block's: nothing is known of that block before its gradient is.
    What is in no block is the first one's. They sum to the whole, to the integer.
    """
    shape, frozen, attending = Geometry.of(model), multiplied_by_block(model), attends(model)
    width = shape.heads * shape.head_size
    sizes = list(zip(layout.modules, layout.projection_sizes, layout.expansion_sizes, strict=True))
    last = shape.blocks - 1
    return tuple(
        replace(
            work,
            frozen=frozen[block],
            head=work.head if block == last else 0,
            attention=width if attending[block] else 0,
            adapter_in=sum(a for module, a, _ in sizes if module.layer == block),
            adapter_out=sum(b for module, _, b in sizes if module.layer == block),
        )
        for block in range(last, -1, -1)
    )


def depth_reached(flop_done: int, forward: int, backward: Sequence[int]) -> int:
    """How many blocks have their gradients once so much is done of a pass forward and backward.

    backward: of each block, from the last one, whose gradients come first.
    """
    rest, depth = flop_done - forward, 0
    for cost in backward:
        rest -= cost
        if rest < 0:
            break
        depth += 1
    return depth


def progress(
    flop_done: int, work: Work, blocks: Sequence[Work], batches: Sequence[Sequence[Encoded]]
) -> FineTuningProgress:
    """What so many FLOP come to, over mini-batches in order.

    work: of the whole model. blocks: the same by block, the last one first.
    """
    rest = flop_done
    for step, batch in enumerate(batches):
        whole = work.training_flop([batch])
        if rest < whole:
            forward = work.forward_of(batch)
            backward = [block.backward_of(batch) for block in blocks]
            depth = depth_reached(rest, forward, backward)
            return FineTuningProgress(step, len(blocks) - depth if depth else None)
        rest -= whole
    return FineTuningProgress(len(batches))
