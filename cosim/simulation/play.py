"""Playing a scenario: set up, run the event loop, leave a complete run directory behind."""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from cosim.scenario.load import dump
from cosim.scenario.model import Scenario
from cosim.simulation.build import build_learner, build_world
from cosim.simulation.learner import Learner
from cosim.simulation.recorder import Observer
from cosim.simulation.schedule import life
from cosim.simulation.timed_learner import TimedLearner
from cosim.trace.content_hash import results_sha256
from cosim.trace.directory import claim_run_directory
from cosim.trace.files import ADAPTERS, PARTS
from cosim.trace.manifest import Status, write_manifest
from cosim.trace.reader import SCENARIO_FILE
from cosim.trace.writer import TraceWriter

_PACKAGES = ("torch", "transformers", "simpy", "numpy", "pyarrow", "reasoning-gym")


@dataclass(frozen=True)
class Played:
    """A run that has ended: where it is and what its manifest says."""

    directory: Path
    manifest: Mapping[str, Any]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run whose traces so far lie in `directory`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"interrupted; the traces so far: {directory}")
        self.directory = directory


def play(scenario: Scenario, out: Path | None = None, observers: Sequence[Observer] = ()) -> Played:
    """Plays a scenario to its end and returns its directory and manifest.

    Raises `CosimError` before anything is simulated if the model, a task or the directory cannot
    be used; the directory is then as it was. Ctrl-C leaves readable traces and a manifest that
    says `interrupted`, and raises `Interrupted`.
    """
    started = perf_counter()
    found_empty = out is not None and out.exists()
    directory = claim_run_directory(out, name=scenario.name)
    try:
        learner = TimedLearner(build_learner(scenario))
        trace = TraceWriter(directory)
        world = build_world(scenario, learner, trace, observers)
    except BaseException:
        _unclaim(directory, keep=found_empty)
        raise
    manifest = _opening_manifest(scenario, learner.inner)
    (directory / SCENARIO_FILE).write_text(dump(scenario), encoding="utf-8")
    write_manifest(directory, {**manifest, "status": Status.RUNNING})
    first_event = perf_counter()
    manifest["setup_wall_s"] = first_event - started
    status = Status.FAILED
    try:
        world.env.run(until=world.env.process(life(world)))
        status = Status.COMPLETED
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
        raise Interrupted(directory) from None
    finally:
        wall_s = perf_counter() - first_event
        manifest |= {
            "status": Status.FAILED,
            "simulated_s": float(world.env.now),
            "wall_s": wall_s,
            "learner_wall_s": learner.wall_s,
            "outside_learner_share": max(wall_s - learner.wall_s, 0.0) / wall_s,
        }
        try:
            trace.close()
            if status is Status.COMPLETED and scenario.trace.adapters:
                learner.save(directory / ADAPTERS)
            manifest |= {"status": status, "results_sha256": results_sha256(directory)}
        finally:
            write_manifest(directory, manifest)
    return Played(directory, manifest)


def _opening_manifest(scenario: Scenario, learner: Learner) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "cosim": version("cosim"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: version(name) for name in _PACKAGES},
        "name": scenario.name,
        "method": scenario.method.name,
        "seed": scenario.seed,
        "rounds": scenario.rounds,
        "graph": scenario.method.topology.graph,
        "noise": scenario.radio.noise,
        "dtype": None,
        "threads": None,
        "base_model": None,
        "base_model_sha256": None,
    }
    base = getattr(learner, "base", None)
    if base is not None:
        import torch

        manifest |= {
            "dtype": str(base.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "base_model": base.source,
            "base_model_sha256": base.sha256,
        }
    return manifest


def _unclaim(directory: Path, *, keep: bool) -> None:
    """Gives a claimed directory back: nothing but the claim is in it."""
    shutil.rmtree(directory / PARTS, ignore_errors=True)
    if not keep:
        with contextlib.suppress(OSError):  # somebody else's file is in it
            directory.rmdir()
