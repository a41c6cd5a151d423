"""The adapters that a finished run has kept, and its devices by their numbers."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import ExportError
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.trace.files import ADAPTERS
from cosim.trace.manifest import Status
from cosim.trace.reader import SCENARIO_FILE, Run
from cosim.trace.standing import standing


def kept_adapters(run: Run) -> Path:
    """The folder of a completed run's adapters; raises ExportError, which says what to do."""
    if run.manifest.get("status") != Status.COMPLETED:
        raise ExportError(
            f"{run.directory} is {standing(run)}: adapters are written when a run is completed; "
            f"cosim resume {run.directory} goes on with it."
        )
    folder = run.directory / ADAPTERS
    if folder.is_dir():
        return folder
    if run.manifest.get("base_model") is None:
        raise ExportError(
            f"{run.directory} has no adapters: it played the network alone (learning: none)."
        )
    scenario = scenario_of(run)
    if scenario.method.expansion.every_parameter:
        why = f"its method, {scenario.method.name}, trains every parameter and has no adapter"
    elif not scenario.trace.adapters:
        why = "its scenario says trace.adapters: false; run it again with trace.adapters: true"
    else:
        why = "it was removed, or played before adapters were kept; run its scenario again"
    raise ExportError(f"{run.directory} has no {ADAPTERS}/: {why}.")


def scenario_of(run: Run) -> Scenario:
    """The scenario that a run was played with; raises `CosimError` where it cannot be read."""
    return load(run.directory / SCENARIO_FILE)


def refuse_unknown_device(run: Run, device: int, count: int) -> None:
    """Raises ExportError for a device that the run does not have."""
    last = count - 1
    if not 0 <= device <= last:
        raise ExportError(
            f"--device {device}: {run.directory} has the devices 0 to {last}; the nearest is "
            f"{min(max(device, 0), last)}."
        )
