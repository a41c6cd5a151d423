"""The command that writes the page about runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosim.errors import UsageError
from cosim.spelling import did_you_mean
from cosim.sweeping.opened import opened_runs


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="run directories, or directories of sweeps")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="default: report.html in RUN, or in this folder for several; - is the terminal",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="check each run, and say what was found")
    ] = True,
) -> None:
    """Write one HTML page about a run, or about several and their differences.

    It opens from disk and by mail: nothing is fetched, and no server is needed.
    """
    from cosim.reporting.write import ENDINGS, page_of, write_report

    aside = out is not None and str(out) == "-"
    if out is not None and not aside and out.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"--out: {out} is no page: its name ends with none of {', '.join(ENDINGS)}"
            + did_you_mean(out.suffix.lower(), ENDINGS)
        )
    opened = opened_runs(runs)
    if aside:
        # As bytes: a page says that it is UTF-8, whatever the terminal's letters are.
        text = page_of(opened.runs, verified=verify, notes=opened.notes, called=opened.called)
        typer.echo(text.encode(), nl=False)
        return
    typer.echo(
        write_report(opened.runs, out, verified=verify, notes=opened.notes, called=opened.called)
    )
