"""The command that sets runs beside each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.json_text import json_text
from cosim.errors import UsageError
from cosim.spelling import did_you_mean
from cosim.sweeping.opened import opened_runs

if TYPE_CHECKING:
    from cosim.comparison.formats import Format


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="run directories, or directories of sweeps")
    ],
    target: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="ACCURACY", help="seconds, joules and Mbit until this was reached"
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="100s,4kJ,500Mbit", help="the last accuracy measured within so much, too"
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="runs, or a sweep, of the same methods undisturbed: differences to the twin, too; "
            "may be repeated",
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="table, csv (a row a run), json, latex or markdown; default: what FILE's name "
            "ends with says, or table",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a file to replace; - is the terminal")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="for programs: the same as --format json")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="write a row a run as well; -: that alone"),
    ] = None,
) -> None:
    """Compare runs: accuracy, time, energy, bits and misses, and their differences by seed.

    Runs that differ in their seed alone are one row, the mean over seeds.

    Differences are to the first row, over the seeds that both have; where answers are kept, by
    question as well.
    """
    from cosim.comparison.budgets import read_budgets
    from cosim.comparison.formats import Format, write_file, written
    from cosim.comparison.groups import compare as compared

    if as_json and format_ not in (None, "json"):
        raise UsageError(f"--json: the format is {format_!r} already; leave one of the two out")
    wanted = _format("json" if as_json else format_, out)
    budgets = [] if budget is None else read_budgets(budget)
    opened, twins = opened_runs(runs), opened_runs(against or [])
    comparison = compared(
        opened.runs,
        target,
        [*opened.notes, *twins.notes],
        budgets=budgets,
        against=twins.runs,
        called=opened.called,
    )
    if csv is not None and str(csv) == "-":
        typer.echo(written(comparison, Format.CSV), nl=False)
        return
    if out is None or str(out) == "-":
        text = written(comparison, wanted, _width())
        if wanted is Format.JSON:
            text = f"{json_text(json.loads(text))}\n"
        typer.echo(text, nl=False)
    else:
        write_file(written(comparison, wanted), out)
        typer.echo(f"written: {out}")
    if csv is not None:
        write_file(written(comparison, Format.CSV), csv)
        typer.echo(f"written: {csv}")


def _format(name: str | None, out: Path | None) -> Format:
    from cosim.comparison.formats import FORMAT_OF, Format

    if name is None:
        name = "table"
        if out is not None and out.suffix:
            ending = out.suffix.lower()
            if ending not in FORMAT_OF:
                raise UsageError(
                    f"--out: {out} says no format: its name ends with none of "
                    f"{', '.join(FORMAT_OF)}; another name goes with --format"
                    + did_you_mean(ending, FORMAT_OF)
                )
            name = FORMAT_OF[ending]
    if name not in list(Format):
        raise UsageError(f"--format: {name!r} is no format (one of {', '.join(Format)})")
    return Format(name)


def _width() -> int | None:
    """Of the terminal; None where the text goes elsewhere, whose reader wants whole lines."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console().width
