"""Every row is about devices and rounds that the scenario has."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

_DEVICES = ("device", "src", "dst", "peer")
# Among the diagnostics a device's peer may be itself: its own expert.
_PAIRS = {"transfers": ("src", "dst"), "events": ("device", "peer")}


def check_devices(run: Subject) -> Check:
    """Devices, peers and rounds exist, and nobody is its own peer."""
    if run.scenario is None:
        return Check("devices", skipped="scenario.yaml cannot be read")
    count, rounds = run.scenario.device_count, run.scenario.rounds
    findings: list[Finding] = []
    for table, frame in run.tables.items():
        findings += _bounded(f"{table}.parquet", frame, count, rounds)
        if table in _PAIRS:
            findings += _paired(f"{table}.parquet", frame, *_PAIRS[table])
    return Check("devices", f"{count} devices, {rounds} rounds", findings)


def _bounded(file: str, frame: pd.DataFrame, count: int, rounds: int) -> Iterator[Finding]:
    bounds = {**dict.fromkeys(_DEVICES, count - 1), "round": rounds}
    for column, last in bounds.items():
        if column in frame:
            values = frame[column]
            wrong = values.notna() & ~values.between(0, last)
            for row in where(wrong):
                found = written(values.iloc[row])
                yield Finding(file, column, f"one of 0 to {last}", found, row)


def _paired(file: str, frame: pd.DataFrame, one: str, other: str) -> Iterator[Finding]:
    for row in where(frame[one] == frame[other]):
        expected = f"another device than {one} {written(frame[one].iloc[row])}"
        yield Finding(file, other, expected, "the same", row)
