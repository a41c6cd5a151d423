"""What schedules in which not all devices keep step have in common."""

from __future__ import annotations

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.schedule.slot import Schedule


class OwnClock(Schedule):
    """A schedule mixes once a round in which devices have clocks of their own."""

    name: str
    mixings: int = Field(
        1,
        ge=1,
        description="1; schedule 'synchronous' mixes more often",
        exclude_if=lambda mixings: mixings == 1,
    )

    def refuses(self, method: Chosen) -> str | None:
        """Several mixings a round."""
        if self.mixings > 1:
            return (
                f"schedule '{self.word()}' with mixings: {self.mixings} asks for devices that keep "
                "step: each mixing waits for what all neighbours have made of the one before; use "
                "schedule 'synchronous', or mixings: 1"
            )
        return None
