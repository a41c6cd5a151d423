"""Time: it never goes back, and nothing happens after the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

# By which column the rows of a table were written, one after the other.
_WRITTEN_BY = {
    "events": "time_s",
    "transfers": "end_s",
    "rounds": "end_s",
    "evaluations": "time_s",
    "positions": "time_s",
    "diagnostics": "time_s",
}
_SPANS = {"transfers": ("start_s", "end_s"), "rounds": ("start_s", "end_s")}


def check_time(run: Subject) -> Check:
    """Rows in the order of time, spans that do not end before they begin, all within the run."""
    usable = [table for table in _WRITTEN_BY if table in run.tables]
    if not usable:
        return Check("time", skipped="no table can be read")
    findings = [finding for table in usable for finding in _of_table(run, table)]
    rows = sum(len(run.tables[table]) for table in usable)
    return Check("time", f"{rows} rows in order", findings)


def _of_table(run: Subject, table: str) -> Iterator[Finding]:
    frame, column = run.tables[table], _WRITTEN_BY[table]
    file, times = f"{table}.parquet", frame[column].to_numpy()
    end = None if run.manifest is None else run.manifest.get("simulated_s")
    end_s = float(end) if isinstance(end, int | float) else np.inf
    for row in where(~((times >= 0.0) & (times <= end_s))):
        within = f"0 to the run's end at {written(end_s)}"
        yield Finding(file, column, within, written(times[row]), row)
    for row in where(np.diff(times, prepend=times[:1]) < 0.0):
        before = f"at least {written(times[row - 1])}, as in the row before"
        yield Finding(file, column, before, written(times[row]), row)
    if table in _SPANS:
        start, stop = (frame[name].to_numpy() for name in _SPANS[table])
        for row in where(~((start >= 0.0) & (start <= stop))):
            within = f"0 to end_s {written(stop[row])}"
            yield Finding(file, "start_s", within, written(start[row]), row)
