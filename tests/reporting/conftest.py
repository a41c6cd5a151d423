"""Runs to report on: one that learnt, one of the network alone, and pages about them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.trace.reader import Run
from tests.reporting.browser import Browser, browsing, found
from tests.reporting.many_devices import many_devices
from tests.views.conftest import call as call
from tests.views.conftest import written as written

LEARNING = """\
name: learnt
seed: {seed}
rounds: 3
method: {method}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4, density: 0.3}}
tasks:
  sums: {{source: "jsonl:{rows}"}}
  letters: {{source: "jsonl:{rows}"}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 1, samples: 9}}
area: {{shape: disc, radius_m: 150}}
devices: [{{count: 4, tasks: round_robin, profile: flagship_phone}}]
radio: {{bandwidth_hz: 0.2e+6, deadline_s: 1.0, fading: clarke}}
trace: {{diagnostics: true, adapters: false}}
"""
NETWORK = """\
name: networked
seed: 3
rounds: 6
learning: {model: none, payload_bits: 20.0e+6, flop: 2.0e+12}
method: {name: lora, topology: {graph: random, degree: 2}, schedule: asynchronous}
area: {shape: disc, radius_m: 150}
devices:
  - {count: 4, availability: {model: exponential, mean_on_s: 20, mean_off_s: 5}}
  - count: 2
    profile:
      source: "</script><b>a & b</b>"
      peak_flop_s: 4.86e+11
      utilisation: 0.3
      compute_w: 4.0
      idle_w: 0.5
      pa_efficiency: 0.35
      transmit_circuit_w: 0.5
      receive_w: 0.6
      battery_j: 100.0
radio:
  {bandwidth_hz: 10.0e6, deadline_s: 3.0, share: dynamic, late: stale,
   power: {policy: lemma1, margin_db: 0}}
"""


@pytest.fixture(scope="session")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs that learn: their rows are the same file."""
    return tmp_path_factory.mktemp("learnt")


@pytest.fixture(scope="session")
def learnt(tiny_llama: Path, lessons: Path) -> Run:
    """Four devices, two tasks, clusters, masks and diagnostics; read-only."""
    return learning_run(tiny_llama, lessons, "proposed")


@pytest.fixture(scope="session")
def learnt_by_lora(tiny_llama: Path, lessons: Path) -> Run:
    """The same by plain LoRA; read-only."""
    return learning_run(tiny_llama, lessons, "lora")


@pytest.fixture(scope="session")
def networked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six devices that come, go and run empty, on the network alone; read-only."""
    folder = tmp_path_factory.mktemp("networked")
    path = folder / "scenario.yaml"
    path.write_text(NETWORK, encoding="utf-8")
    run = cosim.run(path, out=folder / "run")
    assert {"delivered", "cancelled", "late"} <= set(run.transfers["outcome"])
    return run


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A thousand devices in twenty rounds, by random numbers; read-only."""
    return many_devices(tmp_path_factory.mktemp("crowd"), devices=1000, rounds=20, peers=4)


def learning_run(model: Path, folder: Path, method: str, seed: int = 1) -> Run:
    """A run of the tiny model."""
    rows = folder / "rows.jsonl"
    choices = [
        {"prompt": f"{n} + 1 =", "choices": [f" {n + 1}", f" {n + 2}"], "answer": n % 2}
        for n in range(40)
    ]
    rows.write_text("".join(json.dumps(row) + "\n" for row in choices), encoding="utf-8")
    path = folder / f"{method}-{seed}.yaml"
    words = {"method": method, "seed": seed, "model": model, "rows": rows}
    path.write_text(LEARNING.format(**words), encoding="utf-8")
    return cosim.run(path, out=folder / f"{method}-{seed}")


class Page(HTMLParser):
    """A page is read as a browser would: its text, its elements, what scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self.numbers: list[float] = []
        self._inside: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)
        self.close()

    @property
    def text(self) -> str:
        """What is read, on one line."""
        return re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = (tag, dict(attrs))
        if tag == "data":
            value = dict(attrs)["value"]
            assert value is not None
            self.numbers.append(float(value))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = None
        self.words.append(
            " " if tag in ("p", "div", "td", "th", "h1", "h2", "h3", "dt", "dd", "title") else ""
        )

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.words.append(data)
        elif self._inside[0] == "script":
            self.scripts.append((self._inside[1], data))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; the tests that need one are skipped where there is none."""
    executable = found()
    if executable is None:
        pytest.skip("There is no Chromium here; the page is looked at where there is one.")
    with browsing(executable, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., tuple[Path, Page]]:
    """Writes a report and reads it."""

    def made(*runs: Run, **options: Any) -> tuple[Path, Page]:
        from cosim.reporting.write import write_report

        path = write_report(runs, tmp_path / "report.html", **options)
        return path, Page(path.read_text(encoding="utf-8"))

    return made
