"""`uniform`: all messages count alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from cosim.methods.message import Heard
from cosim.methods.weights.of_heard import OfHeard


class Uniform(OfHeard):
    """The weights are w_j = (1 + n_j)^−a, 1 of fresh messages."""

    name: Literal["uniform"] = "uniform"

    @property
    def alike(self) -> bool:
        """Not where the device's own counts for those that it did not hear, too."""
        return self.absent == "renormalise"

    def amount(self, rows: float) -> float:
        """1."""
        return 1.0

    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """The freshness alone."""
        return [part.freshness for part in heard]
