"""Playing a scenario: set up, run the event loop, leave a complete run directory behind."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from cosim.errors import ResumeError, RunDirectoryError
from cosim.host.phases import Phase, Phases
from cosim.lifecycle.checkpoints import SPACING, Checkpoint, Checkpoints, newest
from cosim.lifecycle.interrupted import Interrupted as Interrupted
from cosim.lifecycle.journal import Journal
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.lifecycle.provenance import (
    kept,
    method_source,
    opening_manifest,
    origins,
    outside_origins,
    refuse_other_origins,
)
from cosim.lifecycle.timed_trace import ROWS_OF_A_PART, TimedTrace
from cosim.methods.outside import METHOD_FILE
from cosim.preflight.disk import disk_of, require_disk
from cosim.scenario.load import dump, load
from cosim.scenario.model import WHO_COMPUTES, Scenario
from cosim.scenario.origins import origins_of
from cosim.scenario.reading.differences import differences
from cosim.simulation.agreement import settled
from cosim.simulation.learner import OwnedLearner
from cosim.simulation.recorder import Observer
from cosim.simulation.rounds.schedule import play_out
from cosim.simulation.rows import device_rows
from cosim.simulation.setup.build import build_devices, build_learner, world_of
from cosim.simulation.setup.warnings import closing_warnings
from cosim.simulation.station import Device
from cosim.trace.content_hash import results_sha256
from cosim.trace.directory import claim_run_directory, clear_results, explain_full_disk
from cosim.trace.files import ADAPTERS, PARTS
from cosim.trace.lock import held
from cosim.trace.manifest import Status, read_manifest, write_manifest
from cosim.trace.reader import SCENARIO_FILE, read_run
from cosim.trace.schema import DeviceRow
from cosim.trace.writer import TraceWriter

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Played:
    """A played run is one that has come to its end.

    directory: where its traces are.
    manifest: what its manifest.json says.
    """

    directory: Path
    manifest: Mapping[str, Any]


def play(
    scenario: Scenario,
    out: Path | None = None,
    observers: Sequence[Observer] = (),
    *,
    spacing: float = SPACING,
) -> Played:
    """Plays a scenario to its end and returns its directory and manifest.

    spacing: the least time between two checkpoints, in times that one takes; 0 for all that can
    be. Raises `CosimError` before anything is simulated if the model, a task or the directory
    cannot be used, or has no room; the directory is then as it was. Ctrl-C leaves readable traces
    and a manifest that says `interrupted`, and raises `Interrupted`.
    """
    begun = perf_counter()
    found_empty = out is not None and os.path.exists(out)
    directory = claim_run_directory(out, name=scenario.name)
    # Held before the model is loaded, which takes a while: whoever finds the directory must know.
    with _given_back(directory, keep=found_empty) as claim, held(directory):
        final, _ = settled(scenario)
        learner = build_learner(final)
        devices = build_devices(scenario)
        require_disk(disk_of(scenario, learner, devices), directory)
        run = _Run(directory, scenario, final, devices, learner, observers, spacing)
        source = method_source(scenario)
        claim.used = True
        with explain_full_disk(directory, f"cosim resume {directory}"):
            if source is not None:
                (directory / METHOD_FILE).write_bytes(source)
            (directory / SCENARIO_FILE).write_text(dump(kept(scenario)), "utf-8")
            return run.play(begun)


def resume(
    directory: Path, observers: Sequence[Observer] = (), *, spacing: float = SPACING
) -> Played:
    """Goes on with a run that has not ended, from its last checkpoint, to the traces that it would
    have had.

    The run is played again from its start; what its learner answered until the checkpoint comes
    from the journal, and takes next to no time. Without a checkpoint it is played from its start
    as well, and learns from its start. Raises `CosimError` for a run that is completed, that
    another process is writing, or that began otherwise than it would go on; it is then as it was.
    """
    begun = perf_counter()
    read_run(directory)
    with held(directory), explain_full_disk(directory, f"cosim resume {directory}"):
        manifest = read_manifest(directory)
        if manifest.get("status") == Status.COMPLETED:
            raise RunDirectoryError(f"{directory} is completed: there is nothing to resume.")
        scenario = load(directory / SCENARIO_FILE)
        checkpoint = newest(directory)
        if checkpoint is not None:
            _refuse_other_scenario(directory, checkpoint, scenario)
        else:
            now = outside_origins(origins_of(scenario))
            refuse_other_origins(directory, outside_origins(manifest.get("outside")), now)
        final, _ = settled(scenario)
        learner = build_learner(final)
        if checkpoint is not None:
            now = origins(opening_manifest(scenario, learner), learner)
            refuse_other_origins(directory, checkpoint.index["origins"], now)
        times = int(manifest.get("resumed") or 0) + 1
        start = "its start: there is no checkpoint" if checkpoint is None else _start_of(checkpoint)
        _log.info("resuming %s from %s", directory, start)
        clear_results(directory)
        devices = build_devices(scenario)
        run = _Run(
            directory, scenario, final, devices, learner, observers, spacing, checkpoint, times
        )
        return run.play(begun)


class _Run:
    """A run that is set up: one world at time zero, one learner, one directory."""

    def __init__(
        self,
        directory: Path,
        scenario: Scenario,
        final: Scenario,
        devices: Sequence[Device],
        learner: OwnedLearner,
        observers: Sequence[Observer],
        spacing: float,
        checkpoint: Checkpoint | None = None,
        resumed: int = 0,
    ) -> None:
        self.directory, self.scenario, self.learner = directory, scenario, learner
        self.manifest = {**opening_manifest(scenario, learner, final), "resumed": resumed}
        alone, modelled = learner.base is None, cast("Any", learner)
        self.phases: Phases = Phases() if alone else modelled.calibrator.phases
        least_rows = ROWS_OF_A_PART if alone else 1
        self.trace = TimedTrace(TraceWriter(directory), self.phases, least_rows)
        self.checkpoints: Checkpoints | None = None
        self._past_cost: Mapping[str, Any] = {} if checkpoint is None else checkpoint.index["spent"]
        self._first_event = perf_counter()
        keeps = not alone and scenario.trace.checkpoints
        journal = _journal(checkpoint) if keeps else None
        self.journaled = JournaledLearner(learner, journal, None if alone else self.phases)
        if checkpoint is not None and keeps:
            self.journaled.put_back(checkpoint.index["learner"], checkpoint.tensors())
        self.world = world_of(final, devices, self.journaled.learner, self.trace, observers)
        self.manifest["warnings"] = self.world.warnings
        if keeps:
            self._keep(spacing, checkpoint)

    def _keep(self, spacing: float, checkpoint: Checkpoint | None) -> None:
        env = self.world.env
        self.journaled.simulated_s = lambda: float(env.now)
        self.checkpoints = Checkpoints(
            self.directory,
            self.journaled,
            _facts(self.scenario, self.manifest, self.learner),
            self._spent,
            clock=perf_counter,
            spacing=spacing,
            checkpoint=checkpoint,
        )
        self.journaled.at_rest = self._at_rest

    def _at_rest(self) -> None:
        assert self.checkpoints is not None
        with self.phases.during(Phase.CHECKPOINTS):
            self.checkpoints.consider()

    def _spent(self) -> dict[str, Any]:
        """Times since the first event, those before the checkpoint of a resumed run included."""
        now = {
            "wall_s": perf_counter() - self._first_event,
            "learner_wall_s": self.journaled.wall_s,
            "checkpoints_wall_s": 0.0 if self.checkpoints is None else self.checkpoints.wall_s,
        }
        past = self._past_cost
        return {
            **{name: time_s + past.get(name, 0.0) for name, time_s in now.items()},
            "phases": self.phases.so_far(past.get("phases")),
        }

    def play(self, begun: float) -> Played:
        """Plays to the end, and then tells whoever looks on; `begun`: when the set-up did."""
        with self.world.record.end_told():
            return self._played(begun)

    def _played(self, begun: float) -> Played:
        """Runs the event loop to its end."""
        directory, world, manifest = self.directory, self.world, self.manifest
        self._first_event = perf_counter()
        manifest["setup_wall_s"] = self._first_event - begun
        status = Status.FAILED
        closing: list[str] = []
        try:
            write_manifest(directory, {**manifest, "status": Status.RUNNING})
            world.record.began(self.scenario, directory)
            for row in self._device_rows():
                world.record.write(row)
            with self.phases.during(Phase.NETWORK):
                play_out(world)
            self.journaled.journal.refuse_early_end()
            closing = closing_warnings(world)
            status = Status.COMPLETED
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
            raise Interrupted(directory) from None
        finally:
            manifest |= {
                "status": Status.FAILED,
                "simulated_s": float(world.env.now),
                "warnings": list(
                    dict.fromkeys([*world.warnings, *closing, *world.learner.warnings])
                ),
            }
            try:
                with self.phases.during(Phase.TRACES):
                    self.trace.close()
                    if status is Status.COMPLETED and self.scenario.trace.adapters:
                        self.learner.save(directory / ADAPTERS)
                    manifest |= {"status": status, "results_sha256": results_sha256(directory)}
            finally:
                spent = self._spent()
                outside_s = spent["wall_s"] - spent["learner_wall_s"] - spent["checkpoints_wall_s"]
                share = max(outside_s, 0.0) / spent["wall_s"]
                manifest |= {**spent, "outside_learner_share": share}
                write_manifest(directory, manifest)
                self.learner.close()
        if self.checkpoints is not None:
            self.checkpoints.drop()
        return Played(directory, manifest)

    def _device_rows(self) -> Iterator[DeviceRow]:
        devices = [station.device for station in self.world.stations]
        real: Any = self.learner
        if self.scenario.learning.model == "none":
            return device_rows(self.scenario, devices, None, None)
        rows = [len(real.rows.own(device.id)) for device in devices]
        answers = [real.rows.answers(device.id) for device in devices]
        return device_rows(self.scenario, devices, real.tasks, rows, answers)


def _journal(checkpoint: Checkpoint | None) -> Journal:
    if checkpoint is None:
        return Journal(iter(()), 0)
    return Journal(checkpoint.lines(), checkpoint.index["journal"]["lines"])


def _facts(
    scenario: Scenario, manifest: Mapping[str, Any], learner: OwnedLearner
) -> dict[str, Any]:
    values = scenario.model_dump(mode="json")
    return {"scenario": values, "origins": origins(manifest, learner)}


def _refuse_other_scenario(directory: Path, checkpoint: Checkpoint, scenario: Scenario) -> None:
    values = scenario.model_dump(mode="json")
    candidates = differences(checkpoint.index["scenario"], values)
    if changes := [difference for difference in candidates if difference.path not in WHO_COMPUTES]:
        words = "; ".join(map(str, changes))
        raise ResumeError(
            f"{directory} cannot be resumed: its {SCENARIO_FILE} has changed since its checkpoint: "
            f"{words}."
        )


def _start_of(checkpoint: Checkpoint) -> str:
    wall_s = checkpoint.index["spent"]["wall_s"]
    return f"checkpoint {checkpoint.number}, {wall_s:.0f} s after its start"


@dataclass
class _Claim:
    """Whether anything but the claim itself is in a directory."""

    used: bool = False


@contextlib.contextmanager
def _given_back(directory: Path, *, keep: bool) -> Iterator[_Claim]:
    """Gives a claimed directory back where nothing came of it; keep: it was there before."""
    claim = _Claim()
    try:
        yield claim
    except BaseException:
        if not claim.used:
            shutil.rmtree(directory / PARTS, ignore_errors=True)
            if not keep:
                with contextlib.suppress(OSError):  # somebody else's file is in it
                    directory.rmdir()
        raise
