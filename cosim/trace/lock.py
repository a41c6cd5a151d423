"""Who is writing a run directory: one process at a time, by its id and when it was started."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

from cosim.errors import RunDirectoryError

LOCK_FILE = ".lock"
# Clocks that are set right shift every start by a little.
_SAME_START_S = 2.0


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Holds a run directory inside the block.

    A lock whose owner is gone, or whose id belongs to a process that was started at another time,
    is stale and taken over. Raises RunDirectoryError where the owner lives.
    """
    path = directory / LOCK_FILE
    try:
        _take(path)
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def break_lock(directory: Path) -> None:
    """Gives a run directory free whose process is known to be gone, on whichever machine."""
    (directory / LOCK_FILE).unlink(missing_ok=True)


def _take(path: Path) -> None:
    import fcntl

    while True:
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # for the moment of looking and writing alone
            if not _is(path, file):
                continue  # the owner before has just removed it
            file.seek(0)
            if (told := _living_owner(file.read())) is not None:
                raise RunDirectoryError(f"{path.parent} is being written by {told}.")
            file.truncate(0)
            file.write(json.dumps(_me()))
            file.flush()
            os.fsync(file.fileno())
            return


def _me() -> dict[str, Any]:
    own = psutil.Process()
    return {"pid": own.pid, "started_s": own.create_time(), "host": platform.node()}


def _living_owner(text: str) -> str | None:
    """Who holds a lock, in words; None where nobody does any more."""
    try:
        owner = json.loads(text)
        pid, started_s, host = int(owner["pid"]), float(owner["started_s"]), str(owner["host"])
    except (ValueError, KeyError, TypeError):
        return None  # new, or its writer died over it
    if host != platform.node():
        return (
            f"process {pid} on {host}, as its {LOCK_FILE} says; delete that file if you know the "
            "process to be gone"
        )
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started_s) < _SAME_START_S
        alive = same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return f"process {pid}, which is still at work" if alive else None


def _is(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
