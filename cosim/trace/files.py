"""Where a run's tables lie, and how a file is written so that nobody ever sees half of it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import RunDirectoryError

PARTS = "parts"
# What the devices of a completed run have learnt; no table, and no part of the results' hash.
ADAPTERS = "adapters"
# What a run that has not ended goes on from.
CHECKPOINTS = "checkpoint"


def refuse_unspeakable(directory: Path) -> None:
    """Raises RunDirectoryError for a path that is not UTF-8 text, which Parquet files need."""
    where = str(directory.absolute())
    named = os.fsencode(where)
    if where.encode("utf-8", "surrogatepass") == named:
        return
    shown = named.decode("utf-8", "backslashreplace")
    if shown.encode() == named:
        raise RunDirectoryError(
            f"{shown}: file names are read as {sys.getfilesystemencoding()} here, by the locale, "
            "and Parquet files need UTF-8; set PYTHONUTF8=1, or LC_ALL=C.UTF-8."
        )
    raise RunDirectoryError(
        f"{shown}: the name of a directory in this path is not UTF-8 text, which Parquet files "
        "need; rename it, or name another directory with --out."
    )


def compacted_file(directory: Path, table: str) -> Path:
    """The single file of a table, which exists once the trace is closed.

    Absolute, because pyarrow reads a relative path such as `a:b` as the address of a store.
    """
    return directory.absolute() / f"{table}.parquet"


def part_files(directory: Path, table: str) -> list[Path]:
    """The complete parts of a table, oldest first; what a crash left half-written is not one."""
    parts = (directory.absolute() / PARTS / table).glob("[0-9]*.parquet")
    return sorted(parts, key=lambda part: int(part.stem))


def table_files(directory: Path, table: str) -> list[Path]:
    """The files that together hold a table: the compacted one, or else the parts in order.

    During compaction both exist; the compacted file is then complete and the parts repeat it.
    """
    compacted = compacted_file(directory, table)
    return [compacted] if compacted.exists() else part_files(directory, table)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose file becomes `path` at once, on disk, when the block succeeds.

    The temporary name starts with a dot, so that dataset readers pass over one left by a crash.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The new name is an entry of the directory: without this a power cut may forget the rename.
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
