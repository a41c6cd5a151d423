"""What is told of runs that a comparison leaves out."""

from __future__ import annotations

from collections.abc import Sequence

_BEGINS = "left out, "
# So many of a kind are named, the others counted: a sweep may have hundreds still to be played.
_NAMED = 3


def shortened(notes: Sequence[str]) -> list[str]:
    """The notes, those on runs left out for one reason as one where they are many."""
    by_reason: dict[str, list[str]] = {}
    for note in notes:
        if note.startswith(_BEGINS):
            reason, _, run = note.partition(": ")
            by_reason.setdefault(reason, []).append(run)
    told = []
    for note in notes:
        reason = note.partition(": ")[0]
        runs = by_reason.get(reason, [])
        if len(runs) <= _NAMED + 1:
            told.append(note)
        elif note == f"{reason}: {runs[0]}":
            others = len(runs) - _NAMED
            told.append(f"{reason}: {', '.join(runs[:_NAMED])} and {others} more")
    return told
