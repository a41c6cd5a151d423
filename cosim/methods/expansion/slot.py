"""What an expansion is asked, and what it may ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from cosim.methods.expansion.budget import IntArray
from cosim.methods.layout import Layout
from cosim.methods.part import Part

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.methods.calibration import Calibration


class Choosing(Protocol):
    """A trainer works for a part that chooses masks; a group's lessons go side by side."""

    @property
    def layout(self) -> Layout:
        """Where the modules lie."""

    @property
    def optimizer(self) -> str:
        """The scenario's."""

    def first_gradients(self) -> Iterator[Tensor]:
        """∂L/∂B (n,) of each lesson's first mini-batch, flat float32, B as it is."""

    def trained(self) -> Iterator[Tensor]:
        """Flat B of each lesson after all of its steps with a dense B from zero."""


class Expansion(Part):
    """An expansion chooses which positions of B are trained, and when."""

    slot: ClassVar[str] = "expansion"
    # Whether a device trains and sends a part of B alone.
    masked: ClassVar[bool] = False
    # Whether the base model's own parameters are trained, and no adapter.
    every_parameter: ClassVar[bool] = False
    # Whether all of B is trained for a round before a mask is chosen.
    warms_up: ClassVar[bool] = False

    @property
    def whole(self) -> bool:
        """Whether every position is trained, whatever the budget."""
        return not self.masked

    def refuses_ranks(self) -> str | None:
        """A part of B, or no B."""
        if self.every_parameter:
            return f"expansion '{self.word()}' has no adapters: leave the rank out"
        if self.masked:
            return (
                f"expansion '{self.word()}' keeps positions of B wherever they lie, and a lower "
                "rank has a part of them: use expansion 'dense', or a density in place of the rank"
            )
        return None

    def first(self, layout: Layout) -> tuple[Tensor, Tensor | None]:
        """B = 0 and its support before the first round: values and positions."""
        import torch

        if self.masked:
            return torch.zeros(0), torch.zeros(0, dtype=torch.long)
        return torch.zeros(layout.expansion_size), None

    def planned(self, layout: Layout, density: float, calibration: Calibration | None) -> IntArray:
        """How many positions of each module's B a device is going to train (L,).

        density: Q_budget/Σd·r.
        """
        import numpy as np

        return np.array(layout.expansion_sizes)

    @classmethod
    def lacks(cls) -> Sequence[str]:
        """Where it keeps a mask, how that is chosen."""
        chosen = cls.choose is not Expansion.choose or not cls.masked
        return [*super().lacks(), *(() if chosen else ("choose",))]

    def choose(self, trainer: Choosing, kept: Sequence[IntArray]) -> list[Tensor]:
        """The support of every lesson of a group that has none, sorted; `kept` (L,) of each."""
        raise NotImplementedError
