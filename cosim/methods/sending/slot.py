"""What a sending is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.methods.message import Turn
from cosim.methods.part import Part
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from cosim.methods.slots import Projection


class Sending(Part):
    """A sending decides in which turns a device speaks."""

    slot: ClassVar[str] = "sending"

    @property
    def bits_of_silence(self) -> int:
        """Of the beacon by which a silent device tells each neighbour that nothing comes; 0: they
        know it without one, and at once."""
        return 0

    @property
    def answers(self) -> bool:
        """Whether a device that keeps silent in a turn says what it holds, after all, to those
        whom it heard in it."""
        return False

    @property
    def asks_rates(self) -> bool:
        """Whether devices are told at the start how fast their links are."""
        return False

    def begins(self, own: DeviceState, projection: Projection) -> DeviceState:
        """The state before the first round, with what the device remembers of it."""
        return own

    def informed(self, own: DeviceState, rate: float) -> DeviceState:
        """The state of a device that knows the rate of its links, of which the mean over all
        devices is 1."""
        return own

    def speaks(self, own: DeviceState, turn: Turn) -> tuple[DeviceState, bool]:
        """Whether a device speaks now, and what it remembers of that."""
        return own, True
