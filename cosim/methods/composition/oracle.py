"""`oracle`: a question goes to the experts of its own task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cosim.methods.composition.banked import Banked
from cosim.methods.expert import Expert
from cosim.methods.state import DeviceState


class Oracle(Banked):
    """The task of a question is given away, and the mean of its experts answers."""

    name: Literal["oracle"] = "oracle"

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """The experts of devices of this task."""
        owners = tuple(owner for owner in sorted(own.bank) if tasks[owner] == task)
        return Expert(tuple(own.bank[owner] for owner in owners), owners=owners)
