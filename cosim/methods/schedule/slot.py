"""What a schedule is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from cosim.methods.message import Turn
from cosim.methods.part import Part


class Schedule(Part):
    """A schedule says when a round begins, and how often it mixes.

    `in_step` and `waits` say how it is played: all devices together, each connected group of a
    round's graph when its own members have ended the round before (it waits, and is not in step),
    or every device alone (neither).
    """

    slot: ClassVar[str] = "schedule"
    # Whether all devices end a round before any begins the next.
    in_step: ClassVar[bool] = False
    # Whether a device mixes no sooner than its neighbours' messages of the turn have ended.
    waits: ClassVar[bool] = False

    def refuses(self, method: Any) -> str | None:
        """Several mixings a round of devices that do not keep step."""
        if not self.in_step and (mixings := len(self.turns(1))) > 1:
            return (
                f"schedule '{self.word()}' mixes {mixings} times a round and its devices do not "
                "keep step: each mixing waits for what all neighbours have made of the one before"
            )
        return None

    def turns(self, round_: int) -> Sequence[Turn]:
        """The turns of a round, in order: in each, devices send, wait and mix."""
        return (Turn(round_),)
