"""Where fetched and converted models are kept, and what is said where that place is unusable."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import platformdirs

from cosim.errors import BaseModelError
from cosim.scenario.reading.paths import expanded

VARIABLE = "COSIM_CACHE"


def cache_directory() -> Path:
    """Where models are kept: `COSIM_CACHE`, or the user's cache directory.

    Raises BaseModelError where the user has no home.
    """
    if chosen := os.environ.get(VARIABLE):
        return expanded(chosen)
    folder = Path(platformdirs.user_cache_dir("cosim"))
    if not folder.is_absolute():  # "~" stays as it is where nobody knows whose it is
        raise BaseModelError(
            "there is no home directory to keep models in; set "
            f"{VARIABLE} to a directory that can be written to"
        )
    return folder


@contextmanager
def usable(cache: Path) -> Iterator[None]:
    """Makes one sentence of a cache that cannot be looked into or written to."""
    try:
        yield
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise BaseModelError(
            f"the cache of models, {cache}, cannot be used: {reason}; set {VARIABLE} to a "
            "directory that can be written to"
        ) from error


@contextmanager
def scratch_in(folder: Path, prefix: str) -> Iterator[Path]:
    """A new directory inside a cache, with the modes that the umask gives; gone afterwards.

    `tempfile` makes directories that nobody else may enter, and caches are shared.
    """
    for number in count():
        scratch = folder / f"{prefix}-{os.getpid()}-{number}"
        try:
            scratch.mkdir()
        except FileExistsError:
            continue
        break
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def give_common_modes(folder: Path) -> None:
    """Gives the files of a directory the mode of any new file; some writers make private ones."""
    probe = folder / ".mode"
    probe.touch()
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    for file in folder.rglob("*"):
        if file.is_file():
            with suppress(PermissionError):
                file.chmod(mode)
