"""What a schedule is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cosim.methods.message import Turn
from cosim.methods.part import Part


class Schedule(Part):
    """A schedule says when a round begins, and how often it mixes."""

    slot: ClassVar[str] = "schedule"
    # Whether all devices end a round before any begins the next.
    in_step: ClassVar[bool] = False
    # Whether a device mixes no sooner than its neighbours' messages of the turn have ended.
    waits: ClassVar[bool] = False

    def turns(self, round_: int) -> Sequence[Turn]:
        """The turns of a round, in order: in each, devices send, wait and mix."""
        return (Turn(round_),)
