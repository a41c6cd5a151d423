"""What a sending is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.methods.message import Turn
from cosim.methods.part import Part
from cosim.methods.state import DeviceState
from cosim.randomness import stream

if TYPE_CHECKING:
    import numpy as np

    from cosim.methods.projection.slot import Projection


class Sending(Part):
    """A sending decides in which turns a device speaks."""

    slot: ClassVar[str] = "sending"
    # Whether every device speaks in every turn.
    every_turn: ClassVar[bool] = False

    @property
    def open_share(self) -> float:
        """In how many of all rounds devices speak to each other at all."""
        return 1.0

    def opens(self, round_: int, random: np.random.Generator) -> bool:
        """Whether devices speak to each other at all in a round; where not, nobody is waited for.

        random: a stream of the round which all devices share, so that nobody need be told.
        """
        return True

    def stream(self, seed: int, round_: int) -> np.random.Generator:
        """What all devices draw from for a round, each for itself."""
        return stream(seed, self.slot, "open", round_)

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
