"""Gives every run a directory of its own: claimed once, never shared, never overwritten."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from cosim.errors import RunDirectoryError
from cosim.trace.files import ADAPTERS, PARTS, compacted_file, refuse_unspeakable
from cosim.trace.schema import EVERY_SCHEMA


def claim_run_directory(out: Path | None, *, name: str, root: Path = Path("runs")) -> Path:
    """Create and claim the directory of one run.

    Without `out` it is `root/<name>-001`, or the number after the largest one taken; in the name
    everything outside A-Z a-z 0-9 . _ - becomes a hyphen. With `out` it is exactly that path,
    new or empty. Raises RunDirectoryError for a path that holds something or cannot be made.
    """
    target = root if out is None else out
    refuse_unspeakable(target)
    _refuse_unreachable(target)
    return _claim_next(name, root) if out is None else _claim_exactly(target)


# What the longest paths in a run's directory add to it, about.
_LONGEST_NAME = f"positions/000001.parquet{40 * 'x'}"


@contextmanager
def explain_full_disk(directory: Path, goes_on: str) -> Iterator[None]:
    """Makes one sentence of a disk that is full; what was written before stays readable.

    goes_on: the command that goes on where there is room again.

    Raises RunDirectoryError where a device or a quota has no room left.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise RunDirectoryError(
            f"{directory}: no room is left to write to. The traces so far can be read; where there "
            f"is room again, go on with: {goes_on}"
        ) from error


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def clear_results(directory: Path) -> None:
    """Removes what a run has found so far, for a run that finds it again."""
    shutil.rmtree(directory / ADAPTERS, ignore_errors=True)
    for table in EVERY_SCHEMA:
        compacted_file(directory, table).unlink(missing_ok=True)
    shutil.rmtree(directory / PARTS, ignore_errors=True)


def _claim_next(name: str, root: Path) -> Path:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    _make_folder(root)
    numbers = [
        int(match[1])
        for entry in _entries(root)
        if (match := re.fullmatch(rf"{re.escape(stem)}-([0-9]+)", entry.name))
    ]
    for number in count(max(numbers, default=0) + 1):
        directory = root / f"{stem}-{number:03d}"
        try:
            directory.mkdir()
        except FileExistsError:
            continue  # another process was faster
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            (directory / PARTS).mkdir()
        except OSError as error:
            directory.rmdir()
            raise _unusable(directory, error) from error
        return directory
    raise AssertionError("the numbers are endless")


def _claim_exactly(directory: Path) -> Path:
    _make_folder(directory)
    names = sorted(entry.name for entry in _entries(directory))
    if not names:
        try:
            # Two runs may both have found the directory empty: making this folder decides.
            (directory / PARTS).mkdir()
            return directory
        except FileExistsError:
            names = [PARTS]
        except OSError as error:
            raise _unusable(directory, error) from error
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    raise RunDirectoryError(
        f"{directory} already holds {listed}; a run never overwrites: name a new directory."
    )


def _refuse_unreachable(directory: Path) -> None:
    """Refuses a directory whose run's files would have too long paths, before anything is made."""
    try:
        os.lstat(directory.absolute() / PARTS / _LONGEST_NAME)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise _unusable(directory, error) from error


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise _unusable(folder, error) from error


def _make_folder(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not os.path.lexists(parent)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        for parent in missing:  # from the innermost outwards
            with suppress(OSError):
                parent.rmdir()
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise RunDirectoryError(
                f"{folder} cannot hold a run: it is, or lies under, a file; name a directory."
            ) from error
        raise _unusable(folder, error) from error


def _unusable(directory: Path, error: OSError | ValueError) -> RunDirectoryError:
    reason = str(getattr(error, "strerror", None) or error).lower()
    return RunDirectoryError(f"{directory} cannot hold a run: {reason}; name another directory.")
