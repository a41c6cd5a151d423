"""Hostile input: whatever a file holds, its loader gives a result or an error for people.

    python tests/fuzz/fuzz.py --scenarios 10000 --files 2000 --seed 1

Valid scenarios, traces, task rows, profiles, sweeps, run directories and adapters are mutated and
given to the functions that the commands call, in this process. Nothing but success or a CosimError
with a printable message may come of it, within 5 s and 6 GiB; no file may be made outside the
output directory, no process begun, no address called. Every input hangs on the seed and its
number alone: `--only scenario:123` plays one again. The exit code is 1 where something was found.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import files
import mutate
import seeds
from guard import Guard
from typing_extensions import NamedTuple

from cosim.errors import CosimError
from cosim.preflight.explain import explain
from cosim.scenario.complaints.blame import blaming
from cosim.scenario.learning import NoLearning
from cosim.scenario.load import dump, load_with_document
from cosim.scenario.model import Scenario
from cosim.simulation.setup.build import build_devices, build_learner, world_of
from cosim.trace.directory import claim_run_directory

# A world of more devices is legal and takes long to build: no more than a slow scenario.
MOST_DEVICES = 5_000
SHOWN = 400


class Sink:
    """A trace that keeps nothing."""

    directory = None

    def add(self, row: Any) -> None:
        """Forgets a row."""

    def flush(self) -> None:
        """Has nothing to write."""


class Input(NamedTuple):
    """One input: what it is called, what to give to whom, and how to see it again."""

    name: str
    content: bytes
    action: Callable[[], Any]


class Fuzz:
    """The folder `work/in` holds the inputs, `work/out` is where files may be made."""

    def __init__(self, work: Path, seed: int) -> None:
        self.seed = seed
        self.inside, self.out = work / "in", work / "out"
        for folder in (self.inside, self.out):
            folder.mkdir(parents=True)
        for name, text in seeds.TEXTS.items():
            (self.inside / name).write_text(text, encoding="utf-8")
        traces = seeds.ROOT / "scenarios" / "traces"
        shutil.copytree(traces, self.inside / "traces")
        os.mkfifo(self.inside / "pipe.fifo")
        (self.inside / "loop").symlink_to("loop")
        (self.inside / "locked").mkdir(mode=0)
        # It brings matplotlib, which begins processes and keeps a cache when it is imported.
        import reasoning_gym  # noqa: F401

        self.scenarios = seeds.scenarios()
        (self.inside / "scenario.yaml").write_text(mutate.emit(seeds.LEARNING), encoding="utf-8")
        self.files = files.Files(self.inside, self.out)
        os.chdir(self.inside)
        self.guard = Guard(self.out)

    def scenario(self, number: int) -> Input:
        """A mutated scenario, with or without `--set`, loaded, built and checked."""
        random = Random(f"{self.seed} scenario {number}")
        whole = random.choice(self.scenarios)
        changed = mutate.data(random, whole) if random.random() < 0.8 else whole
        try:
            content = mutate.emit(changed).encode("utf-8", "surrogatepass")
        except RecursionError:
            content = b"["
        if random.random() < 0.2:
            content = mutate.text(random, content.decode("utf-8", "replace"), "yaml")
        path = self.inside / "fuzzed.yaml"
        path.write_bytes(content)
        overrides = []
        if random.random() < 0.2:
            places = [".".join(map(str, loc)) for loc in _paths(whole)]
            value = mutate.emit(mutate.value(random)).strip()
            overrides = [f"{random.choice(places)}={value}"]
        return Input(f"scenario:{number}", content, lambda: self._play(path, overrides))

    def _play(self, path: Path, overrides: list[str]) -> None:
        scenario, document = load_with_document(path, overrides)
        again = self.out / "again.yaml"
        again.write_text(dump(scenario), encoding="utf-8")
        assert load_with_document(again)[0] == scenario, "a resolved scenario reads otherwise"
        claimed = claim_run_directory(None, name=scenario.name, root=self.out / "runs")
        assert claimed.resolve().parent == (self.out / "runs").resolve()
        shutil.rmtree(self.out / "runs")
        with blaming(document):
            for name, task in scenario.tasks.items():
                files.read_task(name, task)
            if scenario.device_count <= MOST_DEVICES:
                self._build(scenario)

    def _build(self, scenario: Scenario) -> None:
        if scenario.learning.model != "none":
            scenario = scenario.model_copy(update={"learning": NoLearning()})
        with contextlib.suppress(CosimError) if scenario.device_count > 500 else _nothing():
            world_of(scenario, build_devices(scenario), build_learner(scenario), Sink())
            explain(scenario)

    def file(self, number: int) -> Input:
        """Another file, mutated and read by whoever reads it."""
        random = Random(f"{self.seed} file {number}")
        kind, content, action = self.files.pick(random)
        return Input(f"file:{number} ({kind})", content, action)


def _nothing() -> Any:
    return contextlib.nullcontext()


def _paths(whole: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps: Iterable[tuple[Any, Any]] = whole.items() if isinstance(whole, dict) else ()
    steps = enumerate(whole) if isinstance(whole, list) else steps
    found = [loc] if loc else []
    for step, item in steps:
        found += _paths(item, (*loc, step))
    return found


def main() -> int:
    """Runs the fuzzing and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="KIND:NUMBER", help="play one input and show it")
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="cosim-fuzz-"))
    fuzz = Fuzz(work, asked.seed)
    kinds = {"scenario": fuzz.scenario, "file": fuzz.file}
    if asked.only is not None:
        kind, _, number = asked.only.partition(":")
        one = kinds[kind](int(number))
        print(one.content[:3000].decode("utf-8", "backslashreplace"))
        print(*fuzz.guard.call(one.action), sep=": ")
        return 0
    findings = 0
    for kind, count in (("scenario", asked.scenarios), ("file", asked.files)):
        ended: Counter[str] = Counter()
        slowest, since = (0.0, ""), time.perf_counter()
        for number in range(count):
            one = kinds[kind](number)
            began = time.perf_counter()
            what, said = fuzz.guard.call(one.action)
            slowest = max(slowest, (time.perf_counter() - began, one.name))
            ended[what] += 1
            if what not in ("ok", "refused"):
                findings += 1
                print(f"{one.name}: {what}: {said[:SHOWN]}", flush=True)
        took = time.perf_counter() - since
        listed = ", ".join(f"{many} {what}" for what, many in ended.most_common())
        print(
            f"{count} {kind}s in {took:.0f} s: {listed}; slowest {slowest[0]:.2f} s, {slowest[1]}"
        )
    os.chdir("/")
    (work / "in" / "locked").chmod(0o700)
    shutil.rmtree(work)
    print(f"{findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
