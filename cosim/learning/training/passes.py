"""Which lessons one grouped pass takes together: a matter of speed and memory, and of rounding."""

from __future__ import annotations

from collections.abc import Sequence

DEVICES_PER_PASS = 16
# Rows are padded to the longest of a pass; beyond this ratio of lengths padding costs more than
# a pass of its own.
PADDING_RATIO = 1.5


def passes(
    longest: Sequence[int],
    steps: Sequence[int],
    *,
    padded: bool = True,
    devices_per_pass: int = DEVICES_PER_PASS,
) -> list[list[int]]:
    """Numbers of lessons by pass: equally many steps, few enough for memory, and of similar
    lengths where the rows are padded.

    longest: tokens of each lesson's longest row. steps: optimiser steps of each lesson.
    """
    ordered = sorted(range(len(longest)), key=lambda n: (steps[n], longest[n], n))
    out: list[list[int]] = []
    for number in ordered:
        if out:
            leader = out[-1][0]
            fits = steps[leader] == steps[number] and len(out[-1]) < devices_per_pass
            alike = not padded or longest[number] <= PADDING_RATIO * longest[leader]
            if fits and alike:
                out[-1].append(number)
                continue
        out.append([number])
    return out
