"""The index of a sweep: which directory holds which point, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from cosim.errors import RunDirectoryError, SweepError
from cosim.sweeping.definition import Point, Sweep
from cosim.sweeping.results import NO_RESULTS, Results
from cosim.sweeping.state import State
from cosim.trace.files import refuse_unspeakable, replacing
from cosim.trace.lock import held

INDEX_FILE = "runs.parquet"
SWEEP_FILE = "sweep.yaml"
LOCK_FILE = ".lock"
# Where the file system knows no flock.
OWNER_FILE = ".owner"
# In the table's metadata: the keys whose values have been given names.
_NAMED = "cosim.named"
_RESULTS = tuple(one.name for one in fields(Results))


@dataclass(frozen=True)
class Entry:
    """An entry is one run of the index.

    point: that was to be played.
    state: how far its run is.
    seconds: of wall time, set-up included; None where it did not end by itself.
    error: why it failed, or what else there is to say of its state; None where nothing is.
    results: what it came to, where it is completed.
    """

    point: Point
    state: State
    seconds: float | None = None
    error: str | None = None
    results: Results = NO_RESULTS


def write_index(directory: Path, sweep: Sweep, entries: Sequence[Entry]) -> None:
    """Replaces `runs.parquet`: the grid's paths, seed, directory, label, status, seconds, results,
    error.

    A value that has been given a name is told by it, and the table's metadata list the keys of
    such values. Another grid path whose values are all
    numbers, all texts or all truth values keeps their type; in others, what is not text is stored
    as JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {}
    for track in sweep.tracks:
        path = track.key
        given = [entry.point.names.get(path, entry.point.values[path]) for entry in entries]
        cells: Sequence[Any] = given
        kind = _type(track.values if track.names is None else track.names)
        if kind is None:
            cells, kind = [_text(value) for value in cells], pa.string()
        columns[path] = pa.array(cells, kind)
    columns["seed"] = pa.array([entry.point.seed for entry in entries], pa.int64())
    columns["directory"] = pa.array([entry.point.name for entry in entries], pa.string())
    columns["label"] = pa.array([entry.point.label for entry in entries], pa.string())
    columns["status"] = pa.array([str(entry.state) for entry in entries], pa.string())
    columns["seconds"] = pa.array([entry.seconds for entry in entries], pa.float64())
    for name in _RESULTS:
        results = [getattr(entry.results, name) for entry in entries]
        columns[name] = pa.array(results, pa.float64())
    columns["error"] = pa.array([entry.error for entry in entries], pa.string())
    named = json.dumps([track.key for track in sweep.tracks if track.names is not None])
    table = pa.table(columns).replace_schema_metadata({_NAMED: named})
    with replacing(directory / INDEX_FILE) as temporary:
        pq.write_table(table, temporary)


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


def known_results(directory: Path) -> dict[tuple[str, float], Results]:
    """The results in a directory's index, by the run's name and its seconds, which no other play of
    it took to the same digit; empty where there is no index, or one without results."""
    wanted = ["directory", "status", "seconds", *_RESULTS]
    try:
        rows, _ = _rows(directory.absolute() / INDEX_FILE, wanted)
    except SweepError:
        return {}
    return {
        (row["directory"], row["seconds"]): Results(**{name: row[name] for name in _RESULTS})
        for row in rows
        if row["status"] == State.COMPLETED and row["energy_j"] is not None
    }


class Indexed(NamedTuple):
    """What is indexed is the runs of a sweep's directory.

    directories: of the completed runs.
    labels: what those of them are called whose points have been given names.
    names: what the values of those points are called, by key.
    others: the states of the runs that are not completed, by name.
    """

    directories: list[Path]
    labels: dict[Path, str]
    names: dict[Path, dict[str, str]]
    others: dict[str, str]


def completed_runs(directory: Path) -> Indexed:
    """What the index of a sweep's directory tells.

    Raises SweepError where the directory has no readable index.
    """
    rows, named = _rows(directory.absolute() / INDEX_FILE, ["directory", "status"], ["label"])
    completed = [row for row in rows if row["status"] == State.COMPLETED]
    called = [row for row in completed if row.get("label")]
    return Indexed(
        [directory / row["directory"] for row in completed],
        {directory / row["directory"]: row["label"] for row in called},
        {directory / row["directory"]: {key: row[key] for key in named} for row in called},
        {r["directory"]: r["status"] for r in rows if r["status"] != State.COMPLETED},
    )


def _rows(
    path: Path, columns: Sequence[str], if_there: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[str]]:
    """These columns and those whose values have been given names, and what the latter are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as source:
            names = source.schema_arrow.names
            if missing := [name for name in columns if name not in names]:
                raise SweepError(f"{path} is no index of a sweep: it lacks {missing[0]!r}.")
            metadata = source.schema_arrow.metadata or {}
            named: list[str] = json.loads(metadata.get(_NAMED.encode(), b"[]"))
            wanted = [*columns, *named, *(name for name in if_there if name in names)]
            return source.read(columns=wanted).to_pylist(), named
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).rstrip(".")
        raise SweepError(f"{path} is not a readable index of a sweep: {reason}.") from error


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
