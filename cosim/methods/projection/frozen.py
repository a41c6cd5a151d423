"""`frozen`: A is drawn once and stays, so that a seed names it on the air."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from cosim.methods.calibration import Calibration, Need
from cosim.methods.layout import Layout, shared_inputs
from cosim.methods.message import Common, Said, Seed, Values
from cosim.methods.projection.gaussian import gaussian_projection
from cosim.methods.projection.slot import Projection
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class Frozen(Projection):
    """A_i stays as it was drawn (eq. 16 of arXiv 2602.20492): own ones are nearly orthogonal."""

    name: Literal["frozen"] = "frozen"
    seed: Literal["own", "shared"] = Field(
        "own", description="whether every device draws an A of its own, or all have one"
    )
    scaled: bool = Field(
        True, description="entries N(0, 1/k); false: N(0, 1), as eq. 16 is printed"
    )
    refined: bool = Field(
        False, description="A·diag(√k·h/‖h‖) before training: eq. 26, a static reading of it"
    )
    printed: ClassVar[dict[str, Any]] = {"scaled": False, "refined": True}

    @property
    def needs(self) -> frozenset[Need]:
        """The mean inputs, where A is refined with them."""
        return frozenset({Need.INPUTS} if self.refined else ())

    @property
    def own(self) -> bool:
        """Drawn for the device, or refined with its inputs."""
        return self.refined or super().own

    def owner(self, device: int) -> int | str:
        """The device itself, or all of them."""
        return device if self.seed == "own" else "shared"

    def seed_stream(self, device: int) -> tuple[int | str, bool]:
        """Its own or the common one; a refined A is no longer that."""
        return self.owner(device), not self.scaled

    def first(self, layout: Layout, seed: int, owner: int | str) -> Tensor:
        """Entries N(0, 1/k), or N(0, 1)."""
        return gaussian_projection(layout, seed, owner, printed=not self.scaled)

    def calibrated(self, A: Tensor, layout: Layout, calibration: Calibration) -> Tensor:
        """A·diag(√k·h/‖h‖) of each module, where A is refined."""
        import torch

        if calibration.inputs is None:
            return A
        parts = zip(
            A.split(layout.projection_sizes),
            calibration.inputs.split([module.in_features for module in layout.modules]),
            layout.projection_shapes,
            strict=True,
        )
        return torch.cat([refined_projection(a.view(shape), h).flatten() for a, h, shape in parts])

    def fault(self, layout: Layout, calibration: Calibration) -> str | None:
        """A mean input that is zero or not finite, of which eq. 26 takes the direction."""
        if calibration.inputs is None:
            return None
        parts = calibration.inputs.split([module.in_features for module in layout.modules])
        for module, h in zip(layout.modules, parts, strict=True):
            if not 0.0 < float(h.norm()) < math.inf:
                return f"the mean input of {module.name} has no direction: it is zero or not finite"
        return None

    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """The seed of an own A, and the mean inputs by which it is refined."""
        A = own.adapter.projection
        content: list[Said] = [Seed("A", A) if self.seed == "own" else Common("A", A)]
        if self.refined and own.calibration is not None and own.calibration.inputs is not None:
            content.append(Values("inputs", distinct(own.calibration.inputs, layout), once=True))
        return tuple(content)


def distinct(inputs: Tensor, layout: Layout) -> Tensor:
    """Of flat mean inputs (Σk,), those of modules that read no other module's input."""
    import torch

    shared = shared_inputs(layout.modules)
    parts = inputs.split([module.in_features for module in layout.modules])
    return torch.cat([part for number, part in enumerate(parts) if shared[number] == number])


def refined_projection(projection: Tensor, mean_input: Tensor) -> Tensor:
    """A·diag(√k·h/‖h‖): eq. 26 of arXiv 2602.20492, `refined`, of the shape of A.

    The one static reading whose shapes fit; √k keeps the norm of A where |h| is even.
    projection: A (..., r, k); mean_input: h (..., k), the owner's. ValueError for h = 0.
    """
    norm = mean_input.norm(dim=-1, keepdim=True)
    if bool((norm == 0).any()):
        raise ValueError("the mean input is zero: it has no direction")
    scale: Tensor = math.sqrt(mean_input.shape[-1]) * mean_input / norm
    return projection * scale.unsqueeze(-2)
