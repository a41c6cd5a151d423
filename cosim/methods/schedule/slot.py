"""What a schedule is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from cosim.errors import MethodError
from cosim.methods.message import Turn
from cosim.methods.part import Part, where


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
        mixings = len(self.played(1))
        if not self.in_step and mixings > 1:
            return (
                f"schedule '{self.word()}' mixes {mixings} times a round and its devices do not "
                "keep step: each mixing waits for what all neighbours have made of the one before"
            )
        return None

    def turns(self, round_: int) -> Sequence[Turn]:
        """The turns of a round, in order: in each, devices send, wait and mix."""
        return (Turn(round_),)

    def played(self, round_: int) -> Sequence[Turn]:
        """The turns of a round as they are played; raises MethodError, with the line of its code,
        where a round has none, or turns of another round or in another order."""
        returned: Any = self.turns(round_)
        turns = list(returned) if isinstance(returned, Iterable) else returned
        count = len(turns) if isinstance(turns, list) else 0
        expected = [Turn(round_, mixing) for mixing in range(count or 1)]
        if turns != expected:
            raise MethodError(
                f"{where(self.turns)}: turns of schedule '{self.word()}' returned {turns} of round "
                f"{round_}, expected {expected}: one turn at least, numbered from 0; rounds in "
                "which nobody speaks are the sending's, by its `opens`"
            )
        return turns
