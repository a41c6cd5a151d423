"""What lies where a run of a sweep belongs, and whether it still has to be played."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from threading import Event

from cosim.errors import CosimError, RunDirectoryError, ScenarioError
from cosim.scenario.load import load
from cosim.scenario.model import WHO_COMPUTES, Scenario
from cosim.scenario.reading.differences import Difference, differences
from cosim.trace.files import CHECKPOINTS, PARTS
from cosim.trace.lock import LOCK_FILE, held, holder
from cosim.trace.manifest import MANIFEST_FILE, Status, read_manifest
from cosim.trace.reader import SCENARIO_FILE

# What is written where a run failed before it had traces.
ERROR_FILE = "error.txt"

_SHOWN = 3
# A worker whose sweep was killed writes its traces and ends; looked at ten times a second.
_PATIENCE, _LOOK_S = 150, 0.1


class State(StrEnum):
    """A state is how far the run of one point is."""

    PENDING = "pending"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Standing:
    """A standing is how one directory is.

    state: how far the run in it is.
    note: what is there, in words, where it is neither pending nor completed; else None.
    seconds: wall time of a run that its manifest calls completed; None of others, or where that
        does not say.
    """

    state: State
    note: str | None = None
    seconds: float | None = None

    @property
    def to_play(self) -> bool:
        """Whether the point has to be played, what is there moved aside."""
        return self.state not in (State.COMPLETED, State.DIFFERS)


def look(directory: Path, scenario: Scenario) -> Standing:
    """What is at a point's directory, which is left as it is.

    A run is completed when its manifest says so and its scenario is the one that would be played;
    one that played another scenario `differs`, and is never touched.
    """
    if not directory.exists():
        return Standing(State.PENDING)
    if not directory.is_dir():
        return Standing(State.DIFFERS, "a file has this name")
    if not (directory / MANIFEST_FILE).is_file():
        names = sorted(entry.name for entry in directory.iterdir())
        foreign = [
            name for name in names if name not in (PARTS, SCENARIO_FILE, ERROR_FILE, LOCK_FILE)
        ]
        if foreign:
            return Standing(State.DIFFERS, f"the directory holds '{foreign[0]}' and no run")
        return Standing(State.FAILED, "it ended before its first event") if names else _PENDING
    try:
        manifest = read_manifest(directory)
    except RunDirectoryError as error:
        return Standing(State.FAILED, str(error))
    status = manifest.get("status")
    if status != Status.COMPLETED:
        state = (
            State.INTERRUPTED if status in (Status.INTERRUPTED, Status.RUNNING) else State.FAILED
        )
        return Standing(state, f"its manifest says '{status}'")
    return _compared(directory, scenario, seconds_of(manifest))


def goes_on(directory: Path, scenario: Scenario, state: State) -> bool:
    """Whether an interrupted run of this very scenario has a checkpoint to go on from."""
    checkpoints = (directory / CHECKPOINTS).glob("*.json")
    if state is not State.INTERRUPTED or not any(checkpoints):
        return False
    try:
        return not _differences(load(directory / SCENARIO_FILE), scenario)
    except CosimError:
        return False


def seconds_of(manifest: dict[str, object]) -> float | None:
    """Wall time of a run, its set-up included; None where its manifest does not say."""
    parts = [manifest.get("setup_wall_s"), manifest.get("wall_s")]
    seconds = [float(part) for part in parts if isinstance(part, int | float)]
    return sum(seconds) if len(seconds) == len(parts) else None


def move_aside(directory: Path, state: State) -> Path | None:
    """Renames what is left of an earlier attempt; None where there is nothing.

    `<name>` becomes `<name>.failed-1`, or the next free number. Raises RunDirectoryError where a
    process is writing it, which would go on in the directory of its successor.
    """
    if not directory.exists() or not any(directory.iterdir()):
        return None
    with held(directory):
        for number in count(1):
            aside = directory.with_name(f"{directory.name}.{state}-{number}")
            if not aside.exists():
                directory.rename(aside)
                (aside / LOCK_FILE).unlink(missing_ok=True)
                return aside
    raise AssertionError("the numbers are endless")


def make_way(directory: Path, scenario: Scenario, state: State) -> bool:
    """Whether what is left of an earlier attempt is to be resumed; moves it aside where not.

    Waits a while for a process that is still writing it; raises RunDirectoryError where it stays.
    """
    patience = _PATIENCE
    while patience and holder(directory) is not None:
        Event().wait(_LOOK_S)
        patience -= 1
    if patience < _PATIENCE:
        state = look(directory, scenario).state
    if (owner := holder(directory)) is not None:
        raise RunDirectoryError(f"{directory} is being written by {owner}.")
    resumed = goes_on(directory, scenario, state)
    if not resumed:
        move_aside(directory, state)
    return resumed


_PENDING = Standing(State.PENDING)


def _compared(directory: Path, scenario: Scenario, seconds: float | None) -> Standing:
    path = directory / SCENARIO_FILE
    try:
        former = load(path)
    except ScenarioError as error:
        return Standing(State.DIFFERS, f"its scenario cannot be read any more: {error}")
    except CosimError as error:
        return Standing(State.DIFFERS, str(error))
    changes = _differences(former, scenario)
    if not changes:
        return Standing(State.COMPLETED, seconds=seconds)
    words = [str(change) for change in changes[:_SHOWN]]
    words += [f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
    return Standing(State.DIFFERS, "it played another scenario: " + "; ".join(words), seconds)


def _differences(former: Scenario, scenario: Scenario) -> list[Difference]:
    """Where two scenarios differ in what a trace depends on."""
    candidates = differences(former.model_dump(mode="json"), scenario.model_dump(mode="json"))
    return [difference for difference in candidates if difference.path not in WHO_COMPUTES]
