"""`magnitude_mask`: after a round with dense B its largest values are kept, and B starts again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from cosim.methods.calibration import Calibration
from cosim.methods.chosen import Chosen
from cosim.methods.expansion.budget import IntArray, shared_out
from cosim.methods.expansion.ranking import top_magnitude_support
from cosim.methods.expansion.slot import Choosing, Expansion
from cosim.methods.layout import Layout, kept_positions

if TYPE_CHECKING:
    from torch import Tensor


class MagnitudeMask(Expansion):
    """M keeps the largest |B| over all modules after a dense warm-up (LoRI, arXiv 2504.07448)."""

    name: Literal["magnitude_mask"] = "magnitude_mask"
    masked: ClassVar[bool] = True
    warms_up: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """An A that the warm-up would have moved."""
        if method.projection.moves:
            return (
                "expansion 'magnitude_mask' ranks B after a warm-up and starts again with the A "
                f"of that warm-up; projection '{method.projection.word()}' would have moved it: "
                "use a frozen one"
            )
        return None

    def planned(self, layout: Layout, density: float, calibration: Calibration | None) -> IntArray:
        """Evenly: the threshold is global, and before the warm-up only the total is known."""
        return shared_out(layout, float(kept_positions(sum(layout.expansion_sizes), density)), None)

    def choose(self, trainer: Choosing, kept: Sequence[IntArray]) -> list[Tensor]:
        """The largest of all modules together."""
        return [
            top_magnitude_support(expansion, int(counts.sum()))
            for expansion, counts in zip(trainer.trained(), kept, strict=True)
        ]
