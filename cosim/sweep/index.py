"""The index of a sweep: which directory holds which point, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import SweepError
from cosim.sweep.definition import Point, Sweep
from cosim.sweep.state import State
from cosim.trace.files import replacing

INDEX_FILE = "runs.parquet"
SWEEP_FILE = "sweep.yaml"
LOCK_FILE = ".lock"


@dataclass(frozen=True)
class Entry:
    """One run of the index; seconds of wall time, set-up included, where it ended by itself."""

    point: Point
    state: State
    seconds: float | None = None
    error: str | None = None


def write_index(directory: Path, sweep: Sweep, entries: Sequence[Entry]) -> None:
    """Replaces `runs.parquet`: the grid's paths, seed, directory, status, seconds, error.

    A grid path whose values are all numbers, all texts or all truth values keeps their type;
    in others, what is not text is stored as JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {}
    for path, values in sweep.grid.items():
        held = [entry.point.values[path] for entry in entries]
        kind = _type(values)
        if kind is None:
            held, kind = [_text(value) for value in held], pa.string()
        columns[path] = pa.array(held, kind)
    columns["seed"] = pa.array([entry.point.seed for entry in entries], pa.int64())
    columns["directory"] = pa.array([entry.point.name for entry in entries], pa.string())
    columns["status"] = pa.array([str(entry.state) for entry in entries], pa.string())
    columns["seconds"] = pa.array([entry.seconds for entry in entries], pa.float64())
    columns["error"] = pa.array([entry.error for entry in entries], pa.string())
    with replacing(directory / INDEX_FILE) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _type(values: Sequence[Any]) -> Any:
    """The column type that holds all values as they are; None where there is none."""
    import pyarrow as pa

    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {str}:
        return pa.string()
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return pa.int64()
    return pa.float64() if kinds in ({float}, {int, float}) else None


def completed_runs(directory: Path) -> tuple[list[Path], Mapping[str, str]]:
    """The directories of a sweep's completed runs, and the states of the others by name.

    Raises SweepError where the directory has no readable index.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = directory.absolute() / INDEX_FILE
    try:
        with pq.ParquetFile(path) as source:
            there = source.schema_arrow.names
            if missing := [name for name in ("directory", "status") if name not in there]:
                raise SweepError(f"{path} is no index of a sweep: it lacks {missing[0]!r}.")
            rows = source.read(columns=["directory", "status"]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise SweepError(f"{path} is not a readable index of a sweep: {error}.") from error
    done = [directory / row["directory"] for row in rows if row["status"] == State.COMPLETED]
    others = {r["directory"]: r["status"] for r in rows if r["status"] != State.COMPLETED}
    return done, others


def is_sweep(directory: Path) -> bool:
    """Whether a directory is that of a sweep."""
    return os.path.isfile(directory / INDEX_FILE)


@contextmanager
def holding(directory: Path, sweep: Sweep) -> Iterator[None]:
    """The sweep's directory, made if need be and held by this process alone.

    Raises SweepError where another sweep is at work in it, or where it holds something else.
    """
    import fcntl

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SweepError(f"{directory} cannot be made: {error.strerror}.") from error
    known = (directory / SWEEP_FILE).exists()
    foreign = sorted(e.name for e in directory.iterdir() if not known and e.name != LOCK_FILE)
    if foreign:
        raise SweepError(
            f"{directory} holds '{foreign[0]}' and no {SWEEP_FILE}: it is not a sweep's; name "
            "a new directory with --out."
        )
    with (directory / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SweepError(f"{directory}: another sweep is at work in it.") from None
        with replacing(directory / SWEEP_FILE) as temporary:
            temporary.write_text(sweep.dump(), encoding="utf-8")
        yield
