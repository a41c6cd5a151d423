"""What is in a message, counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout
from cosim.methods.message import Message, Said, Values


def told_once(content: Sequence[Said]) -> frozenset[str]:
    """The names of what a receiver need be told only once."""
    return frozenset(item.name for item in content if item.once)


def numbers_in(message: Message) -> int:
    """Values that a message has on the air every time."""
    values = [item for item in message.content if isinstance(item, Values) and not item.once]
    return sum(item.values.numel() for item in values)


def numbers_of(adapter: Adapter, sends: Collection[str], layout: Layout) -> int:
    """Values of these factors that a device holds; layout: of its own rank."""
    dense = adapter.support is None
    of_B = layout.expansion_size if dense else int(adapter.values.numel())
    return ("B" in sends) * of_B + ("A" in sends) * layout.projection_size


def scales_in(message: Message, layout: Layout) -> int:
    """Vectors that have a mean and a scale of their own: one of each module and factor."""
    return sum(isinstance(item, Values) for item in message.content) * len(layout.modules)
