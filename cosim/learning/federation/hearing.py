"""What a device hears before it mixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cosim.methods.arrival import arrived_of, packets_of
from cosim.methods.message import (
    NOTHING_LOST,
    Graph,
    Heard,
    Message,
    Passage,
    Superposed,
    Turn,
    freshness,
)


class Hearing(NamedTuple):
    """A hearing is all that a device mixes, and when.

    inbox: the newest message of each sender.
    ages: how often the device has mixed since each of them was sent.
    turn: when it mixes.
    graph: neighbours of the device and of those whom it heard, or of all, where a part asks for
        them.
    flights: of the messages whose packets were sent once, or that the air added up, by sender.
    """

    inbox: Mapping[int, Message]
    ages: Mapping[int, int]
    turn: Turn
    graph: Graph
    flights: Mapping[int, Passage] = NOTHING_LOST

    def heard(self, exponent: float, bits_per_value: int) -> list[Heard]:
        """The messages as they arrived; one of age n weighs (1 + n)^−exponent."""
        return [
            self._as_it_arrived(message, freshness(self.ages[sender], exponent), bits_per_value)
            for sender, message in self.inbox.items()
        ]

    def _as_it_arrived(self, message: Message, fresh: float, bits_per_value: int) -> Heard:
        age = self.ages[message.device]
        if (flight := self.flights.get(message.device)) is None:
            return Heard(message, age, fresh)
        if isinstance(flight, Superposed):
            return Heard(message, age, fresh, superposed=flight)
        lost = bool(flight.lost)
        arrived = arrived_of(message.content, bits_per_value, flight) if lost else None
        packets = None
        if flight.independent:
            packets = packets_of(message.content, bits_per_value, flight)
        return Heard(message, age, fresh, arrived, flight.delivery, packets)
