"""What has come for a device: updates not yet mixed, and which senders are done."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from simpy import Environment, Event

from cosim.methods.message import Passage, Turn
from cosim.simulation.message import AddressedMessage


@dataclass
class Counts:
    """Counts are numbers of updates for a device since its last row.

    received: those that arrived by their deadline.
    stale: those that arrived after it.
    missed: those that were expected and did not arrive by it.
    silent: those that were never sent, because their senders had nothing to say.
    one_way: of those received, the ones of edges that must carry both ways, and did not.
    """

    received: int = 0
    stale: int = 0
    missed: int = 0
    silent: int = 0
    one_way: int = 0

    @property
    def edges_used(self) -> float | None:
        """The share of those of whom something might have come that did come in time, and counts;
        None where there were none."""
        neighbours = self.received + self.missed + self.silent
        return (self.received - self.one_way) / neighbours if neighbours else None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An update in an inbox.

    message: the update.
    turn: when its sender spoke.
    mixings: how often the receiver had mixed when it was sent.
    flight: what the air did to it; None where it came whole and by itself.
    in_time: whether it arrived by its deadline.
    """

    message: AddressedMessage
    turn: Turn
    mixings: int
    flight: Passage | None
    in_time: bool


class Taken(NamedTuple):
    """This is what is taken out of an inbox for mixing, by sender.

    contents: the newest update's content.
    ages: how often the device has mixed since it was sent; 0 of what was said in this turn.
    flights: what the air did to those that it did not bring whole and by themselves.
    """

    contents: dict[int, Any]
    ages: dict[int, int]
    flights: dict[int, Passage]


class Inbox:
    """An inbox holds one device's updates until it mixes; a sender's transfer of a turn ends once,
    delivered or not.

    mixings: how often the device has mixed.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.mixings = 0
        self.counts = Counts()
        # A sender's newest update, and what else it said in that round: whoever has mixed may speak
        # again before others have.
        self._entries: dict[int, list[_Entry]] = {}
        self._ended: set[tuple[int, Turn]] = set()
        self._waiting: set[tuple[int, Turn]] = set()
        self._all_ended: Event | None = None

    def deliver(
        self,
        sender: int,
        message: AddressedMessage,
        turn: Turn,
        mixings: int,
        flight: Passage | None = None,
        *,
        in_time: bool,
    ) -> None:
        """Stores an update that has arrived; of one sender the newest counts."""
        entries = self._entries.get(sender, [])
        if not entries or entries[-1].turn <= turn:
            of_round = [each for each in entries if each.turn.round == turn.round]
            self._entries[sender] = [
                *of_round,
                _Entry(message, turn, mixings, flight, in_time),
            ]
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
        entries = self._entries.items()
        return {sender for sender, some in entries if any(each.turn == turn for each in some)}

    def in_time(self, turn: Turn) -> set[int]:
        """The senders of this turn, or of its answers, whose updates arrived by their deadline."""
        answer = turn._replace(answer=True)
        return {
            sender
            for sender, entries in self._entries.items()
            if any(each.in_time and each.turn in (turn, answer) for each in entries)
        }

    def take(self, turn: Turn | None = None, senders: Set[int] | None = None) -> Taken:
        """Takes out what is mixed now, each sender's newest update; those of turns after a given
        one stay. senders: whose updates alone are mixed; None: all of them are."""
        newest: dict[int, _Entry] = {}
        stays: dict[int, list[_Entry]] = {}
        for sender, entries in self._entries.items():
            due = [entry for entry in entries if turn is None or entry.turn <= turn]
            if due and (senders is None or sender in senders):
                newest[sender] = due[-1]
            if len(due) < len(entries):
                stays[sender] = entries[len(due) :]
        self._entries = stays
        mail = Taken(
            {sender: entry.message.content for sender, entry in newest.items()},
            {sender: self._age(entry, turn) for sender, entry in newest.items()},
            {at: entry.flight for at, entry in newest.items() if entry.flight is not None},
        )
        self.mixings += 1
        return mail

    def _age(self, entry: _Entry, turn: Turn | None) -> int:
        """None of the turn that is mixed is old, even if it was sent before the last was mixed."""
        of_turn = turn is not None and entry.turn[:2] == turn[:2]
        return 0 if of_turn else self.mixings - entry.mixings

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
