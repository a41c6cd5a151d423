"""`gradient_mask`: of each module the positions of B that the first mini-batch moves most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from cosim.methods.calibration import Calibration
from cosim.methods.expansion.budget import IntArray
from cosim.methods.expansion.ranking import first_step, top_support
from cosim.methods.expansion.slot import Choosing, Expansion
from cosim.methods.layout import Layout, kept_positions

if TYPE_CHECKING:
    from torch import Tensor


class GradientMask(Expansion):
    """M keeps the largest |∂L/∂B| at B = 0, a share s of each module (eq. 18, corrected)."""

    name: Literal["gradient_mask"] = "gradient_mask"
    ranked_by: Literal["gradient", "first_step"] = Field(
        "gradient",
        description="|∂L/∂B| of the first mini-batch; or the signed B after its step, as eq. 18 "
        "is printed",
    )
    masked: ClassVar[bool] = True
    printed: ClassVar[dict[str, Any]] = {"ranked_by": "first_step"}

    def planned(self, layout: Layout, density: float, calibration: Calibration | None) -> IntArray:
        """s of each module's positions, at least one."""
        return np.array([kept_positions(int(size), density) for size in layout.expansion_sizes])

    def choose(self, trainer: Choosing, kept: Sequence[IntArray]) -> list[Tensor]:
        """The largest of each module."""
        return [
            top_support(trainer.layout, self._scores(gradient, trainer.optimizer), counts)
            for gradient, counts in zip(trainer.first_gradients(), kept, strict=True)
        ]

    def _scores(self, gradient: Tensor, optimizer: str) -> Tensor:
        if self.ranked_by == "first_step":
            return first_step(gradient, optimizer)
        return gradient.abs()
