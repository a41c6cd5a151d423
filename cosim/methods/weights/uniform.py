"""`uniform`: all messages count alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from cosim.methods.message import Heard
from cosim.methods.weights.slot import Weights


class Uniform(Weights):
    """The weights are w_j = (1 + n_j)^−a, 1 of fresh messages."""

    name: Literal["uniform"] = "uniform"
    alike: ClassVar[bool] = True

    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """The freshness alone."""
        return [part.freshness for part in heard]
