"""`learning.executor: ray`: two workers leave the traces of one process, also where one dies."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import RayError, ScenarioError
from cosim.host import ray_cluster
from cosim.host.ray_cluster import RayCluster, cpus_for
from cosim.learning.execution.ray_executor import RayExecutor
from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.trace.manifest import read_manifest

SCENARIO = """\
name: spread
seed: 5
rounds: 2
method: proposed
learning: {{devices_per_pass: 2}}
base_model: {{source: "path:{model}", dtype: bfloat16}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{steps: 10, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 1, samples: 2}}
area: {{shape: disc, radius_m: 300}}
devices: [{{count: 5, profile: flagship_phone, mobility: {{model: random_waypoint}}}}]
radio: {{bandwidth_hz: 3.0e5, p_max_dbm: 10}}
"""


@pytest.fixture
def chosen(tiny_llama: Path, tmp_path: Path) -> Callable[..., Scenario]:
    def make(*overrides: str) -> Scenario:
        text = SCENARIO.format(model=tiny_llama)
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "s.yaml", overrides)

    return make


def left(run: Path) -> dict[str, Any]:
    """What two runs must have in common."""
    manifest = read_manifest(run)
    adapters = {path.name: path.read_bytes() for path in (run / "adapters").iterdir()}
    names = ("status", "results_sha256", "threads")
    return {**{name: manifest[name] for name in names}, "adapters": adapters}


@pytest.mark.slow
@pytest.mark.ray
def test_two_workers_leave_the_traces_of_one_process_also_where_one_is_killed(
    chosen: Any, two_ray_workers: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray, spread = two_ray_workers.ray, RayExecutor._spread
    killed: list[int] = []

    def pids(executor: RayExecutor) -> list[int]:
        own = [one.__ray_call__.remote(lambda _: os.getpid()) for one in executor._workers]
        return list(ray.get(own))

    def kill(pid: int) -> None:
        time.sleep(0.1)  # the pass has begun
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    def spread_and_killed(executor: RayExecutor, method: str, parts: Any) -> Any:
        if method != "train" or killed or not executor._workers:
            return spread(executor, method, parts)
        before = pids(executor)
        thread = threading.Thread(target=kill, args=(before[0],))
        thread.start()
        found = spread(executor, method, parts)
        thread.join()
        assert before[0] not in pids(executor)
        return found

    play(chosen(), out=tmp_path / "here")
    monkeypatch.setattr(RayExecutor, "_spread", spread_and_killed)
    play(chosen("learning.executor=ray"), out=tmp_path / "there")
    assert len(killed) == 1
    assert left(tmp_path / "there") == left(tmp_path / "here")
    assert ray.is_initialized(), "what was joined before stays joined"


@pytest.mark.slow
@pytest.mark.ray
def test_more_workers_than_there_is_room_for_are_one_sentence(
    chosen: Any, two_ray_workers: RayCluster, tmp_path: Path
) -> None:
    asked = chosen("learning.executor=ray", "learning.workers=3")
    with pytest.raises(RayError, match=r"^learning.executor: ray: .* room for 2 workers of 1 thr"):
        play(asked, out=tmp_path / "run")
    assert read_manifest(tmp_path / "run")["status"] == "failed"


def test_without_ray_one_is_told_what_to_install(
    chosen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(RayError, match=r"^learning.executor: ray: .*pip install 'cosim\[ray\]'$"):
        play(chosen("learning.executor=ray"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_executor_needs_no_model_named_and_has_a_nearest_word(chosen: Any) -> None:
    assert chosen("learning={executor: ray}").learning.workers == 2
    with pytest.raises(ScenarioError, match="did you mean 'ray'"):
        chosen("learning.executor=rya")
    with pytest.raises(ScenarioError, match="executor"):
        chosen("learning={model: none, executor: ray}")


@pytest.mark.parametrize(
    ("cpus", "workers", "each"),
    [([2], 2, 1), ([8], 2, 4), ([8, 8], 2, 8), ([8, 2], 3, 2), ([4, 4], 3, 2), ([2], 5, 1)],
)
def test_workers_share_the_cores_of_all_machines(cpus: list[int], workers: int, each: int) -> None:
    assert cpus_for(cpus, workers) == each
