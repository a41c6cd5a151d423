"""A device's rows cover its time, without a gap and without an overlap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

_ROUNDS = "rounds.parquet"


def check_tiles(run: Subject) -> Check:
    """A device's rows begin at 0 and follow each other; what it did fills each of them."""
    if "rounds" not in run.tables:
        return Check("tiles", skipped=f"{_ROUNDS} cannot be used")
    rounds = run.tables["rounds"]
    findings: list[Finding] = []
    for _, of_device in rounds.groupby("device"):
        rows = of_device.index.tolist()
        start, end = of_device["start_s"].to_numpy(), of_device["end_s"].to_numpy()
        before = np.concatenate([[0.0], end[:-1]])
        for at in where(start != before):
            expected = f"{written(before[at])}, where the device's row before ends"
            findings.append(Finding(_ROUNDS, "start_s", expected, written(start[at]), rows[at]))
        numbers = of_device["round"].to_numpy()
        for at in where(np.diff(numbers, prepend=0) <= 0):
            expected = "at least 1, and more than the device's round before"
            findings.append(Finding(_ROUNDS, "round", expected, written(numbers[at]), rows[at]))
    findings += _filled(rounds)
    return Check("tiles", f"{rounds['device'].nunique()} devices' rows cover their time", findings)


def _filled(rounds: pd.DataFrame) -> Iterator[Finding]:
    end_s = rounds["end_s"].to_numpy()
    lasted = end_s - rounds["start_s"].to_numpy()
    slack = 1e-9 * lasted + 1e-12 * end_s
    columns = ("compute_s", "send_s", "wait_s", "off_s")
    compute, send, wait, off = (rounds[name].to_numpy() for name in columns)
    for name in columns:
        values = rounds[name].to_numpy()
        for row in where(~((values >= 0.0) & (values <= lasted + slack))):
            expected = f"0 to the row's {written(lasted[row])} s"
            yield Finding(_ROUNDS, name, expected, written(values[row]), row)
    rest = compute + wait + off
    # A device may send while it computes, so that the four may come to more than the time.
    for row in where(~((rest <= lasted + slack) & (rest + send >= lasted - slack))):
        what = "compute_s + wait_s + off_s, with send_s at least"
        sums_s = f"{written(rest[row])}, {written(rest[row] + send[row])}"
        yield Finding(_ROUNDS, what, f"the row's {written(lasted[row])} s", sums_s, row)
