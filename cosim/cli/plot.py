"""The command that draws figures of runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.errors import UsageError
from cosim.sweeping.opened import opened_runs

if TYPE_CHECKING:
    from cosim.trace.reader import Run

# Beyond this many notes the rest is counted.
_MOST_NOTES = 10


def plot(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN…", help="run directories, or directories of sweeps"),
    ] = None,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="which figure: see above")] = "",
    out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="a file to replace, .png, .svg or .csv (the numbers drawn); may be repeated; "
            "default: KIND.png in RUN, or in this folder for several; - prints the numbers",
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="final: along a swept key, such as devices.0.count"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="final: differences to this method, paired by seed"),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="final: accuracy (default), best, forgotten, simulated_s, energy_j, mbit, missed",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="20s,100J,50Mbit", help="budgets: the accuracy at each"),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="ACCURACY", help="budgets: what it cost to reach it"),
    ] = None,
) -> None:
    """Draw a figure of runs or sweeps, as PNG or SVG, or its numbers as CSV.

    KIND is one of these:

    accuracy – over seconds, joules and bits, where it was measured

    final – what runs ended with, by method or over a key

    latency – how long messages took, as shares that had arrived

    energy – joules of a device in a round, as shares

    rounds – where the time and the energy of a round go

    budgets – a table of the accuracy at budgets and the cost of a target

    Runs that differ in their seed alone are one curve, with a 95 % interval over seeds.
    """
    from cosim.plotting.drawing import format_of
    from cosim.plotting.plot import drawing, kind_of
    from cosim.plotting.request import Request

    kind_of(_kind(kind, runs or []))
    if not runs:
        raise UsageError(f"plot: no run is named; expected cosim plot RUN… {kind}")
    files = [path for path in out or [] if str(path) != "-"]
    for path in files:
        format_of(path)
    opened = opened_runs(runs)
    asked = Request(over, against, measure, budget, target)
    drawn = drawing(opened.runs, kind, asked, opened.notes, opened.called, opened.names)
    if out is None:
        files = [_beside(opened.runs) / f"{kind}.png"]
    written = [drawn.write(path) for path in files]
    if len(files) < len(out or []):
        typer.echo(drawn.csv, nl=False)
    for path in written:
        typer.echo(f"written: {path}", err=len(files) < len(out or []))
    for note in drawn.notes[:_MOST_NOTES]:
        typer.echo(note, err=True)
    if len(drawn.notes) > _MOST_NOTES:
        typer.echo(f"and {len(drawn.notes) - _MOST_NOTES} more", err=True)


def _kind(word: str, runs: list[Path]) -> str:
    """The last word; raises UsageError where it is a run, or the kind stands first."""
    from cosim.plotting.kinds import KINDS

    if word in KINDS or not os.path.isdir(word):
        return word
    first = str(runs[0]) if runs else ""
    hint = f"{first}, after the runs" if first in KINDS else f"one of {', '.join(KINDS)}"
    raise UsageError(f"plot: the last word says which figure: {hint}")


def _beside(runs: list[Run]) -> Path:
    return runs[0].directory if len(runs) == 1 else Path()
