"""The command that writes the page about runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosim.sweeping.opened import opened_runs


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="run directories, or directories of sweeps")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="default: report.html in RUN, or in this folder for several"
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="check each run, and say what was found")
    ] = True,
) -> None:
    """Write one HTML page about a run, or about several and their differences.

    It opens from disk and by mail: nothing is fetched, and no server is needed.
    """
    from cosim.reporting.write import write_report

    opened = opened_runs(runs)
    typer.echo(
        write_report(opened.runs, out, verified=verify, notes=opened.notes, called=opened.called)
    )
