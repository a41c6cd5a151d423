"""Who is writing a run directory: one process at a time, by its id and when it was started."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from cosim.errors import RunDirectoryError

LOCK_FILE = ".lock"
# Where starts are only known by the clock, which may be set right: they shift by a little.
_SAME_START_S = 2.0


@contextmanager
def held(directory: Path, name: str = LOCK_FILE) -> Iterator[None]:
    """Holds a run directory inside the block, by a file that names the process.

    A lock whose owner is gone, or whose id belongs to a process that was started at another time,
    is stale and taken over. Raises RunDirectoryError where the owner lives.
    """
    path, claim = directory / name, json.dumps(_me())
    try:
        _take(path, claim)
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        if _text(path) == claim:  # and not somebody else's, who was told that this process is gone
            path.unlink(missing_ok=True)


def holder(directory: Path) -> str | None:
    """The process that holds a run directory, in words; None where none does, or none any more."""
    text = _text(directory / LOCK_FILE)
    return None if text is None else _living_owner(text, LOCK_FILE)


def break_lock(directory: Path) -> None:
    """Gives a run directory free whose process is known to be gone, on whichever machine."""
    (directory / LOCK_FILE).unlink(missing_ok=True)


def _take(path: Path, claim: str) -> None:
    with _alone(path.parent) as alone:
        while True:
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                _clear_stale(path, alone)
                continue
            try:
                os.write(file, claim.encode())
                os.fsync(file)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            finally:
                os.close(file)
            return


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Keeps other processes from looking at a directory's lock inside the block.

    False where the file system knows no flock (Lustre by default, some NFS): then nothing but the
    creation of the lock's file decides.
    """
    import fcntl

    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _clear_stale(path: Path, alone: bool) -> None:
    """Removes a lock that nobody holds; RunDirectoryError where somebody does."""
    text = _text(path)
    if text is None:
        return
    if (owner := _living_owner(text, path.name)) is not None:
        raise RunDirectoryError(f"{path.parent} is being written by {owner}.")
    if alone:
        path.unlink(missing_ok=True)
    elif not text:
        raise RunDirectoryError(
            f"{path} does not say which process holds {path.parent}; delete that file if none does."
        )
    else:
        # Another process may have found the same: what is removed is what was looked at, or it is
        # put back.
        aside = path.with_name(f"{path.name}.{platform.node()}-{os.getpid()}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        if _text(aside) == text:
            aside.unlink()
        else:
            aside.rename(path)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _me() -> dict[str, Any]:
    process = psutil.Process()
    birth = {"pid": process.pid, "started_s": process.create_time(), "host": platform.node()}
    return birth | ({"since_boot": since} if (since := _since_boot(process.pid)) else {})


def _since_boot(pid: int) -> str | None:
    """When a process was started, by the boot and the kernel's ticks since: no setting of the clock
    moves that. None where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may hold blanks; the 22nd field is the 20th after it.
    return f"{boot} {stat.rpartition(')')[2].split()[19]}"


def _living_owner(text: str, name: str) -> str | None:
    """Who holds a lock of that name, in words; None where nobody does any more."""
    try:
        owner = json.loads(text)
        pid, started_s, host = int(owner["pid"]), float(owner["started_s"]), str(owner["host"])
    except (ValueError, KeyError, TypeError):
        return None  # new, or its writer died over it
    if host != platform.node():
        return (
            f"process {pid} on {host}, as its {name} says; delete that file if you know the "
            "process to be gone"
        )
    try:
        process = psutil.Process(pid)
        since = _since_boot(pid) if "since_boot" in owner else None
        if since is not None:
            same = since == owner["since_boot"]
        else:
            same = abs(process.create_time() - started_s) < _SAME_START_S
        alive = same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:  # another user's
        alive = True
    return f"process {pid}, which is still at work" if alive else None
