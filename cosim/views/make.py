"""The views as files: what is chosen is checked, each file appears whole, its path is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cosim.trace.reader import Run
from cosim.views.selection import check_round, choose_rounds, rounds_of, view_file

# What a chart shows of a run whose rounds nobody has chosen.
_ROUNDS_OF_A_CHART = 3


class ViewLine(NamedTuple):
    """A line is for the person who asked for a view.

    text: the path of a file that was written, or a note on what it leaves out.
    is_note: whether it is a note.
    """

    text: str
    is_note: bool = False


def make_timeline(run: Run, rounds: str | None, out: Path | None) -> Iterator[ViewLine]:
    """Writes `timeline.json` and `timeline.png`; without `rounds` all, and the first three."""
    from cosim.views.gantt import write_gantt
    from cosim.views.trace_events import write_trace_events

    there = rounds_of(run)
    chosen = there if rounds is None else choose_rounds(rounds, there, run)
    charted = chosen if rounds is not None else chosen[:_ROUNDS_OF_A_CHART]
    yield from _write(run, out, "timeline.json", lambda p: write_trace_events(run, chosen, p))
    yield from _write(run, out, "timeline.png", lambda p: write_gantt(run, charted, p))


def make_map(run: Run, number: int | None, animate: bool, out: Path | None) -> Iterator[ViewLine]:
    """Writes `map-round-N.png` of a round, the last one if none is given, and `map.gif`."""
    from cosim.views.animation import write_animation
    from cosim.views.map import write_map

    there = rounds_of(run)
    chosen = there[-1] if number is None else number
    check_round(chosen, there, run)
    yield from _write(run, out, f"map-round-{chosen}.png", lambda p: write_map(run, chosen, p))
    if animate:
        yield from _write(run, out, "map.gif", lambda p: write_animation(run, p))


def _write(
    run: Run, out: Path | None, name: str, write: Callable[[Path], str | None]
) -> Iterator[ViewLine]:
    with view_file(run, out, name) as (path, temporary):
        note = write(temporary)
    yield ViewLine(str(path))
    if note is not None:
        yield ViewLine(note, is_note=True)
