"""`flexatc` played whole: rounds without a word, lost messages, cut off, resumed and verified."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.errors import ScenarioError
from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.rounds.schedule import play_out
from cosim.simulation.setup.build import build_devices, build_learner, world_of
from cosim.trace.reader import read_run
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to
from tests.simulation.small_networks import MemoryTrace

SCENARIO = """\
name: common coin
seed: 5
rounds: {rounds}
method: {{name: flexatc, schedule: {schedule}, topology: {topology}}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.2, optimizer: {optimizer}}}
evaluation: {{every: {rounds}, samples: 2}}
area: {{shape: disc, radius_m: 300}}
devices:
  - {{count: 2, profile: flagship_phone, mobility: {{model: random_waypoint}}}}
  - {{count: 2, profile: midrange_phone, availability: {availability}}}
radio: {{bandwidth_hz: {bandwidth_hz}, late: {late}, p_max_dbm: 10}}
"""
ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"
Make = Callable[..., Scenario]


@pytest.fixture
def asked(tiny_llama: Path, tmp_path: Path) -> Make:
    def make(**changes: Any) -> Scenario:
        parts = {"rounds": 4, "schedule": "synchronous", "optimizer": "sgd", "late": "drop"}
        parts |= {"availability": "always", "topology": "ring", "bandwidth_hz": 3.0e4}
        parts |= {"model": tiny_llama, **changes}
        (tmp_path / "s.yaml").write_text(SCENARIO.format(**parts), encoding="utf-8")
        return load(tmp_path / "s.yaml")

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("late", "schedule"),
    [
        ("drop", "synchronous"),
        ("stale", "synchronous"),
        ("stale", "{name: synchronous, mixings: 2}"),
    ],
)
def test_lost_messages_leave_corrections_that_sum_to_zero(
    asked: Make, late: str, schedule: str
) -> None:
    """Of twelve rounds, over an air on which whoever is in the middle is slower."""
    scenario = asked(rounds=12, late=late, schedule=schedule, topology="line", bandwidth_hz=5.0e3)
    trace = MemoryTrace()
    world = world_of(scenario, build_devices(scenario), build_learner(scenario), trace)
    play_out(world)
    outcomes = {(row.round, row.src, row.dst): row.outcome for row in trace.transfers}
    one_way = [
        link
        for (round_, src, dst), outcome in outcomes.items()
        if (link := (round_, dst, src)) in outcomes and outcomes[link] != outcome
    ]
    assert one_way, "nothing was lost in one direction alone"
    learner: Any = world.learner
    part = learner.method.aggregation
    for name in "AB":
        h = torch.stack([part.correction(state)[name] for state in learner.fleet.states])
        assert float(h.sum(0).abs().max()) < 1e-5 * float(h.abs().max())


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["synchronous", "cluster"])
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    asked: Make, snapshots: list[Path], tmp_path: Path, schedule: str
) -> None:
    """With devices that come and go, and messages that come late."""
    scenario = asked(schedule=schedule, availability=ON_OFF, late="stale")
    run = play(scenario, out=tmp_path / "whole", spacing=0).directory
    assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
    sending = scenario.method.sending
    opens = {n for n in range(1, 5) if sending.opens(n, sending.stream(scenario.seed, n))}
    assert 0 < len(opens) < 4
    assert set(read_run(run).transfers["round"]) == opens
    resumes_to([snapshots[len(snapshots) // 2], snapshots[-2]], everything(run))


def test_steps_that_are_not_along_the_gradient_are_refused_with_the_reason(asked: Make) -> None:
    with pytest.raises(
        ScenarioError,
        match=r"training\.optimizer: method\.aggregation 'control_variate' counts on steps along "
        r"the gradient, which adamw's are not: use sgd",
    ):
        asked(optimizer="adamw")
