"""Where modules are imported from: not from the current directory, which may hold anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PYTHONSAFEPATH"


def leave_current_directory() -> None:
    """Takes the current directory from the module path, where `python -m` puts it first.

    Where cosim itself was found there, it stays, behind everything else.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # it has been removed, and holds nothing
        return
    if sys.flags.safe_path or not sys.path or os.path.realpath(sys.path[0] or folder) != folder:
        return
    del sys.path[0]
    if Path(__file__).resolve().parent.parent == Path(folder).resolve():
        sys.path.append(folder)


@contextmanager
def safe_path() -> Iterator[None]:
    """Processes that are started inside the block do not look for modules in the current
    directory: a `socket.py` there would be taken for Python's."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
