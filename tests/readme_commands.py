"""What the READMEs show, as something to run: blocks, commands, and what stands in for the long.

Every command of a block is run in this process, in a folder that has small copies of `scenarios/`.
What is run otherwise than it is written stands in `INSTEAD`, what is not run at all in `NOT_RUN`.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

import cosim
from cosim.cli import app as cli
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.index import Entry, write_index
from cosim.sweeping.state import State
from tests.readme_tables import ROOT

# A command, or what it begins with → why it is not run.
NOT_RUN = {
    "python3 -m venv .venv": "makes an environment, as the CI does with this very line",
    ".venv/bin/pip install": "needs the package index, as the CI does",
    "pip install": "needs the package index; the extra is looked up in pyproject.toml",
    ". .venv/bin/activate": "is the shell's; the environment is active",
    ".venv/bin/pytest": "is these tests, as the CI runs them",
    "pytest ": "is pytest within pytest; its paths and markers are looked up",
    "COSIM_REGENERATE_GOLDEN=1 pytest ": "rewrites files of the repository",
    "cosim sweep scenarios/rivals/": "takes a model that is made first; tests/analysis plays them",
    "pre-commit install": "writes a hook into the clone; tests/test_style.py runs what it runs",
}
# What a command has → what is run in its place.
INSTEAD = {
    "learning.executor=ray": "learning.executor=in_process",  # Ray: tests/simulation, tests/sweep
    "--engine ray": "",
    "--animate": "",  # half a minute; tests/views draws frames
    "cosim profile scenarios/quickstart.yaml --out measured.yaml": "cosim profile --help",
    # Minutes and hours: their words are read, and that is all.
    "analysis/deadline_margin.py": "analysis/deadline_margin.py --help",
    "analysis/profile_accuracy.py": "analysis/profile_accuracy.py --help",
    **{
        f"analysis/{name}.py": f"analysis/{name}.py --help"
        for name in (
            "analog_or_digital",
            "imperfect_links",
            "packet_outage",
            "silence",
            "stragglers",
        )
    },
    # The small copy of another sweep, which is played here.
    "runs/connectivity runs/connectivity_static runs/connectivity_masks final --over probability": (
        "runs/table1 final"
    ),
    "runs/connectivity_sentiment runs/connectivity_sentiment_masks final --over probability": (
        "runs/table1 final"
    ),
    "runs/connectivity_range final --over radius_m": "runs/table1 final",
    "runs/devices final --over devices.0.count": "runs/table1 final",
    "runs/corrected final --over probability": "runs/table1 final",
    "runs/imperfect_links_accuracy final --over mixings --against own": "runs/table1 final",
    'runs/analog_accuracy final --against "differences access=digital p_max_dbm=23"': (
        "runs/table1 final"
    ),
    "cosim compare runs/analog_accuracy": "cosim compare runs/table1",
    "cosim compare runs/imperfect_links_accuracy": "cosim compare runs/table1",
    "cosim compare runs/corrected_rate": "cosim compare runs/table1",
    "cosim plot runs/one_table": "cosim plot runs/table1",
    "tests/crash/kill.py": "tests/crash/kill.py --help",
    "tests/crash/every_schedule.py": "tests/crash/every_schedule.py --methods local",
    "tests/fuzz/fuzz.py": "tests/fuzz/fuzz.py --help",
}
# The scenarios that learn, in the copies that are run: a tiny model, two rounds, two questions.
SMALLER: dict[str, Any] = {
    "rounds": 2,
    "adapter": {"rank": 2, "alpha": 4, "density": 0.3},
    "training": {"steps": 1, "batch_size": 2},
    "evaluation": {"every": 1, "samples": 2},
}
# What is played of a sweep: the first seeds, two values of each list, of methods these.
SEEDS, VALUES, METHODS = 1, 2, ("lora", "proposed")


class Block(NamedTuple):
    """A fenced block of a README."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name of the file that it is, as its first line says."""
        named = re.match(r"# ([\w.]+\.(?:yaml|py))(?::|\n)", self.text)
        return named[1] if named else None

    def commands(self) -> list[str]:
        """The commands of a block for a shell."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [part.strip() for line in lines for part in line.split(" && ") if part.strip()]


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in their order."""
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]


def why_not(command: str) -> str | None:
    """Why a command is not run; None where it is."""
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), None)


def small_copies(folder: Path, model: Path) -> None:
    """Copies of `scenarios/` that play in a second, and rows for the tasks of those in `paper/`."""
    yaml = YAML()
    for path in sorted((ROOT / "scenarios").rglob("*.*")):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".yaml":
            copy.write_bytes(path.read_bytes())
            continue
        data = yaml.load(path.read_text(encoding="utf-8"))
        if "tasks" in data:
            data.update(SMALLER)
            data["base_model"] = {"source": f"path:{model}", "dtype": "float32"}
            for task in data["tasks"].values():
                task["samples"] = 20
        yaml.dump(data, copy)
    for name in ("trec", "sst2", "clinc_domain", "boolq", "arc_easy"):
        tasks = folder / "scenarios" / "paper" / "tasks" / name
        tasks.mkdir(parents=True)
        for split in ("train", "validation", "test"):
            rows = [
                {"prompt": f"{split} {name} {n} ?", "choices": ["no", "yes"], "answer": n % 2}
                for n in range(12)
            ]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (tasks / f"{split}.jsonl").write_text(text, encoding="utf-8")
    (folder / "analysis" / "results").mkdir(parents=True)


def fewer(key: str, values: list[Any]) -> list[Any]:
    """The values of a grid's key that are played."""
    if key == "method":
        values = [
            one for one in values if (one if isinstance(one, str) else one["name"]) in METHODS
        ]
    return values[:VALUES]


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs one command, or what stands in for it; fails where it ends with another code than 0."""
    for said, instead in INSTEAD.items():
        command = command.replace(said, instead)
    words = shlex.split(command.replace(".venv/bin/", ""), comments=True)
    if words[:2] == ["cosim", "sweep"] and "--dry-run" not in words:
        sweep(words[2])
        return
    if ">" in words:  # what is printed is the terminal's
        words = words[: words.index(">")]
    script = [] if words[0] == "cosim" else words[1:]
    assert script or words[0] == "cosim", command
    monkeypatch.setattr("sys.argv", script or words)
    with warnings_as_a_user_has_them():
        code = ended(lambda: run_script(script[0], monkeypatch) if script else cli.main())
    assert code == 0, f"{command}: {code}"


def ended(called: Callable[[], None]) -> int | str:
    """The exit code of what ends by itself or with SystemExit."""
    try:
        called()
    except SystemExit as end:
        return 0 if end.code is None else end.code
    return 0


def run_script(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a script of the repository as `python` does."""
    monkeypatch.syspath_prepend(str((ROOT / name).parent))
    before = dict(os.environ)
    try:
        runpy.run_path(str(ROOT / name), run_name="__main__")
    finally:  # some ask for one thread
        os.environ.clear()
        os.environ.update(before)


def sweep(file: str) -> None:
    """Plays a few points of a sweep, one after the other in this process and not in workers."""
    path, yaml = Path(file), YAML()
    data = yaml.load(path.read_text(encoding="utf-8"))
    data["seeds"] = data["seeds"][:SEEDS]
    data["grid"] = {key: fewer(key, values) for key, values in data["grid"].items()}
    for longer in ("rounds", "evaluation.every", "training.max_tokens"):
        data.get("set", {}).pop(longer, None)
    yaml.dump(data, path)
    chosen = read_sweep(path)
    directory = Path("runs") / chosen.name
    for point in chosen.points:
        if not (directory / point.name).exists():
            cosim.run(point.scenario, out=directory / point.name)
    write_index(directory, chosen, [Entry(one, State.COMPLETED, 1.0) for one in chosen.points])


def run_python(text: str) -> None:
    """Runs a Python block; figures are not shown on a screen."""
    import matplotlib

    matplotlib.use("Agg")
    with warnings_as_a_user_has_them():
        exec(compile(text, "README", "exec"), {"__name__": "__main__"})


@contextmanager
def warnings_as_a_user_has_them() -> Iterator[None]:
    """Lets go what two seeds and two questions make figures and tables warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield
