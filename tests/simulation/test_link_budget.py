"""A device trains no more than its links carry by Γ (eq. 22 with 11a of arXiv 2602.20492)."""

import math
from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.trace.reader import Run

# Two devices at known places, a channel without fading: all is known in closed form.
SCENARIO = """\
seed: 2
rounds: 1
method: {method}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{every: 1, samples: 2}}
devices: [{{count: 3, mobility: {{model: static}}}}]
radio:
  bandwidth_hz: {bandwidth_hz}
  deadline_s: 0.5
  p_max_dbm: 0
  fading: {{model: none}}
  power: {{policy: lemma1, margin_db: 3}}
trace: {{adapters: false}}
"""


@pytest.fixture
def play(tiny_llama: Path, tmp_path: Path) -> Any:
    def run(method: str, bandwidth_hz: float) -> Run:
        path = tmp_path / f"{method}-{bandwidth_hz:g}.yaml"
        given = {"model": tiny_llama, "method": method, "bandwidth_hz": f"{bandwidth_hz:.1f}"}
        path.write_text(SCENARIO.format(**given), encoding="utf-8")
        return cosim.run(path, out=path.with_suffix(""))

    return run


def _density(run: Run) -> float:
    return float(run.layers["active"].sum() / run.layers["parameters"].sum())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["proposed", "proposed_single_cluster", "lori"])
def test_a_narrow_band_makes_sparse_masks_that_arrive(play: Any, method: str) -> None:
    wide, narrow = play(method, 50e6), play(method, 400.0)
    assert _density(wide) == pytest.approx(0.3, abs=0.01)
    assert _density(narrow) < 0.5 * _density(wide)
    sent = narrow.transfers[narrow.transfers["kind"] == "update"]
    # A cluster may join others than the nearest.
    assert (sent["outcome"] == "delivered").sum() >= (1 if method == "proposed" else len(sent))
    assert len(sent)


def test_the_first_payload_is_what_lemma_1_brings_to_all_others(play: Any) -> None:
    run = play("proposed_single_cluster", 400.0)
    sent = run.transfers[run.transfers["kind"] == "update"]
    for _, own in sent.groupby("src"):
        # The mean noise over gain, back from a transfer's power: p = m·(σ²/h)·(2^x − 1).
        x = own["bits"].iloc[0] * len(own) / (400.0 * 0.5)
        over = (own["power_w"] / (2**x - 1)).sum()
        most = math.log2(1 + 1e-3 / over) * 400.0 * 0.5 / len(own)
        # All of it but for the last value, and what uneven masks save.
        assert 0.8 * most < own["bits"].iloc[0] <= most


def test_dense_methods_have_nothing_to_choose(play: Any) -> None:
    run = play("lora", 400.0)
    assert _density(run) == 1.0
