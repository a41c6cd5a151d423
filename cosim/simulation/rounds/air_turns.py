"""Turns in which each device of a group hears the sum of what its neighbours send."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from simpy import Event

from cosim.learning.records import Outgoing
from cosim.methods.message import Turn
from cosim.physics.over_the_air import analog_symbols
from cosim.simulation.message import AddressedMessage
from cosim.simulation.superposition import Star
from cosim.simulation.world import Seat, World
from cosim.topology.colouring import distance_two_colours


class AirTurns:
    """The turns of one round of a group begin when of every device is known whether it speaks, and
    `over` fires when the last of them has ended.

    Receivers of one turn share no device, so that nobody sends and listens at once, or to two.
    """

    def __init__(self, world: World, turn: Turn, seats: Mapping[int, Seat]) -> None:
        self.over: Event = world.env.event()
        self._world, self._turn, self._seats = world, turn, seats
        self._unknown, self._here = set(seats), set(seats)
        self._said: dict[int, Outgoing] = {}
        self._silent: set[int] = set()

    def speak(self, device: int, outgoing: Outgoing) -> None:
        """A device has something to say; it listens, too."""
        self._said[device] = outgoing
        self._know(device)

    def listen(self, device: int, *, silent: bool) -> None:
        """A device only listens; silent: it has nothing to say, and its neighbours miss nothing."""
        if silent:
            self._silent.add(device)
        self._know(device)

    def withdraw(self, device: int) -> None:
        """A device was cut off: it neither speaks nor listens any more."""
        self._here.discard(device)
        self._know(device)

    def _know(self, device: int) -> None:
        if device in self._unknown:
            self._unknown.discard(device)
            if not self._unknown:
                self._world.env.process(self._play())

    def _play(self) -> Generator[Event, Any, None]:
        air, env = self._world.medium.superposition, self._world.env
        graph = {
            device: tuple(other for other in seat.neighbours if other in self._seats)
            for device, seat in sorted(self._seats.items())
        }
        for colour in distance_two_colours(graph):
            stars = [star for receiver in colour for star in self._star(receiver)]
            if stars:
                scales = max(outgoing.scales for outgoing in self._said.values())
                yield env.timeout(air.begin_reports(stars, scales))
                air.end_control(stars)
                yield env.timeout(air.guard_s)
                yield env.timeout(air.begin_replies(stars, scales))
                air.end_control(stars)
                yield env.timeout(air.guard_s)
                yield env.timeout(air.begin_sums(stars))
                air.end_sums(stars)
                yield env.timeout(air.guard_s)
        self.over.succeed()

    def _star(self, receiver: int) -> Iterator[Star]:
        """A receiver's star, if it is there and anybody speaks to it; whom it waits for in vain it
        is told."""
        if receiver not in self._here:
            return
        inbox = self._world.stations[receiver].inbox
        speakers = []
        for other in self._seats[receiver].neighbours:
            if other in self._here and other in self._said:
                speakers.append(other)
            else:
                inbox.end(other, self._turn, in_time=other in self._silent)
        if speakers:
            messages = {
                speaker: AddressedMessage(receiver, 0, self._said[speaker].content)
                for speaker in speakers
            }
            symbols = max(self._symbols(speaker, receiver) for speaker in speakers)
            yield Star(receiver, messages, symbols, self._turn)

    def _symbols(self, sender: int, receiver: int) -> int:
        """Of a message, all of whose bits are those of values."""
        bits = self._said[sender].bits[receiver]
        return analog_symbols(bits // self._world.scenario.adapter.bits_per_value)
