"""`synchronous`: all devices begin a round together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.message import Turn
from cosim.methods.schedule.slot import Schedule


class Synchronous(Schedule):
    """A round begins when all of the one before has ended.

    After its training a device mixes J times: each time it sends what it has now, waits for its
    neighbours and mixes, so that J mixings are J transfers in sequence (the local aggregations of
    arXiv 2405.12894).
    """

    name: Literal["synchronous"] = "synchronous"
    mixings: int = Field(
        1,
        ge=1,
        le=1000,
        description="J, how often a round mixes, each time with transfers of its own",
        exclude_if=lambda mixings: mixings == 1,
    )
    in_step: ClassVar[bool] = True
    waits: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """Several mixings of devices in clusters, or of what nobody mixes."""
        if self.mixings > 1 and method.topology.negotiated:
            return (
                f"schedule 'synchronous' with mixings: {self.mixings} has devices average again "
                f"and again, and topology '{method.topology.word()}' keeps sets of experts, which "
                "one exchange a round brings up to date: use mixings: 1"
            )
        if self.mixings > 1 and not method.aggregation.averages:
            return (
                f"schedule 'synchronous' with mixings: {self.mixings} repeats what is averaged, "
                f"and aggregation {method.aggregation} averages nothing: use mixings: 1"
            )
        return None

    def turns(self, round_: int) -> Sequence[Turn]:
        """J of them."""
        return tuple(Turn(round_, mixing) for mixing in range(self.mixings))
