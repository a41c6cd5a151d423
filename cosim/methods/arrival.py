"""What of a message arrived, where packets of it were lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeGuard

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

    for item in content:
        if item.bits(per_value) and not _told_every_time(item):
            raise ValueError(f"a packet of a message was lost that tells '{item.name}' once")
    lost = torch.zeros(max((*flight.lost, 0)) + 2, dtype=torch.bool)
    lost[list(flight.lost)] = True
    lost_before = torch.cat([torch.zeros(1, dtype=torch.long), lost.long().cumsum(0)])
    arrived = {}
    for name, first, last in _spans(content, per_value, flight.packet_bits):
        first, last = first.clamp(max=len(lost) - 1), last.clamp(max=len(lost) - 1)
        arrived[name] = lost_before[last + 1] == lost_before[first]
    return arrived


def packets_of(content: Sequence[Said], per_value: int, flight: Flight) -> dict[str, Tensor] | None:
    """In how many packets the bits of each value lie (n,), by what they are of; None where all are
    in one."""
    spans = _spans(content, per_value, flight.packet_bits)
    counts = {name: last - first + 1 for name, first, last in spans}
    return counts if any(bool((count > 1).any()) for count in counts.values()) else None


def _spans(
    content: Sequence[Said], per_value: int, packet_bits: int
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The numbers of the packets with the first and the last bit of each value (n,), by what they
    are of."""
    import torch

    at = 0
    for item in content:
        bits = item.bits(per_value)
        if bits and _told_every_time(item):
            number = torch.arange(item.values.numel())
            first = (at + number * per_value) // packet_bits
            last = (at + (number + 1) * per_value - 1) // packet_bits
            yield item.name, first, last
        at += bits


def _told_every_time(item: Said) -> TypeGuard[Values]:
    return isinstance(item, Values) and not item.once
