"""The closing summary of a run, read back from its traces."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from cosim.cli.accuracy_table import accuracy_by_task, accuracy_table
from cosim.trace.files import ADAPTERS
from cosim.trace.reader import Run
from cosim.trace.schema import Cause, EventKind, TransferOutcome

# A run is under way before its summary needs pandas.
if TYPE_CHECKING:
    import pandas as pd

_NAMED = 12
# Phases of the host's time, and what is told as more than 0.0 s.
_LONGEST = 3
_LEAST_S = 0.05


def print_summary(run: Run, console: Console) -> None:
    """Accuracy by task, cost by kind, what was missed, and where the run lies."""
    accuracy = accuracy_by_task(run.evaluations)
    if not accuracy.empty:
        console.print(accuracy_table(run.manifest["name"], accuracy, console.width))
    console.print(_costs(run))
    sentences = [
        *(f"warning: {sentence}" for sentence in run.manifest.get("warnings", ())),
        *starvation(run.rounds),
        *isolation(run.topology, exchanges=run.manifest.get("joins_devices", True)),
        *ending(run.rounds, run.manifest.get("rounds")),
        *departures(run.events),
        *divergence(run.table("rounds")),
    ]
    for sentence in sentences:
        console.print(sentence, highlight=False)
    manifest = run.manifest
    console.print(
        f"{manifest['wall_s']:.1f} s of wall time, {manifest['outside_learner_share']:.1%} of it "
        f"outside the learner (set-up before it: {manifest['setup_wall_s']:.1f} s)",
        highlight=False,
    )
    if longest := longest_phases(manifest):
        console.print(f"most of it: {longest}", highlight=False)
    console.print(f"traces: {run.directory}", highlight=False, soft_wrap=True)
    first, *others = next_commands(run, scored=not accuracy.empty)
    for word, command in [("next:", first), *(("  or:", other) for other in others)]:
        console.print(f"{word} {command}", highlight=False, soft_wrap=True)


def next_commands(run: Run, *, scored: bool) -> list[str]:
    """What one may do with a run: look at it, draw it, and ask a device where it has kept any.

    scored: whether it has an accuracy to draw.
    """
    named = shlex.quote(str(run.directory))
    found = [f"cosim report {named}", f"cosim plot {named} {'accuracy' if scored else 'rounds'}"]
    if scored and (run.directory / ADAPTERS).is_dir():
        found.append(f"cosim ask {named} --device 0 TEXT")
    return found


def longest_phases(manifest: Mapping[str, Any]) -> str:
    """The phases that took most of a run's wall time, in words; empty where none took long."""
    walls_s = {name: taken["wall_s"] for name, taken in manifest.get("phases", {}).items()}
    longest = sorted(walls_s, key=lambda name: -walls_s[name])[:_LONGEST]
    told = [name for name in longest if walls_s[name] >= _LEAST_S]
    return ", ".join(f"{name} {walls_s[name]:.1f} s" for name in told)


def starvation(rounds: pd.DataFrame) -> list[str]:
    """Sentences about devices that expected updates and never received one."""
    by_device = rounds.groupby("device")[["received", "stale", "missed"]].sum()
    receptions = by_device["received"] + by_device["stale"]
    starved = by_device[(receptions == 0) & (by_device["missed"] > 0)]
    return [f"never received an update: {_devices(starved.index)}"] if len(starved) else []


def isolation(topology: pd.DataFrame, *, exchanges: bool = True) -> list[str]:
    """Sentences about devices that had nobody to exchange with, where the method exchanges."""
    alone = topology["cluster_size"] == 1
    if not exchanges or not alone.any():
        return []
    rounds = topology[alone].groupby("device")["round"].nunique()
    all_of_theirs = topology.groupby("device")["round"].nunique().loc[rounds.index]
    always = rounds.index[rounds == all_of_theirs]
    sentences = [f"isolated in every round: {_devices(always)}"] if len(always) else []
    sometimes = rounds.index.difference(always)
    if len(sometimes):
        sentences.append(
            f"isolated in some rounds, {int(rounds.loc[sometimes].sum())} in all: "
            f"{_devices(sometimes)}"
        )
    return sentences


def ending(rounds: pd.DataFrame, total: int | None) -> list[str]:
    """A sentence about a run that ended before its last round, because every device was gone."""
    last = int(rounds["round"].max()) if len(rounds) else 0
    if total is None or last >= total:
        return []
    return [f"ended after round {last} of {total}"]


def departures(events: pd.DataFrame) -> list[str]:
    """Sentences about devices that were switched off: out of power, or away and back."""
    sentences = []
    # Who is away at the very start has not been there yet.
    exits = events[(events["kind"] == EventKind.LEAVE) & (events["time_s"] > 0)]
    empty = exits[exits["cause"] == Cause.BATTERY_EMPTY]
    if len(empty):
        sentences.append(
            f"out of power: {_devices(empty['device'])}, the first at {empty['time_s'].min():.2f} s"
        )
    away = exits[exits["cause"] == Cause.AVAILABILITY]
    if len(away):
        times = "once" if len(away) == 1 else f"{len(away)} times"
        sentences.append(f"left {times}: {_devices(sorted(away['device'].unique()))}")
    quarantined = events[events["kind"] == EventKind.QUARANTINE]
    if len(quarantined):
        sentences.append(
            f"updates quarantined: {len(quarantined)}, of "
            f"{_devices(sorted(quarantined['device'].unique()))}"
        )
    cut_rounds = int((events["kind"] == EventKind.CUT_OFF).sum())
    if cut_rounds:
        sentences.append(f"rounds lost by devices that were cut off: {cut_rounds}")
    return sentences


def _devices(ids: Iterable[Any]) -> str:
    """'device 1', 'devices 1, 2', and not more than a line of them."""
    names = [str(device) for device in ids]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"device{'s' if len(names) > 1 else ''} {', '.join(names[:_NAMED])}{more}"


def divergence(rounds: pa.Table) -> list[str]:
    """Sentences about devices whose training loss stopped being a number.

    Read from the arrow table, which keeps NaN apart from a loss that was never computed.
    """
    first_rounds: dict[int, int] = {}
    columns = (rounds[name].to_pylist() for name in ("device", "round", "loss"))
    for device, round_, loss in zip(*columns, strict=True):
        if loss is not None and not math.isfinite(loss):
            first_rounds.setdefault(device, round_)
    return [
        f"diverged: device {device} has no finite loss from round {round_} on"
        for device, round_ in sorted(first_rounds.items())
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
    table.add_row("bits on the air", f"{transfers['sent_bits'].sum() / 1e6:.1f} Mbit")
    for outcome in TransferOutcome:
        count = int((transfers["outcome"] == outcome).sum())
        if count:
            share = f"{count} of {len(transfers)}, {count / len(transfers):.1%}"
            table.add_row(f"transfers {outcome}", share)
    once = transfers[
        transfers["packets_lost"].notna() & transfers["outcome"].eq(TransferOutcome.DELIVERED)
    ]
    if len(once):
        lost = 1 - once["delivered_bits"].sum() / once["bits"].sum()
        table.add_row("of their bits lost", f"{lost:.1%}")
    return table
