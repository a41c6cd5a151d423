"""What has come for a device: updates not yet mixed, and which senders are done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simpy import Environment, Event


@dataclass(frozen=True)
class Letter:
    """An update that arrived; `mixed` is how often its receiver had mixed when it was sent."""

    content: Any
    round: int
    mixed: int


@dataclass
class Counts:
    """Updates of a device since its last row: in time, later than Γ, and not in time."""

    received: int = 0
    stale: int = 0
    missed: int = 0


class Mailbox:
    """One device's; a sender's transfer of a round ends once, delivered or not."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.mixed = 0
        self.letters: dict[int, Letter] = {}
        self.counts = Counts()
        self._ended: set[tuple[int, int]] = set()
        self._waiting: set[tuple[int, int]] = set()
        self._all_ended: Event | None = None

    def deliver(self, sender: int, letter: Letter, *, in_time: bool) -> None:
        """An update has arrived; of one sender the newest counts."""
        known = self.letters.get(sender)
        if known is None or known.round <= letter.round:
            self.letters[sender] = letter
        if in_time:
            self.counts.received += 1
        else:
            self.counts.stale += 1

    def end(self, sender: int, round_: int, *, in_time: bool) -> None:
        """Nothing more comes of this sender's round within its deadline."""
        self.counts.missed += not in_time
        self._ended.add((sender, round_))
        self._waiting.discard((sender, round_))
        if not self._waiting and self._all_ended is not None:
            self._all_ended.succeed()
            self._all_ended = None

    def all_ended(self, senders: Iterable[int], round_: int) -> Event:
        """Fires when every one of these senders' transfers of the round has come to its end."""
        self._waiting = {(sender, round_) for sender in senders} - self._ended
        self._all_ended = self.env.event()
        if not self._waiting:
            done, self._all_ended = self._all_ended, None
            return done.succeed()
        return self._all_ended

    def take(self) -> tuple[dict[int, Any], dict[int, int]]:
        """Empties the box for mixing: what each sender's update holds, and its age, the number of
        times that this device has mixed since it was sent."""
        letters, self.letters = self.letters, {}
        ages = {sender: self.mixed - letter.mixed for sender, letter in letters.items()}
        self.mixed += 1
        return {sender: letter.content for sender, letter in letters.items()}, ages

    def close_round(self) -> Counts:
        """What was counted since the last call; whoever was waited for no longer is."""
        counts, self.counts = self.counts, Counts()
        self._ended.clear()
        self._waiting.clear()
        self._all_ended = None
        return counts

    def lose(self) -> None:
        """Forgets what was not yet mixed: the device was cut off."""
        self.letters.clear()
        self._waiting.clear()
        self._all_ended = None
