"""What of a message arrived, where packets of it were lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosim.methods.message import Flight, Said, Values

if TYPE_CHECKING:
    from torch import Tensor


def arrived_of(content: Sequence[Said], per_value: int, flight: Flight) -> dict[str, Tensor]:
    """Which values of a message arrived (n,), by what they are of: those of which no bit was in a
    lost packet.

    Bits are in the order of the content, value by value. ValueError where something else than
    values that are told every time is on the air.
    """
    import torch

    size, at = flight.packet_bits, 0
    lost = torch.zeros(max((*flight.lost, 0)) + 2, dtype=torch.bool)
    lost[list(flight.lost)] = True
    lost_before = torch.cat([torch.zeros(1, dtype=torch.long), lost.long().cumsum(0)])
    arrived = {}
    for item in content:
        bits = item.bits(per_value)
        if bits and isinstance(item, Values) and not item.once:
            first = (at + torch.arange(item.values.numel()) * per_value) // size
            last = (at + torch.arange(1, item.values.numel() + 1) * per_value - 1) // size
            first, last = first.clamp(max=len(lost) - 1), last.clamp(max=len(lost) - 1)
            arrived[item.name] = lost_before[last + 1] == lost_before[first]
        elif bits:
            raise ValueError(f"a packet of a message was lost that tells '{item.name}' once")
        at += bits
    return arrived
