"""What a sending is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cosim.errors import MethodError
from cosim.methods.message import Turn
from cosim.methods.part import Part, where
from cosim.methods.state import DeviceState
from cosim.randomness import stream

if TYPE_CHECKING:
    from cosim.methods.projection.slot import Projection


@dataclass(frozen=True)
class Deciding:
    """A sending may ask this when a device decides whether it speaks.

    device: who decides.
    turn: when.
    draw: gives the generator of this device and turn.
    """

    device: int
    turn: Turn
    draw: Callable[[], np.random.Generator]

    @classmethod
    def of(cls, seed: int, device: int, turn: Turn) -> Deciding:
        """With a stream of a run's seed."""
        names = Sending.slot, "decides", device, turn.round, turn.mixing
        return cls(device, turn, partial(stream, seed, *names))


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

    def speaks(self, own: DeviceState, at: Deciding) -> tuple[DeviceState, bool]:
        """Whether a device speaks now, and what it remembers of that; nobody asks it where nothing
        is learnt (`learning: none`)."""
        return own, True

    def decided(self, own: DeviceState, at: Deciding) -> tuple[DeviceState, bool]:
        """What `speaks` says; raises MethodError, with the line of its code, for anything but a
        state and whether it speaks."""
        decision: Any = self.speaks(own, at)
        match decision:
            case (DeviceState(), bool() | np.bool_() as speaks):
                return decision[0], bool(speaks)
            case tuple():
                words = f"({', '.join(type(item).__name__ for item in decision)})"
            case _:
                words = type(decision).__name__
        raise MethodError(
            f"{where(self.speaks)}: speaks of sending '{self.word()}' returned {words}, expected a "
            "pair: the DeviceState, and True or False"
        )
