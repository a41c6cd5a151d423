"""The closing summary of a run, read back from its traces."""

from __future__ import annotations

import math

import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from cosim.trace.reader import Run
from cosim.trace.schema import HEADLINE_METRICS


def print_summary(run: Run, console: Console) -> None:
    """Accuracy by task, cost by kind, what was missed, and where the run lies."""
    accuracy = accuracy_by_task(run.evaluations)
    if not accuracy.empty:
        table = Table(title=f"{run.manifest['name']}: accuracy, mean over devices")
        table.add_column("task")
        for round_ in accuracy.columns:
            table.add_column(f"round {round_}", justify="right")
        for task, row in accuracy.iterrows():
            table.add_row(str(task), *(f"{value:.3f}" for value in row))
        if len(accuracy) > 1:
            table.add_section()
            table.add_row("average", *(f"{value:.3f}" for value in accuracy.mean()))
        console.print(table)
    console.print(_costs(run))
    for sentence in [*starvation(run.rounds), *divergence(run.table("rounds"))]:
        console.print(sentence, highlight=False)
    manifest = run.manifest
    console.print(
        f"{manifest['wall_s']:.1f} s of wall time, {manifest['outside_learner_share']:.1%} of it "
        f"outside the learner (set-up before it: {manifest['setup_wall_s']:.1f} s)",
        highlight=False,
    )
    console.print(f"traces: {run.directory}", highlight=False, soft_wrap=True)


def accuracy_by_task(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Mean over devices of each task's headline metric: a row a task, a column a round."""
    headline = evaluations[evaluations["metric"].isin(HEADLINE_METRICS)]
    if headline.empty:
        return pd.DataFrame()
    order = list(dict.fromkeys(headline["task"]))
    return headline.pivot_table(index="task", columns="round", values="value").loc[order]


def starvation(rounds: pd.DataFrame) -> list[str]:
    """Sentences about devices that expected updates and never received one."""
    by_device = rounds.groupby("device")[["received", "missed"]].sum()
    starved = by_device[(by_device["received"] == 0) & (by_device["missed"] > 0)]
    if starved.empty:
        return []
    names = ", ".join(str(device) for device in starved.index)
    return [f"never received an update: device {names}"]


def divergence(rounds: pa.Table) -> list[str]:
    """Sentences about devices whose training loss stopped being a number.

    Read from the arrow table, which keeps NaN apart from a loss that was never computed.
    """
    seen: dict[int, int] = {}
    columns = (rounds[name].to_pylist() for name in ("device", "round", "loss"))
    for device, round_, loss in zip(*columns, strict=True):
        if loss is not None and not math.isfinite(loss):
            seen.setdefault(device, round_)
    return [
        f"diverged: device {device} has no finite loss from round {round_} on"
        for device, round_ in sorted(seen.items())
    ]


def _costs(run: Run) -> Table:
    rounds, transfers = run.rounds, run.transfers
    table = Table(show_header=False, title=None)
    table.add_column()
    table.add_column(justify="right")
    if not rounds.empty:
        table.add_row("simulated time", f"{rounds['end_s'].max():.2f} s")
        for kind in ("compute", "tx", "rx", "idle"):
            table.add_row(f"energy {kind}", f"{rounds[f'energy_{kind}_j'].sum():.1f} J")
    table.add_row("bits on the air", f"{transfers['delivered_bits'].sum() / 1e6:.1f} Mbit")
    counts = transfers["outcome"].value_counts()
    for outcome, count in counts.items():
        table.add_row(f"transfers {outcome}", str(count))
    return table
