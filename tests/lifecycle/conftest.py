"""A scenario that learns in seconds, and copies of its run as a kill would have left it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosim.lifecycle import provenance
from cosim.lifecycle.checkpoints import Checkpoints
from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from tests.lifecycle.runs_cut_off import everything

SCENARIO = """\
name: cut off
seed: 5
rounds: {rounds}
method: {method}
base_model: {{source: "path:{model}", dtype: {dtype}}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.02, moments: {moments}}}
evaluation: {{every: 1, samples: 2}}
area: {{shape: disc, radius_m: 300}}
devices:
  - {{count: 2, profile: flagship_phone, mobility: {{model: random_waypoint}}}}
  - {{count: 2, profile: midrange_phone, availability: {availability}}}
radio: {{bandwidth_hz: 3.0e4, late: {late}, p_max_dbm: 10}}
trace: {{diagnostics: {diagnostics}}}
"""


@pytest.fixture(autouse=True)
def _one_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may be editing while the tests run."""
    monkeypatch.setattr(provenance, "code", lambda: {"learning": "a digest"})


@pytest.fixture
def chosen(tiny_llama: Path, tmp_path: Path) -> Callable[..., Scenario]:
    def make(method: str = "lora", schedule: str = "synchronous", **changes: Any) -> Scenario:
        parts = {"late": "drop", "dtype": "float32", "diagnostics": "false", "rounds": 2}
        parts |= {"moments": "kept"}
        parts |= {"availability": "always", "model": tiny_llama, **changes}
        text = SCENARIO.format(method=f"{{name: {method}, schedule: {schedule}}}", **parts)
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "s.yaml")

    return make


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Copies of a run directory as each of its checkpoints left it: a kill at that moment."""
    found: list[Path] = []
    store = Checkpoints._store

    def stored(self: Checkpoints, *of: Any) -> None:
        store(self, *of)
        copy = tmp_path / f"snapshot-{len(found)}"
        shutil.copytree(self._folder.parent, copy, ignore=shutil.ignore_patterns(".lock"))
        found.append(copy)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_store", stored)
        yield found


@pytest.fixture
def cut(chosen: Any, snapshots: list[Path], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A run that was killed in the middle, and what it should end with."""
    play(chosen("lora"), out=tmp_path / "whole", spacing=0)
    return snapshots[4], everything(tmp_path / "whole")
