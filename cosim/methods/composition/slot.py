"""What a composition is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.expert import Expert, Routing
from cosim.methods.message import Said
from cosim.methods.part import Part
from cosim.methods.state import DeviceState


class Composition(Part):
    """A composition chooses the experts that answer a question."""

    slot: ClassVar[str] = "composition"
    # Whether others' experts answer too, and not a device's own adapter alone.
    asks_experts: ClassVar[bool] = True
    # Whether several experts answer one question side by side.
    together: ClassVar[bool] = False

    @property
    def reading(self) -> tuple[int, Literal["mean", "last"]]:
        """How a prompt is read for FEATURES: at how many blocks, by which of its tokens."""
        return 4, "mean"

    @property
    def routing(self) -> Routing | None:
        """How a gate weighs experts by FEATURES; None where none does."""
        return None

    @abstractmethod
    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """What a device answers a task with; tasks: of every device by id."""

    def says(self, own: DeviceState) -> tuple[Said, ...]:
        """What a receiver must know of an expert to ask it."""
        return ()
