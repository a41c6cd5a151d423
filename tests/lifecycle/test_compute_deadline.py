"""Runs in which a compute deadline stops devices: what they have done, drawn, said and mixed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.setup.build import build_learner
from cosim.trace.manifest import read_manifest
from cosim.trace.reader import Run, read_run
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to

SCENARIO = """\
name: compute deadline
seed: 5
rounds: {rounds}
method: {{name: {method}, topology: complete, schedule: {schedule}}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 60, parameters: {{max_terms: 2, max_digits: 1}}}}
training:
  {{steps: {steps}, batch_size: 3, learning_rate: 0.02, compute_deadline_s: {deadline_s}}}
evaluation: {{every: 1, samples: 2}}
area: {{shape: square, side_m: 50}}
radio: {{late: {late}, bandwidth_hz: {bandwidth_hz}, p_max_dbm: 10}}
trace: {{diagnostics: {diagnostics}}}
devices:
{devices}
"""
DEVICE = """\
  - count: 1
    mobility: static
    availability: {availability}
    profile: {{peak_flop_s: {flop_s}, utilisation: 0.5, compute_w: 4, idle_w: 0.5,
      pa_efficiency: 0.35, transmit_circuit_w: 0.5, receive_w: 0.6, battery_j: {battery_j}}}
"""
# By the deadline they reach all four blocks, three, one and none.
RATES = [4.0e9, 3.45e8, 2.4e8, 1.0e8]
DEADLINE_S, COMPUTE_W, UTILISATION = 0.2, 4.0, 0.5
BLOCKS, RANK = 4, 2
NAMED = "salf, aggregation: {{name: layerwise_mean, cut: {cut}, weighting: {weighting}}}"
Make = Callable[..., Scenario]


@pytest.fixture
def chosen(llama_of: Callable[[int], Path], tmp_path: Path) -> Make:
    def make(method: str, *, blocks: int = BLOCKS, **changes: Any) -> Scenario:
        parts = {"schedule": "synchronous", "steps": 1, "deadline_s": DEADLINE_S, "rounds": 2}
        parts |= {"late": "drop", "bandwidth_hz": 1.0e7, "diagnostics": "false"}
        kit = {"availability": "always", "battery_j": "null"}
        kit |= {name: changes.pop(name) for name in list(kit) if name in changes}
        rates = changes.pop("rates", RATES)
        devices = "".join(DEVICE.format(flop_s=f"{rate:.3e}", **kit) for rate in rates)
        known = {**parts, **changes, "model": llama_of(blocks), "method": method}
        text = SCENARIO.format(devices=devices, **known)
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "s.yaml")

    return make


def played(scenario: Scenario, folder: Path) -> Run:
    run = play(scenario, out=folder).directory
    assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
    return read_run(run)


def found(run: Run) -> tuple[str, dict[str, bytes]]:
    """All of its tables, as one hash, and the adapters."""
    adapters = {file.name: file.read_bytes() for file in (run.directory / "adapters").iterdir()}
    return read_manifest(run.directory)["results_sha256"], adapters


def stopped(run: Run) -> pd.DataFrame:
    events = run.events
    return events[(events["kind"] == "compute_end") & (events["cause"] == "deadline")]


@pytest.mark.slow
def test_a_deadline_that_nobody_meets_is_none(chosen: Make, tmp_path: Path) -> None:
    """And `salf` is then `lora` to the bit: its tables, its bits, its adapters."""
    lora = found(played(chosen("lora", deadline_s="null"), tmp_path / "lora"))
    for deadline_s in ("null", "1.0e+6"):
        run = played(chosen("salf", deadline_s=deadline_s), tmp_path / f"salf-{deadline_s}")
        assert found(run) == lora
        assert stopped(run).empty


@pytest.mark.slow
@pytest.mark.parametrize("method", ["salf", "lora"])
def test_by_a_deadline_of_nothing_nothing_is_trained_or_sent(
    chosen: Make, tmp_path: Path, method: str
) -> None:
    run = played(chosen(method, deadline_s=0), tmp_path / "run")
    rounds = run.rounds
    assert run.transfers.empty
    assert rounds["loss"].isna().all()
    assert not rounds[["flop", "compute_s", "energy_compute_j", "missed"]].to_numpy().any()
    assert len(stopped(run)) == len(rounds)


@pytest.mark.slow
def test_a_model_of_one_block_is_reached_or_dropped(chosen: Make, tmp_path: Path) -> None:
    rates = [4.0e9, 4.0e9, 5.0e7]
    runs = {}
    for cut in ("layerwise", "drop"):
        method = NAMED.format(cut=cut, weighting="paper")
        runs[cut] = played(chosen(method, blocks=1, rates=rates), tmp_path / cut)
        assert set(stopped(runs[cut])["device"]) == {2}
        assert set(runs[cut].transfers["src"]) == {0, 1}
    assert found(runs["layerwise"]) == found(runs["drop"])


@pytest.mark.slow
def test_what_is_dropped_is_missed_by_nobody_and_the_others_go_on(
    chosen: Make, tmp_path: Path
) -> None:
    run = played(chosen("lora"), tmp_path / "run")
    late = set(stopped(run)["device"])
    assert late == {1, 2, 3}
    assert set(run.transfers["src"]) == {0}
    rounds = run.rounds.set_index("device")
    assert not rounds["missed"].any()
    assert rounds.loc[[1, 2, 3], "received"].eq(1).all()
    assert rounds.loc[[1, 2, 3], "loss"].isna().all()
    # What it hears a device mixes, whatever became of its own training.
    mixes = run.events[run.events["kind"] == "aggregate"].groupby("device").size()
    assert mixes.to_dict() == dict.fromkeys(range(4), 2)


def costs(scenario: Scenario, device: int, round_: int) -> tuple[int, int, int]:
    """FLOP of the pass forward, of the head backward and of a block backward, by formula."""
    learner: Any = build_learner(scenario)
    batch = learner.rows.batch(device, round_, 0, 3)
    h, inner, kv, V = 32, 64, 16, learner.base.model.lm_head.weight.shape[0]
    shapes = [(h, h), (kv, h), (kv, h), (h, h), (inner, h), (inner, h), (h, inner)]
    P, A, B = (
        sum(size) for size in zip(*((d * k, RANK * k, d * RANK) for d, k in shapes), strict=True)
    )
    n, T = len(batch), max(len(row.prompt) + len(row.answer) - 1 for row in batch)
    head = 2 * sum(len(row.answer) for row in batch) * h * V
    forward = n * BLOCKS * (2 * T * (P + A + B) + 4 * T * T * h) + head
    block = n * (2 * T * (P + 2 * A + 2 * B) + 8 * T * T * h)
    return forward, head, block


@pytest.mark.slow
def test_a_device_has_done_its_rate_times_the_deadline(chosen: Make, tmp_path: Path) -> None:
    """FLOP, joules, blocks and bits of one device, reckoned by hand."""
    scenario = chosen("salf", rounds=1)
    run = played(scenario, tmp_path / "run")
    values = sum(
        RANK * (d + k)
        for d, k in [(32, 32), (16, 32), (16, 32), (32, 32), (64, 32), (64, 32), (32, 64)]
    )
    depths = []
    for device, rate in enumerate(RATES):
        forward, head, block = costs(scenario, device, 1)
        whole = forward + head + BLOCKS * block
        done = min(rate * UTILISATION * DEADLINE_S, whole)
        depth = max(0, int((done - forward - head) // block))
        depths.append(depth)
        of_device = run.events[run.events["device"] == device]
        starts, ends = (of_device[of_device["kind"] == f"compute_{at}"] for at in ("start", "end"))
        computed_s = ends["time_s"].iloc[0] - starts["time_s"].iloc[0]
        assert computed_s == pytest.approx(done / (rate * UTILISATION))
        row = run.rounds.set_index("device").loc[device]
        mixing_s = row["compute_s"] - computed_s
        assert row["energy_compute_j"] == pytest.approx(COMPUTE_W * (computed_s + mixing_s))
        assert row["flop"] == pytest.approx(done + mixing_s * rate * UTILISATION)
        sent = run.transfers[run.transfers["src"] == device]["bits"]
        # Three bits name one of 0 to 4 blocks; q is a value a block.
        names = 3 + 16 * BLOCKS if depth < BLOCKS else 0
        assert sent.tolist() == [16 * depth * values + names] * (3 if depth else 0)
    assert depths == [4, 3, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weighting", "schedule"),
    [
        *((weighting, "synchronous") for weighting in ("paper", "released", "inverse_probability")),
        ("paper", "cluster"),
    ],
)
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    chosen: Make, snapshots: list[Path], tmp_path: Path, weighting: str, schedule: str
) -> None:
    """With devices that come and go, two local steps, batteries and late messages."""
    asked = chosen(
        NAMED.format(cut="layerwise", weighting=weighting),
        schedule=schedule,
        steps=2,
        rounds=3,
        rates=[8.0e9, 6.2e8, 3.0e8, 1.0e8],
        late="stale",
        bandwidth_hz=3.0e4,
        diagnostics="true",
        availability="{model: exponential, mean_on_s: 6, mean_off_s: 1}",
        battery_j=20,
    )
    run = play(asked, out=tmp_path / "whole", spacing=0).directory
    assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
    assert not stopped(read_run(run)).empty
    resumes_to([snapshots[2], snapshots[len(snapshots) // 2], snapshots[-2]], everything(run))
