"""Who looks on at a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.sweeping.index import Entry


class Watch:
    """A watch is told how a sweep goes on; one that defines nothing does nothing."""

    def begins(self, entries: Sequence[Entry]) -> None:
        """Is given every run once, before the first is played: those to be played are pending."""

    def started(self, name: str) -> None:
        """Is told that a run is sent to whoever plays it."""

    def reached(self, name: str, round_: int) -> None:
        """Is told of a round that a run has ended: of a long run not of every one, and of those
        that Ray's workers play of none."""

    def ended(self, entry: Entry) -> None:
        """Is told how a run has ended."""
