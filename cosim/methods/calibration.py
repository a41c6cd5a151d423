"""What the base model tells a device of its task before the device's first round."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Need(Enum):
    """A need is a quantity that a part asks a calibration for."""

    FEATURES = "features"
    INPUTS = "inputs"
    ENTROPIES = "entropies"
    ENTROPIES_OF_WEIGHTS = "entropies_of_weights"


@dataclass(frozen=True)
class Calibration:
    """A calibration describes a device's task before it trains; None is what nobody asks for.

    entropies: H of W0·C by module (n,), nats.
    features: h at the gate's blocks (L, h), float32, the mean of x̄ over the rows.
    inputs: h of every module (Σk,), flat float32, the mean over all tokens (eq. 26 of arXiv
        2602.20492).
    fault: what came to no finite number or has no direction, and at which module; the other parts
        are then None.
    """

    entropies: NDArray[np.float64] | None = None
    features: Tensor | None = None
    inputs: Tensor | None = None
    fault: str | None = None
