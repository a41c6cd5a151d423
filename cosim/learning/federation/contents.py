"""What is in a message, counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout
from cosim.methods.message import Message, Said, Values


def told_once(content: Sequence[Said]) -> frozenset[str]:
    """The names of what a receiver need be told only once."""
    return frozenset(said.name for said in content if said.once)


def numbers_in(message: Message) -> int:
    """Values that a message has on the air every time."""
    values = [said for said in message.content if isinstance(said, Values) and not said.once]
    return sum(said.values.numel() for said in values)


def numbers_of(adapter: Adapter, sends: Collection[str], layout: Layout) -> int:
    """Values of these factors that a device holds; layout: of its own rank."""
    dense = adapter.support is None
    of_B = layout.expansion_size if dense else int(adapter.values.numel())
    return ("B" in sends) * of_B + ("A" in sends) * layout.projection_size


def scales_in(message: Message, layout: Layout) -> int:
    """Vectors that have a mean and a scale of their own: one of each module and factor."""
    return sum(isinstance(said, Values) for said in message.content) * len(layout.modules)
