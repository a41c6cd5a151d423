"""The course of one run: what it reached and what it had cost by then, as tidy tables."""

from __future__ import annotations

from typing import Literal, TypeAlias

import pandas as pd

from cosim.comparison.figures import evaluated_rounds, headline
from cosim.trace.reader import Run

# What a row of costs is of.
Per: TypeAlias = Literal["round", "device"]
_ENERGIES = ("energy_compute_j", "energy_tx_j", "energy_rx_j", "energy_idle_j")
_TIMES = ("compute_s", "send_s", "wait_s", "off_s")
_COUNTS = ("received", "stale", "missed", "silent")


def accuracy_course(run: Run) -> pd.DataFrame:
    """A row a scored round and task: what the devices reached, and what all had spent by then.

    round, task: which. time_s: when the last device was scored. energy_j, bits: of all devices up
    to and with that round, bits as they were put on the air. mean, std: of the accuracy over the
    devices, std NaN for one. devices: how many were scored. Empty where nothing was learnt.
    """
    points = evaluated_rounds(run)
    points["bits"] = points["mbit"] * 1e6
    by_task = headline(run).groupby(["round", "task"], sort=False)["value"]
    table = by_task.agg(["mean", "std", "count"]).rename(columns={"count": "devices"})
    course = table.reset_index().merge(points, on="round")
    ordered = ["round", "time_s", "energy_j", "bits", "task", "mean", "std", "devices"]
    return _with_units(course[ordered])


def cost_course(run: Run, per: Per = "round") -> pd.DataFrame:
    """A row a round, or a device: what it cost, and how many updates came in time.

    time_s: of a round, its end; of a device, of its last one. Seconds are device-seconds, summed.
    energy_j: the four kinds together. bits: put on the air. received, stale, missed, silent: counts
    of updates. Nothing is cumulated; `cumsum` does it.
    """
    groups = run.rounds.groupby(per)
    summed = groups[[*_TIMES, *_ENERGIES, "bits_sent", *_COUNTS]].sum()
    summed.insert(0, "time_s", groups["end_s"].max())
    summed.insert(1, "energy_j", summed[list(_ENERGIES)].sum(axis=1))
    return _with_units(summed.rename(columns={"bits_sent": "bits"}).reset_index())


def _with_units(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with the unit of each column, by the ends of their names or as counted."""
    ends = {"_s": "s", "_j": "J", "bits": "bit"}
    frame.attrs["units"] = {
        str(name): next((unit for end, unit in ends.items() if str(name).endswith(end)), "1")
        for name in frame.columns
    }
    return frame
