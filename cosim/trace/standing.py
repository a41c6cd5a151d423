"""How a run stands: what its manifest says, unless its process was killed before it could."""

from __future__ import annotations

import shlex

from cosim.errors import RunDirectoryError
from cosim.trace.lock import holder
from cosim.trace.manifest import Status, read_manifest
from cosim.trace.reader import Run

STOPPED = "stopped"


def standing(run: Run) -> str:
    """The status of a run in a word; `stopped` of one that is running by its manifest, though no
    process writes it any more."""
    status = str(run.manifest.get("status", "?"))
    if status != Status.RUNNING or holder(run.directory) is not None:
        return status
    try:  # it may have ended since its manifest was read
        now = str(read_manifest(run.directory).get("status", "?"))
    except RunDirectoryError:
        return STOPPED
    return STOPPED if now == Status.RUNNING else now


def how_to_go_on(run: Run) -> str:
    """What goes on with a run that has stopped."""
    return (
        f"no process writes it any more; go on with: cosim resume {shlex.quote(str(run.directory))}"
    )
