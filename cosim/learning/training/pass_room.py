"""How much of a training pass is held at once: less, once memory did not suffice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cosim.learning.data.packing import TOKENS_PER_PASS


class PassRoom(NamedTuple):
    """A pass' room is how much of it is held in memory at once.

    Sums are rounded by what is added together, so that what is learnt depends on it.

    tokens: held at once, at most.
    side_by_side: whether two shares of a pass may run side by side.
    """

    tokens: int = TOKENS_PER_PASS
    side_by_side: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a run's user should know of it; nothing where memory has sufficed."""
        if self == PassRoom():
            return ()
        how = (
            f"at most {self.tokens} tokens were held at once"
            if self.tokens < TOKENS_PER_PASS
            else ""
        )
        alone = "" if self.side_by_side else "no two shares of a pass were trained side by side"
        changes = " and ".join(part for part in (how, alone) if part)
        return (
            f"training: memory did not suffice, so that from then on {changes}: what is learnt "
            "differs by rounding from that of a run with more memory",
        )


def least(rooms: Iterable[PassRoom]) -> PassRoom:
    """What all of several processes have had room for."""
    bounds = list(rooms)
    return PassRoom(min(room.tokens for room in bounds), all(room.side_by_side for room in bounds))


def out_of_memory(error: Exception) -> bool:
    """Whether torch says that it could get no memory: on a CPU there is no exception for that."""
    words = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)
