"""What a fine-tuning asks of a processor: counts alone, without tensors or time."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Workload:
    """A workload is one device's local round, counted before it is trained.

    flop: of all passes, with every mini-batch padded to its longest row.
    passes: forward and backward passes, and the one forward pass of a calibration.
    steps: optimiser steps.
    samples: N, rows over all steps.
    trained: Q, values that a step updates.
    ranked: positions of B of which a mask is chosen, 0 where there is one already or none is
        needed.
    """

    flop: float
    passes: int
    steps: int
    samples: int
    trained: int
    ranked: int = 0

    @property
    def batch_size(self) -> float:
        """B, the mean rows of a step, so that N/B are the steps; 1 where there are none."""
        return self.samples / self.steps if self.steps else 1.0

    @classmethod
    def none(cls) -> Workload:
        """Nothing to do."""
        return cls(flop=0.0, passes=0, steps=0, samples=0, trained=0)

    @classmethod
    def of_flop(cls, flop: float) -> Workload:
        """Plain arithmetic, without a pass over the base model."""
        return cls(flop=flop, passes=0, steps=0, samples=0, trained=0)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self == Workload.none()

    def after(self, other: Workload) -> Workload:
        """This work with another done before it in the same job, one that trains nothing."""
        return replace(self, flop=self.flop + other.flop, passes=self.passes + other.passes)
