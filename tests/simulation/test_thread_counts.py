"""A run's traces do not depend on how many threads compute them, or on who else computes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch

from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.trace.manifest import read_manifest

# Equal devices whose passes are cut into shares, and one alone whose mini-batches are sliced.
SCENARIO = """\
name: threads
seed: 6
rounds: 2
method: {{name: {method}, schedule: {schedule}}}
learning: {{devices_per_pass: 4}}
base_model: {{source: "path:{model}", dtype: bfloat16}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  lists: {{dataset: number_sorting, samples: 30}}
training: {{steps: 2, batch_size: 8, learning_rate: 0.02}}
evaluation: {{every: 1, samples: 6}}
devices: [{{count: 5, profile: flagship_phone}}]
radio: {{bandwidth_hz: 3.0e5, p_max_dbm: 10}}
"""


@contextmanager
def busy_beside() -> Iterator[None]:
    """Another process keeps a core."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "schedule"),
    [
        ("proposed", "synchronous"),
        ("decaf", "asynchronous"),
    ],
)
def test_one_two_and_four_threads_leave_the_same_traces(
    tiny_llama: Path, tmp_path: Path, method: str, schedule: str
) -> None:
    text = SCENARIO.format(model=tiny_llama, method=method, schedule=schedule)
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    scenario = load(tmp_path / "s.yaml", [])
    before, found = torch.get_num_threads(), {}
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            with busy_beside() if threads == 2 else nullcontext():
                play(scenario, out=tmp_path / str(threads))
            manifest = read_manifest(tmp_path / str(threads))
            assert manifest["threads"] == threads
            adapters = sorted((tmp_path / str(threads) / "adapters").iterdir())
            stored = [file.read_bytes() for file in adapters]
            found[threads] = manifest["status"], manifest["results_sha256"], stored
    finally:
        torch.set_num_threads(before)
    assert found[1][0] == "completed"
    assert found[1] == found[2] == found[4]
