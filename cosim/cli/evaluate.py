"""The command that scores a finished run on other rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.echoed_log import echo_log
from cosim.cli.json_text import json_text

if TYPE_CHECKING:
    from rich.table import Table

    from cosim.asking.evaluate import Evaluated


def evaluate(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="a directory of a completed run")],
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="jsonl:PATH",
            help="rows to ask; may be repeated; default: the run's own held-out rows",
        ),
    ] = None,
    device: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="who is asked; may be repeated; default: all"),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="the first N rows; default: all")
    ] = None,
    taken_for: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="TASK",
            help="the run's task that is asked, where a method is told it, and whose fields rows "
            "have; default: the device's own, and prompt, answer, choices",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Score the devices of a finished run on other rows, as the run scores its own.

    Accuracy is the share of right answers; the mean is over devices. RUN stays as it is.
    """
    from cosim.asking.evaluate import evaluate as evaluated
    from cosim.trace.reader import read_run

    run = read_run(run_)
    echo_log(True)
    found = evaluated(run, task or (), device or (), samples=samples, taken_for=taken_for)
    if json:
        typer.echo(json_text(found.as_json()))
        return
    from rich.console import Console

    console = Console(markup=False, emoji=False)
    for name in found.tasks:
        one = next(one for one in found.accuracies if one.task == name)
        console.print(f"{name}: {one.metric}, {one.questions} questions a device", soft_wrap=True)
        console.print(_table(found, name))
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _table(found: Evaluated, task: str) -> Table:
    from rich.table import Table

    rows = [one for one in found.accuracies if one.task == task]
    table = Table()
    table.add_column("device", justify="right", no_wrap=True)
    table.add_column("trained on")
    table.add_column("accuracy", justify="right", no_wrap=True)
    for one in rows:
        table.add_row(str(one.device), one.own_task, f"{one.value:.3f}")
    if len(rows) > 1:
        table.add_section()
        table.add_row("mean", f"of {len(rows)} devices", f"{found.mean(task):.3f}")
    return table
