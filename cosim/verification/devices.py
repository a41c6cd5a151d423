"""Every row is about devices and rounds that the scenario has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cosim.scenario.model import Scenario
from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

_FILE = "devices.parquet"
_DEVICES = ("device", "src", "dst", "peer", "expert")
# Among the diagnostics a device's peer may be itself: its own expert.
_PAIRS = {"transfers": ("src", "dst"), "events": ("device", "peer")}


def check_devices(run: Subject) -> Check:
    """Each device has one row, which says of it what the scenario does; devices, peers and rounds
    of all tables exist, and nobody is its own peer."""
    if run.scenario is None:
        return Check("devices", skipped="scenario.yaml cannot be read")
    count, rounds = run.scenario.device_count, run.scenario.rounds
    findings: list[Finding] = []
    if "devices" in run.tables:
        findings += _listed(run.tables["devices"], count)
        if not findings:
            findings += _described(run, run.scenario)
    for table, frame in run.tables.items():
        findings += _bounded(f"{table}.parquet", frame, count, rounds)
        if table in _PAIRS:
            findings += _paired(f"{table}.parquet", frame, *_PAIRS[table])
    return Check("devices", f"{count} devices, {_played(run, rounds)}", findings)


def _played(run: Subject, total: int) -> str:
    """How many rounds were played of how many: fewer where a run was interrupted, or all left."""
    rows = run.tables.get("rounds")
    if rows is None:
        return f"{total} rounds"
    played = int(rows["round"].max()) if len(rows) else 0
    return f"{played} rounds" if played == total else f"{played} of {total} rounds"


def _listed(devices: pd.DataFrame, count: int) -> Iterator[Finding]:
    ids = devices["device"]
    for row in where(ids.duplicated()):
        yield Finding(_FILE, "device", "one row a device", f"{ids[row]} again", row)
    for device in sorted(set(range(count)) - set(ids)):
        yield Finding(_FILE, "device", f"a row for each of {count} devices", f"none for {device}")


def _described(run: Subject, scenario: Scenario) -> Iterator[Finding]:
    """Checks what a row says against its group, and the batteries of the rounds against its own."""
    groups = [(k, group) for k, group in enumerate(scenario.devices) for _ in range(group.count)]
    learns, masked = scenario.learning.model != "none", scenario.method.expansion.masked
    ranks = scenario.ranks if learns and scenario.method.projection.exists else None
    rounds = run.tables.get("rounds")
    charge_j = {} if rounds is None else rounds.groupby("device")["battery_j"].max()
    for row, device in enumerate(run.tables["devices"].to_dict("records")):
        if device["device"] >= len(groups):
            continue  # which is told with the other ids that there are not
        number, group = groups[device["device"]]
        density = scenario.adapter.density if group.density is None else group.density
        figures = {"group": {number}, "density": {density if masked else None}}
        figures["rank"] = {None if ranks is None else ranks[device["device"]]}
        figures["task"] = set(scenario.tasks) if learns else {None}
        if learns and group.tasks != "round_robin":
            figures["task"] = {group.tasks}
        if not learns:
            figures["training_rows"] = {None}
        if candidates := run.profiles[device["device"]]:
            figures["peak_flop_s"] = {profile.peak_flop_s for profile in candidates}
            figures["battery_j"] = {profile.battery_j for profile in candidates}
        for column, allowed in figures.items():
            value = None if pd.isna(device[column]) else device[column]
            if value not in allowed:
                words = " or ".join(
                    "null" if figure is None else written(figure) for figure in allowed
                )
                yield Finding(_FILE, column, words, written(device[column]), row)
        left_j = charge_j.get(device["device"], np.nan)
        if not pd.isna(left_j) and not left_j <= device["battery_j"]:
            expected = f"at least the {written(left_j)} left after a round"
            yield Finding(_FILE, "battery_j", expected, written(device["battery_j"]), row)


def _bounded(file: str, frame: pd.DataFrame, count: int, rounds: int) -> Iterator[Finding]:
    bounds = {**dict.fromkeys(_DEVICES, count - 1), "round": rounds}
    for column, last in bounds.items():
        if column in frame:
            values = frame[column]
            wrong = values.notna() & ~values.between(0, last)
            for row in where(wrong):
                value = written(values.iloc[row])
                yield Finding(file, column, f"one of 0 to {last}", value, row)


def _paired(file: str, frame: pd.DataFrame, column: str, other: str) -> Iterator[Finding]:
    for row in where(frame[column] == frame[other]):
        expected = f"another device than {column} {written(frame[column].iloc[row])}"
        yield Finding(file, other, expected, "the same", row)
