"""The index of a sweep: which directory holds which point, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import RunDirectoryError, SweepError
from cosim.sweep.definition import Point, Sweep
from cosim.sweep.state import State
from cosim.trace.files import refuse_unspeakable, replacing
from cosim.trace.lock import held

INDEX_FILE = "runs.parquet"
SWEEP_FILE = "sweep.yaml"
LOCK_FILE = ".lock"
# Where the file system knows no flock.
OWNER_FILE = ".owner"


@dataclass(frozen=True)
class Entry:
    """An entry is one run of the index; seconds of wall time, set-up included, where it ended by
    itself."""

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
        cells = [entry.point.values[path] for entry in entries]
        kind = _type(values)
        if kind is None:
            cells, kind = [_text(value) for value in cells], pa.string()
        columns[path] = pa.array(cells, kind)
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
            names = source.schema_arrow.names
            if missing := [name for name in ("directory", "status") if name not in names]:
                raise SweepError(f"{path} is no index of a sweep: it lacks {missing[0]!r}.")
            rows = source.read(columns=["directory", "status"]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise SweepError(f"{path} is not a readable index of a sweep: {error}.") from error
    directories = [directory / row["directory"] for row in rows if row["status"] == State.COMPLETED]
    others = {r["directory"]: r["status"] for r in rows if r["status"] != State.COMPLETED}
    return directories, others


def is_sweep(directory: Path) -> bool:
    """Whether a directory is that of a sweep."""
    return os.path.isfile(directory / INDEX_FILE)


def refuse_foreign(directory: Path) -> None:
    """Raises SweepError where a directory cannot be a sweep's, or holds something else."""
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise SweepError(
            f"{directory} cannot be used: {reason}; name another with --out."
        ) from None
    foreign = [name for name in names if name not in (LOCK_FILE, OWNER_FILE)]
    if foreign and SWEEP_FILE not in names:
        raise SweepError(
            f"{directory} holds '{foreign[0]}' and no {SWEEP_FILE}: it is not a sweep's; name "
            "a new directory with --out."
        )


@contextmanager
def holding(directory: Path, sweep: Sweep) -> Iterator[None]:
    """The sweep's directory, made if need be and held by this process alone.

    Raises SweepError where another sweep is at work in it, or where it holds something else.
    """
    refuse_unspeakable(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SweepError(f"{directory} cannot be made: {reason}.") from error
    refuse_foreign(directory)
    with _locked(directory):
        with replacing(directory / SWEEP_FILE) as temporary:
            temporary.write_text(sweep.dump(), encoding="utf-8")
        yield


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """By flock, which ends with the process on whichever machine; where the file system has none,
    by a file that names the process."""
    import fcntl

    busy = f"{directory}: another sweep is at work in it"
    with ExitStack() as stack:
        try:
            lock = stack.enter_context((directory / LOCK_FILE).open("w"))
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise SweepError(f"{directory} cannot be written to: {reason}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepError(f"{busy}.") from None
        except OSError:
            try:
                stack.enter_context(held(directory, OWNER_FILE))
            except RunDirectoryError as error:
                raise SweepError(f"{busy}: {error}") from None
        yield
