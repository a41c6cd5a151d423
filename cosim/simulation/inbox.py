"""What has come for a device: updates not yet mixed, and which senders are done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simpy import Environment, Event

from cosim.methods.message import Turn
from cosim.simulation.message import Message


@dataclass
class Counts:
    """Counts are numbers of updates for a device since its last row.

    received: those that arrived by their deadline.
    stale: those that arrived after it.
    missed: those that were expected and did not arrive by it.
    silent: those that were never sent, because their senders had nothing to say.
    """

    received: int = 0
    stale: int = 0
    missed: int = 0
    silent: int = 0

    @property
    def edges_used(self) -> float | None:
        """The share of those of whom something might have come that did come in time; None where
        there were none."""
        neighbours = self.received + self.missed + self.silent
        return self.received / neighbours if neighbours else None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An update in an inbox.

    message: the update.
    turn: when its sender spoke.
    mixings: how often the receiver had mixed when it was sent.
    """

    message: Message
    turn: Turn
    mixings: int


class Inbox:
    """Holds one device's updates until it mixes; a sender's transfer of a turn ends once,
    delivered or not.

    mixings: how often the device has mixed.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.mixings = 0
        self.counts = Counts()
        self._entries: dict[int, _Entry] = {}
        self._ended: set[tuple[int, Turn]] = set()
        self._waiting: set[tuple[int, Turn]] = set()
        self._all_ended: Event | None = None

    def deliver(
        self, sender: int, message: Message, turn: Turn, mixings: int, *, in_time: bool
    ) -> None:
        """Stores an update that has arrived; of one sender the newest counts."""
        earlier = self._entries.get(sender)
        if earlier is None or earlier.turn <= turn:
            self._entries[sender] = _Entry(message, turn, mixings)
        if in_time:
            self.counts.received += 1
        else:
            self.counts.stale += 1

    def end(self, sender: int, turn: Turn, *, in_time: bool) -> None:
        """Notes that nothing more comes of this sender's turn within its deadline."""
        self.counts.missed += not in_time
        self._ended.add((sender, turn))
        self._waiting.discard((sender, turn))
        if not self._waiting and self._all_ended is not None:
            self._all_ended.succeed()
            self._all_ended = None

    def all_ended(self, senders: Iterable[int], turn: Turn) -> Event:
        """Returns an event that fires when every one of these senders' transfers of the turn has
        come to its end."""
        self._waiting = {(sender, turn) for sender in senders} - self._ended
        self._all_ended = self.env.event()
        if not self._waiting:
            event, self._all_ended = self._all_ended, None
            return event.succeed()
        return self._all_ended

    def spoke(self, turn: Turn) -> set[int]:
        """The senders of this turn whose updates lie here."""
        return {sender for sender, entry in self._entries.items() if entry.turn == turn}

    def take(self) -> tuple[dict[int, Any], dict[int, int]]:
        """Empties the inbox for mixing; returns the content and the age of each sender's update,
        the number of times that this device has mixed since it was sent."""
        entries, self._entries = self._entries, {}
        ages = {sender: self.mixings - entry.mixings for sender, entry in entries.items()}
        self.mixings += 1
        return {sender: entry.message.content for sender, entry in entries.items()}, ages

    def close_round(self) -> Counts:
        """Returns the counts since the last call; whoever was waited for no longer is."""
        counts, self.counts = self.counts, Counts()
        self._ended.clear()
        self._waiting.clear()
        self._all_ended = None
        return counts

    def lose(self) -> None:
        """Forgets what was not yet mixed: the device was cut off."""
        self._entries.clear()
        self._waiting.clear()
        self._all_ended = None
