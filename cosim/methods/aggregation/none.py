"""`none`: nothing is exchanged."""

from __future__ import annotations

from typing import ClassVar, Literal

from cosim.methods.aggregation.slot import Aggregation


class NoAggregation(Aggregation):
    """A device keeps what it has learnt to itself."""

    name: Literal["none"] = "none"
    exchanges: ClassVar[bool] = False
    averages: ClassVar[bool] = False
