"""Every method under every schedule, over a network with faults: verified, cut off and resumed.

    python tests/crash/every_schedule.py [--methods lora tad_lora]

Four devices, one of which comes and goes, play three rounds on a tiny model. Each run is played
whole and verified, and played again, interrupted at a row drawn for it, resumed and held
against the first. A line tells of each, or why the method refuses the schedule; the exit code is 1
where a run fails, is not verified or ends otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch

from cosim.contract.tiny_model import save_tiny_model
from cosim.errors import CosimError
from cosim.lifecycle.interrupted import Interrupted
from cosim.lifecycle.play import play, resume
from cosim.methods import METHODS
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.observer import Observer
from cosim.trace.manifest import read_manifest
from cosim.trace.schema import Row
from cosim.verification.verify import verify

SCHEDULES = ("synchronous", "cluster", "asynchronous")
SCENARIO = """\
name: {method}-{schedule}
seed: 3
rounds: 3
method: {{name: {method}, schedule: {schedule}}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4, density: {density}, bits_per_value: {bits}}}
tasks:
  sums: {{dataset: chain_sum, samples: 40, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, optimizer: {optimizer}}}
evaluation: {{samples: 3}}
area: {{shape: disc, radius_m: 200}}
devices:
  - {{count: 3, profile: flagship_phone}}
  - {{count: 1, profile: midrange_phone, availability: {{model: exponential, mean_on_s: 9, mean_off_s: 1}}}}
radio: {{bandwidth_hz: 3.0e4, late: {late}, p_max_dbm: 10, access: {access}}}
trace: {{diagnostics: true}}
"""  # noqa: E501


class Cut(Observer):
    """Ctrl-C at a row of the traces; `rows` counts them all where there is none."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.rows = at, 0

    def saw(self, row: Row) -> None:
        self.rows += 1
        if self.rows == self.at:
            raise KeyboardInterrupt


def scenario_of(name: str, schedule: str, folder: Path) -> Scenario:
    """The scenario of a method under a schedule; raises CosimError where it is refused."""
    method = METHODS[name]
    on_air = method.aggregation.superposes
    text = SCENARIO.format(
        method=name,
        schedule=schedule,
        model=folder / "model",
        density=0.3 if method.expansion.masked else 1.0,
        bits=32 if on_air else 16,
        optimizer="sgd" if method.needs_sgd else "adamw",
        late="drop" if on_air else "stale",
        access="air" if on_air else "digital",
    )
    path = folder / f"{name}-{schedule}.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def faults(scenario: Scenario, folder: Path) -> Iterator[str]:
    """What is wrong with a run that is cut off and resumed beside one that is not."""
    counted = Cut()
    whole = play(scenario, folder / "whole", [counted], spacing=0).directory
    yield from (line for check in verify(whole) if check.findings for line in check.lines())
    cut = folder / "cut"
    try:
        play(scenario, cut, [Cut(Random(scenario.name).randint(1, counted.rows))], spacing=0)
        yield "nothing was cut off"
    except Interrupted:
        resume(cut, spacing=0)
    yield from (line for check in verify(cut) if check.findings for line in check.lines())
    if read_manifest(whole)["results_sha256"] != read_manifest(cut)["results_sha256"]:
        yield "the resumed run ended otherwise"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    counts = {"kept": 0, "refused": 0, "failed": 0}
    with tempfile.TemporaryDirectory(prefix="cosim-schedules-") as temporary:
        folder = Path(temporary)
        (folder / "model").mkdir()
        save_tiny_model(folder / "model")
        for name in arguments.methods:
            for schedule in SCHEDULES:
                end, words = _end(name, schedule, folder)
                counts[end] += 1
                print(f"{name:24} {schedule:13} {end:8} {words}", flush=True)
    print(", ".join(f"{count} {end}" for end, count in counts.items()))
    sys.exit(counts["failed"] > 0)


def _end(name: str, schedule: str, folder: Path) -> tuple[str, str]:
    try:
        scenario = scenario_of(name, schedule, folder)
    except CosimError as refusal:
        return "refused", str(refusal).partition(": ")[2]
    own = folder / f"{name}-{schedule}"
    own.mkdir()
    try:
        lines = list(faults(scenario, own))
    except Exception as error:
        lines = [f"{type(error).__name__}: {error}"]
    return ("failed", "; ".join(lines)) if lines else ("kept", "")


if __name__ == "__main__":
    main()
