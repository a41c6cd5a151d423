"""`alternating`: B and A are trained by turns, each for so many rounds."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Said, Values
from cosim.methods.projection.trained import Trained
from cosim.methods.state import DeviceState

_FACTORS = {"expansion": "BA", "projection": "AB"}


class Alternating(Trained):
    """A starts the same for all devices; round t trains B or A, by ⌊(t − 1)/T⌋ mod 2."""

    name: Literal["alternating"] = "alternating"  # type: ignore[assignment]
    interval: int = Field(
        1, ge=1, description="T, rounds in a row that train one factor, before they train the other"
    )
    starts_with: Literal["expansion", "projection"] = Field(
        "expansion",
        description="what the first T rounds train; where B = 0, A has no gradient and they are "
        "lost",
    )
    factors: Literal["both", "active"] = Field(
        "both",
        description="what is on the air: A and B every round, so that the idle one is mixed too; "
        "or the one that the round trained",
    )
    moves: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """A masked B, and half a message for an aggregation that reads both factors."""
        if method.expansion.masked:
            return (
                f"projection {self} trains B and A by turns, and expansion {method.expansion} "
                "chooses its mask in a round that trains B: use 'dense'"
            )
        whole = method.aggregation.exchanges and not method.aggregation.by_factor
        if self.factors == "active" and whole:
            return (
                f"projection {self} sends one factor a round, and aggregation "
                f"{method.aggregation} reads both: use 'mean', or factors: both"
            )
        return None

    def trains(self, round_: int) -> frozenset[str]:
        """The factor whose turn it is."""
        return frozenset(_FACTORS[self.starts_with][(max(round_, 1) - 1) // self.interval % 2])

    def sends(self, round_: int) -> frozenset[str]:
        """Both, or the one that was trained."""
        return frozenset("AB") if self.factors == "both" else self.trains(round_)

    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """A itself, in the rounds that send it."""
        if "A" not in self.sends(own.adapter.round):
            return ()
        return (Values("A", own.adapter.projection),)
