"""`as_printed`: the weights of arXiv 2602.20492 as eq. 9-10 print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard
from cosim.methods.weights.slot import Weights


class AsPrinted(Weights):
    """The weights are w_j = α_j/‖u‖, α summing to 1 over all devices: an adapter shrinks every
    round."""

    name: Literal["as_printed"] = "as_printed"
    renormalised: ClassVar[bool] = False

    def refuses(self, method: Chosen) -> str | None:
        """Aggregations that average nothing."""
        if not method.aggregation.averages:
            return "weights 'as_printed' are about aggregations that average"
        return None

    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """α_j, the sender's training rows, times the freshness."""
        return [part.message.rows * part.freshness for part in heard]

    def total(self, weights: Sequence[float], all_rows: float) -> float:
        """N·‖u‖: the shares sum to 1/‖u‖ at most, ‖u‖ counting the device itself."""
        return all_rows * len(weights)
