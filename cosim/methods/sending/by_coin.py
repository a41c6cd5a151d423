"""`by_coin`: in a round all devices speak or none does, by a coin that all of them toss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.sending.slot import Sending

if TYPE_CHECKING:
    import numpy as np


class ByCoin(Sending):
    """θ_t of round t is 1 with probability p: all devices speak and mix; or 0, and none speaks,
    nor mixes but what aggregation `snapshots` remembers.

    Devices share the seed of θ, so that each knows θ_t by itself: nothing is on the air in a round
    of θ_t = 0, and nobody waits for anybody before it goes on.
    """

    name: Literal["by_coin"] = "by_coin"
    probability: float = Field(0.5, gt=0, le=1, description="p, of a round in which devices speak")

    def refuses(self, method: Chosen) -> str | None:
        """Where devices have no common rounds, or say something besides."""
        if not method.aggregation.exchanges:
            return f"sending '{self.word()}' is about methods in which devices hear each other"
        if not method.schedule.waits:
            return (
                f"sending '{self.word()}' tosses one coin for a round of all devices, and with "
                f"schedule {method.schedule} each is in a round of its own: use schedule "
                "'synchronous' or 'cluster'"
            )
        if method.topology.negotiated:
            return (
                f"sending '{self.word()}' keeps the air empty in a round, and topology "
                f"'{method.topology.word()}' negotiates and spreads experts besides: use another"
            )
        return None

    @property
    def open_share(self) -> float:
        """p."""
        return self.probability

    def opens(self, round_: int, random: np.random.Generator) -> bool:
        """θ_t."""
        return bool(random.random() < self.probability)
