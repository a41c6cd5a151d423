"""Whole runs through a codec: bits on the air by hand, verified and predicted."""

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosim.learning.forecast import forecast
from cosim.learning.learner import ModelLearner
from cosim.learning.state_tree import bytes_of
from cosim.lifecycle.play import play
from cosim.methods.message import Turn
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.setup.build import build_learner
from cosim.trace.reader import read_run
from cosim.verification.verify import verify

SCENARIO = """\
seed: 5
rounds: 6
method: {{name: dec_lora, codec: {codec}}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, bits_per_value: {per_value}}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 6, samples: 2}}
area: {{shape: disc, radius_m: 300}}
devices: [{{count: 4, profile: flagship_phone, mobility: {{model: random_waypoint}}}}]
radio:
  {{bandwidth_hz: {bandwidth_hz}, p_max_dbm: -20, power: {{policy: max_power}},
   fading: {{model: block}}}}
"""
ROUNDS = 6
Asked = Callable[..., Scenario]


@pytest.fixture
def asked(tiny_llama: Path, tmp_path: Path) -> Asked:
    def make(codec: str, per_value: int = 16, bandwidth_hz: float = 3.0e4) -> Scenario:
        parts = {"codec": codec, "per_value": per_value, "bandwidth_hz": bandwidth_hz}
        path = tmp_path / "s.yaml"
        path.write_text(SCENARIO.format(model=tiny_llama, **parts), encoding="utf-8")
        return load(path)

    return make


def shapes(scenario: Scenario) -> tuple[list[int], int]:
    """Values of A and of B, and adapted modules."""
    learner = build_learner(scenario)
    assert isinstance(learner, ModelLearner)
    layout = learner.layout
    return [layout.projection_size, layout.expansion_size], len(layout.modules)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("codec", "per_value", "width"),
    [
        ("floating", 16, 16),
        ("floating", 32, 32),
        ("{name: rounded, bits: 8}", 16, 8),
        ("{name: rounded, bits: 4}", 32, 4),
    ],
)
def test_every_transfer_has_the_bits_of_its_values_and_scales(
    asked: Asked, tmp_path: Path, codec: str, per_value: int, width: int
) -> None:
    scenario = asked(codec, per_value)
    counts, modules = shapes(scenario)
    by_hand = width * sum(counts) + (2 * 32 * modules if width < 16 else 0)
    expected = forecast(scenario)
    assert (expected.first_bits, expected.later_bits) == (by_hand, by_hand)
    run = read_run(play(scenario, out=tmp_path / "run").directory)
    assert set(run.transfers["bits"]) == {by_hand}
    assert len(run.transfers) == ROUNDS * 4 * 2
    assert all(check.ok for check in verify(run.directory))


@pytest.mark.slow
def test_who_missed_a_transfer_is_charged_it_with_the_next(asked: Asked, tmp_path: Path) -> None:
    scenario = asked("{name: top_k, share: 0.1}", bandwidth_hz=6.0e3)
    counts, _ = shapes(scenario)
    of_one = [(k := round(0.1 * n)) * 16 + min(k * math.ceil(math.log2(n)), n) for n in counts]
    expected = forecast(scenario)
    assert (expected.first_bits, expected.later_bits) == (sum(of_one), sum(of_one))
    run = read_run(play(scenario, out=tmp_path / "run").directory)
    assert set(run.transfers["outcome"]) == {"delivered", "late"}
    had: dict[tuple[int, int], int] = defaultdict(int)
    charged, caught_up = set(), set()
    for row in run.transfers.sort_values("round").itertuples():
        missed = row.round - had[row.src, row.dst]
        charged.add(missed)
        pairs = zip(of_one, counts, strict=True)
        assert row.bits == sum(min(missed * bits, 16 * n) for bits, n in pairs)
        if row.outcome == "delivered":
            had[row.src, row.dst] = row.round
            caught_up.add(missed)
    assert {1, 2, 3} <= charged
    assert max(caught_up) > 1
    assert all(check.ok for check in verify(run.directory))


def test_what_a_codec_remembers_is_counted(asked: Asked) -> None:
    """The states that two plays hold differ by the copies, which the estimate has."""
    sizes = {}
    for codec in ("floating", "{name: top_k, share: 0.5}"):
        learner: Any = build_learner(asked(codec))
        for job in [learner.submit(device, 1) for device in range(4)]:
            job.result()
        for device in range(4):
            learner.post.tell(device, Turn(1), [0])
        sizes[codec] = bytes_of(learner.fleet.states)
        values = learner.layout.projection_size + learner.layout.expansion_size
        copies = learner.method.codec.copies
    plain, remembering = sizes.values()
    assert copies == 2
    assert remembering - plain == 4 * copies * 4 * values
    predicted = [forecast(asked(codec)).storage.checkpoint for codec in sizes]
    assert predicted[1] - predicted[0] == 4 * copies * 4 * values
