"""`as_printed`: the weights of arXiv 2602.20492 as eq. 9-10 print them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.chosen import Chosen
from cosim.methods.weights.by_rows import ByRows


class AsPrinted(ByRows):
    """The weights are w_j = α_j/‖u‖, α summing to 1 over all devices: an adapter shrinks every
    round."""

    name: Literal["as_printed"] = "as_printed"  # type: ignore[assignment]
    renormalised: ClassVar[bool] = False

    def refuses(self, method: Chosen) -> str | None:
        """Aggregations that average nothing."""
        if not method.aggregation.averages:
            return "weights 'as_printed' are about aggregations that average"
        return None

    def total(self, weights: Sequence[float], all_rows: float) -> float:
        """N·‖u‖: the shares sum to 1/‖u‖ at most, ‖u‖ counting the device itself."""
        return all_rows * len(weights)
