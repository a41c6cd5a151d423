"""Files other than scenarios: one hostile copy of a valid one, and the call that reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import mutate
import seeds

import cosim
from cosim.export.device_adapters import export_device
from cosim.learning.data.files import jsonl_parts
from cosim.learning.data.procedural import procedural_examples
from cosim.mobility.recorded.read import TraceReading, read_trace
from cosim.scenario.catalogue import named_profile
from cosim.scenario.learning import Fields, TaskChoice
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.index import completed_runs
from cosim.trace.reader import read_run
from cosim.trace.schema import SCHEMAS
from cosim.verification.verify import verify

Picked = tuple[str, bytes, Callable[[], Any]]

_FORMATS = {
    "walk.csv": "csv", "degrees.csv": "csv", "walk.ns2": "ns2", "walk.fcd.xml": "sumo_fcd",
    "walk.gpx": "gpx", "people.csv": "csv", "drones.txt": "csv",
}  # fmt: skip
_COLUMNS: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {"time_s": 0, "device": 1, "x_m": 2, "y_m": 3},
    {"time_s": "when", "device": "who", "lat": "north", "lon": "east"},
    {"device": None}, {"x_m": "lat", "y_m": "lon"}, {"time_s": 9999, "x_m": 0, "y_m": 0},
    {"time_s": "time_s", "device": "time_s", "x_m": "time_s", "y_m": "time_s"},
    {"lat": "x_m"}, {"time_s": ""}, {"time_s": "\x1b[2J"}, {"time_s": 0, "lat": 2, "lon": 3},
)  # fmt: skip
_SEPARATORS = (None, None, ",", ";", "\t", "|", "blanks", "blanks")
_FIELDS: tuple[dict[str, Any], ...] = (
    {"prompt": "{question}", "choices": "choices.text", "labels": "choices.label"},
    {"prompt": "{question}", "choices": None},
    {"prompt": "{question} {choices.text.0}", "choices": ["A", "B"]},
    {"prompt": "{choices}", "choices": None, "answer_pattern": "(.)"},
)
_SMALL = """\
seed: 2
rounds: 2
learning: none
method: {name: lora, topology: ring}
devices: [{count: 3, mobility: {model: static}}]
radio: {fading: {model: block}}
"""


def read_task(name: str, task: TaskChoice) -> None:
    """The rows of a task, of a procedural one the first."""
    if task.source.startswith("jsonl:"):
        jsonl_parts(name, task)
    elif task.source == "reasoning_gym" and _modest(task.parameters):
        next(procedural_examples(name, task, 1, "train"))


def _modest(parameters: Any) -> bool:
    """Whether no number asks a generator for more than it can make in seconds."""
    if isinstance(parameters, dict | list):
        inner = parameters.values() if isinstance(parameters, dict) else parameters
        return all(_modest(item) for item in inner)
    return not isinstance(parameters, int | float) or abs(parameters) <= 50


class Files:
    """Valid files in `inside`, made hostile one at a time; results go to `out`."""

    def __init__(self, inside: Path, out: Path) -> None:
        self.inside, self.out = inside, out
        small = inside / "small.yaml"
        small.write_text(_SMALL, encoding="utf-8")
        self.run = cosim.run(small, out=inside / "whole-run").directory
        self.learnt = _learnt(inside / "learnt-run")
        self.broken = inside / "run"

    def pick(self, random: Random) -> Picked:
        """One hostile file: its kind, its content, and who reads it."""
        makers = [self._trace] * 5 + [self._rows] * 2
        makers += [self._profile, self._sweep, self._run, self._run, self._adapters, self._index]
        return random.choice(makers)(random)

    def _written(self, name: str, content: bytes) -> Path:
        path = self.inside / f"fuzzed-{name}"
        path.write_bytes(content)
        return path

    def _trace(self, random: Random) -> Picked:
        name = random.choice(list(_FORMATS))
        kind = "xml" if name.endswith(("xml", "gpx")) else "line"
        content = mutate.text(random, seeds.TEXTS[name], kind)
        path = self._written(name, content)
        formats: list[Any] = ["auto", _FORMATS[name], _FORMATS[name], *_FORMATS.values()]
        reading = TraceReading(
            format=random.choice(formats), degrees=random.random() < 0.1,
            max_gap_s=random.choice((1.0, 300.0)), time_origin=random.choice(("earliest", "file")),
            columns=tuple(random.choice(_COLUMNS).items()), separator=random.choice(_SEPARATORS),
            untimed=random.choice(("refuse", "refuse", "skip")),
        )  # fmt: skip
        return name, content, lambda: _walked(read_trace(path, reading))

    def _rows(self, random: Random) -> Picked:
        rows = [json.loads(line) for line in seeds.QUIZ.splitlines()]
        if random.random() < 0.5:
            rows = [mutate.data(random, row) for row in rows]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        content = mutate.text(random, text, "line") if random.random() < 0.6 else text.encode()
        path = self._written("quiz.jsonl", content)
        task = TaskChoice(source=f"jsonl:{path}", fields=Fields(**random.choice(_FIELDS)))
        return "quiz.jsonl", content, lambda: jsonl_parts("quiz", task)

    def _profile(self, random: Random) -> Picked:
        content = mutate.text(random, seeds.PROFILE, "yaml")
        path = self._written("mine.yaml", content)
        return "profile", content, lambda: named_profile(f"path:{path}")

    def _sweep(self, random: Random) -> Picked:
        content = mutate.text(random, seeds.SWEEP, "yaml")
        path = self._written("sweep.yaml", content)
        return "sweep", content, lambda: read_sweep(path).dump()

    def _copy(self, whole: Path) -> Path:
        shutil.rmtree(self.broken, ignore_errors=True)
        shutil.copytree(whole, self.broken)
        return self.broken

    def _json(self, random: Random, path: Path) -> bytes:
        held = json.loads(path.read_text(encoding="utf-8"))
        if random.random() < 0.6:
            held = mutate.data(random, held)
        content = json.dumps(held).encode()
        if random.random() < 0.4:
            content = mutate.text(random, content.decode(), "line")
        path.write_bytes(content)
        return content

    def _run(self, random: Random) -> Picked:
        run = self._copy(self.run)
        name = random.choice(["manifest.json", "scenario.yaml", *(f"{t}.parquet" for t in SCHEMAS)])
        path = run / name
        if name == "manifest.json":
            content = self._json(random, path)
        elif name == "scenario.yaml":
            content = mutate.text(random, path.read_text(encoding="utf-8"), "yaml")
        else:
            raw = bytearray(path.read_bytes())
            for _ in range(random.choice((1, 3, 30))):
                raw[random.randrange(len(raw))] = random.randrange(256)
            content = bytes(raw[: random.choice((len(raw), random.randrange(len(raw))))])
        path.write_bytes(content)
        # The index of a sweep is a parquet file, too; this one is none.
        shutil.copy(run / "rounds.parquet", run / "runs.parquet")
        return f"run, {name}", content, lambda: _opened(run, random)

    def _index(self, random: Random) -> Picked:
        run = self._copy(self.learnt)
        content = self._json(random, run / "adapters" / "index.json")
        return "adapters, index.json", content, lambda: self._exported(run)

    def _adapters(self, random: Random) -> Picked:
        from safetensors.numpy import load_file, save_file

        run = self._copy(self.learnt)
        path = run / "adapters" / "device-0000.safetensors"
        if random.random() < 0.6:
            tensors = load_file(path)
            name = random.choice(sorted(tensors))
            flat = tensors[name].reshape(-1)
            other = [flat[:-1], flat.reshape(1, -1), flat[:0], flat * 2, flat.astype("int64")]
            tensors[name] = random.choice([*other, flat.astype("float16"), flat - 10**6])
            save_file(tensors, path)
        else:
            raw = bytearray(path.read_bytes())
            for _ in range(random.choice((1, 4))):
                raw[random.randrange(min(len(raw), 600))] = random.randrange(256)
            path.write_bytes(raw)
        return "adapters, safetensors", path.read_bytes(), lambda: self._exported(run)

    def _exported(self, run: Path) -> None:
        to = self.out / "exported"
        try:
            for device in (0, 1):
                export_device(read_run(run), device, to)
                shutil.rmtree(to)
        finally:
            shutil.rmtree(to, ignore_errors=True)


def _walked(paths: Any) -> None:
    for path in paths.values():
        assert abs(path.position_m([0.0, 1.0, 1e9])).max() < 1e18
        path.travelled_m(5.0)


def _opened(run: Path, random: Random) -> None:
    for check in verify(run):
        for line in check.lines():
            assert all(char.isprintable() for char in line), ascii(line)
    if random.random() < 0.2:
        completed_runs(run)
    opened = read_run(run)
    for table in SCHEMAS:
        getattr(opened, table)


def _learnt(run: Path) -> Path:
    """A run of two devices with adapters, made by hand."""
    import torch

    from cosim.learning.federation.own_rank import OwnRank
    from cosim.learning.storing.adapter_store import save_adapters
    from cosim.methods import METHODS
    from cosim.methods.adapter import Adapter
    from cosim.methods.layout import AdaptedModule, Layout

    modules = (AdaptedModule("a.q_proj", 0, 4, 4), AdaptedModule("a.v_proj", 0, 4, 2))
    layout = Layout(modules, 2)
    method = METHODS["lora"].with_(aggregation="stacked", composition="gate")
    own = [
        Adapter(torch.arange(3.0) + n, torch.tensor([1, 4, 7]), torch.ones(layout.projection_size))
        for n in range(2)
    ]
    fleet: Any = SimpleNamespace(
        layout=layout, method=method, tasks=("sums", "../quiz"), adapters=own,
        banks=[dict(enumerate(own))] * 2, shared={}, calibrations=[None] * 2,
        own=[OwnRank(layout, layout.rank)] * 2,
    )  # fmt: skip
    run.mkdir()
    save_adapters(run / "adapters", fleet, scale=2.0, seed=1)
    manifest = {"status": "completed", "base_model": "path:x", "dtype": "float32", "name": "n"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "scenario.yaml").write_text(_SMALL)
    return run
