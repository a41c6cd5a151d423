"""What a projection is asked."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from cosim.methods.layout import Layout
from cosim.methods.message import Said
from cosim.methods.part import Part
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.methods.calibration import Calibration


# Who has no A has no adapter at all, and the other way round.
ALL_OR_NOTHING = (
    "projection 'none' and expansion 'every_parameter' go together: the base model's own "
    "parameters are trained, and no adapter"
)


class Projection(Part):
    """A projection draws the first A and says in which rounds it is trained."""

    slot: ClassVar[str] = "projection"
    # Whether A is ever trained, and therefore sent and mixed with B.
    moves: ClassVar[bool] = False
    # Whether there is an A at all.
    exists: ClassVar[bool] = True

    def trains(self, round_: int) -> frozenset[str]:
        """The factors that a round trains, of "A" and "B"."""
        return frozenset("AB") if self.moves else frozenset("B")

    def sends(self, round_: int) -> frozenset[str]:
        """The factors that are on the air after a round's training, of "A" and "B"."""
        return frozenset("AB") if self.moves else frozenset("B")

    def owner(self, device: int) -> int | str:
        """Names the stream that draws a device's first A; who shares the name shares A."""
        return "shared"

    def seed_stream(self, device: int) -> tuple[int | str, bool] | None:
        """By what `gaussian_projection` draws a device's A that stays: the name of the stream, and
        whether entries are N(0, 1) in place of N(0, 1/k). None: A is stored whole."""
        return None

    @property
    def own(self) -> bool:
        """Whether a device's A is no other device's: drawn for it alone, or made its own by its
        calibration."""
        return self.owner(0) != self.owner(1)

    @abstractmethod
    def first(self, layout: Layout, seed: int, owner: int | str) -> Tensor:
        """Flat A at the start, float32."""

    def calibrated(self, A: Tensor, layout: Layout, calibration: Calibration) -> Tensor:
        """A once the device has been calibrated."""
        return A

    def fault(self, layout: Layout, calibration: Calibration) -> str | None:
        """What of a calibration, as it is sent, makes A useless; None where nothing does."""
        return None

    @abstractmethod
    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """What tells a receiver A."""
