"""`entropy_mask`: a gradient mask whose budget is shared out by the spectrum of each block."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from cosim.methods.calibration import Calibration, Need
from cosim.methods.expansion.budget import IntArray, shared_out
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.layout import Layout


class EntropyMask(GradientMask):
    """Q_budget goes to the blocks by the entropy of the spectrum of W0·C (eq. 20-22, corrected)."""

    name: Literal["entropy_mask"] = "entropy_mask"  # type: ignore[assignment]
    spectrum: Literal["inputs", "weights"] = Field(
        "inputs",
        description="of W0·C, C the inputs' second moment; or of W0, as eq. 20's C⁻¹ comes to",
    )
    budget: Literal["shared", "whole"] = Field(
        "shared",
        description="Q_budget over all blocks; or the larger of it and all positions, as eq. 22 "
        "is printed",
    )
    printed: ClassVar[dict[str, Any]] = {
        "ranked_by": "first_step",
        "spectrum": "weights",
        "budget": "whole",
    }

    @property
    def needs(self) -> frozenset[Need]:
        """The entropies, unless every position is kept anyway."""
        if self.whole:
            return frozenset()
        return frozenset(
            {Need.ENTROPIES if self.spectrum == "inputs" else Need.ENTROPIES_OF_WEIGHTS}
        )

    @property
    def whole(self) -> bool:
        """True with eq. 22 as printed, by which every density is 1."""
        return self.budget == "whole"

    def planned(self, layout: Layout, density: float, calibration: Calibration | None) -> IntArray:
        """Q_budget = density·Σd·r by block; evenly before the entropies are known."""
        if self.whole:
            return np.array(layout.expansion_sizes)
        budget = max(1.0, density * sum(layout.expansion_sizes))
        return shared_out(layout, budget, None if calibration is None else calibration.entropies)
