"""The studies of losses, sums on the air, silence and stragglers, by numbers worked out by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import analog_or_digital
import imperfect_links
import mixing_error
import numpy as np
import packet_outage
import pandas as pd
import pytest
import silence
import stragglers
from numpy.typing import NDArray
from safetensors.numpy import save_file

import cosim
from cosim.errors import SweepError
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.index import Entry, write_index
from cosim.sweeping.state import State
from cosim.trace.manifest import read_manifest, write_manifest

NETWORK = """\
rounds: 1
learning: {model: none, payload_bits: 64}
method: {name: dfl_imperfect, topology: complete, schedule: {name: synchronous, mixings: 1}}
radio: {power: {policy: max_power}}
devices: [{count: 3, mobility: {model: random_waypoint, speed_m_s: [1, 1]}}]
trace: {adapters: false}
"""
# What three devices have before they mix: B of two values and A, which all have alike.
BEFORE = np.array([[0.0, 3.0], [3.0, 3.0], [6.0, 3.0]])
ALIKE = np.full((3, 2), 2.0)
Tables = Callable[..., pd.DataFrame]


def _keep(run: Path, B: NDArray[np.float64], A: NDArray[np.float64]) -> None:
    """Writes adapters into a run."""
    (run / "adapters").mkdir()
    tensors, devices = dict[str, str](), []
    for device, (values, projection) in enumerate(zip(B, A, strict=True)):
        file = f"device-{device:04d}.safetensors"
        own = {f"B{device}": values.astype(np.float32), f"A{device}": projection}
        save_file(own, str(run / "adapters" / file))
        tensors |= dict.fromkeys(own, file)
        adapter = {"values": f"B{device}", "support": None, "projection": f"A{device}"}
        devices.append({"device": device, "adapter": adapter, "experts": []})
    index = {"tensors": tensors, "devices": devices}
    (run / "adapters" / "index.json").write_text(json.dumps(index))


def _play(folder: Path, grid: str, adapters: Callable[[Any], Any] | None = None) -> Path:
    """A sweep of the network alone, of two seeds; adapters: of a run's values in the grid."""
    folder.mkdir()
    (folder / "small.yaml").write_text(NETWORK)
    text = f"scenario: small.yaml\nseeds: [1, 2]\ngrid:\n{grid}"
    (folder / "small.sweep.yaml").write_text(text)
    sweep = read_sweep(folder / "small.sweep.yaml")
    for point in sweep.points:
        cosim.run(point.scenario, out=folder / point.name)
        if adapters is not None:
            _keep(folder / point.name, *adapters(point.values))
    write_index(folder, sweep, [Entry(point, State.COMPLETED, 1.0) for point in sweep.points])
    return folder


def _before(folder: Path) -> Path:
    """A sweep of `local`, which has exchanged nothing."""
    played = _play(folder, "  radio.packets: [{model: fluid}]\n", lambda _: (BEFORE, ALIKE))
    for run in played.glob("*seed-?"):
        write_manifest(run, {**read_manifest(run), "method": "local"})
    return played


def test_packets_that_are_sent_once(tmp_path: Path, table: Tables) -> None:
    grid = "  radio.packets: [{model: one_shot, packet_bits: 16, erasure: 1}]\n"
    found = table(packet_outage, _play(tmp_path / "lost", grid)).iloc[0]
    assert found["lost"] == 1.0
    assert found["seeds"] == 2
    assert packet_outage.outage(0.0) == pytest.approx(1 - np.exp(-1))
    assert packet_outage.outage(10.0) == pytest.approx(1 - np.exp(-0.1))


@pytest.mark.slow
def test_error_of_mixing_over_lost_packets(tmp_path: Path, table: Tables) -> None:
    def half_way(values: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        once = values["radio.packets"]["model"] == "one_shot"
        return (BEFORE / 2, ALIKE / 2) if once else (BEFORE.mean(0) + 0 * BEFORE, ALIKE)

    grid = "  radio.packets: [{model: one_shot, packet_bits: 16, erasure: 0.5}, {model: blocks}]\n"
    played = _play(tmp_path / "mixed", grid, half_way)
    before = _before(tmp_path / "before")
    found = table(imperfect_links, played, str(before), by=["way", "factor"])
    # ȳ = (3, 3), the disagreement before √(18/3); of y/2 (0, 1.5), (1.5, 1.5), (3, 1.5): 27/3 + …
    whole = np.sqrt((9 + 2.25 + 2.25 + 2.25 + 0 + 2.25) / 3)
    assert found.loc[("zero", "B"), "error"] == pytest.approx(whole / np.sqrt(6), rel=1e-5)
    drift = np.sqrt(1.5**2 + 1.5**2) / np.sqrt(6)
    assert found.loc[("zero", "B"), "drift"] == pytest.approx(drift, rel=1e-5)
    assert found.loc[("zero", "A"), "error"] == pytest.approx(0.5)
    assert found.loc[("blocks", "B"), "error"] == 0
    assert found.loc[("zero", "B"), "losses"] == "drawn, 50 %"
    with pytest.raises(SystemExit):
        imperfect_links.main([str(played), "--out", str(tmp_path / "f")])


@pytest.mark.slow
def test_sums_on_the_air_beside_bits(tmp_path: Path, table: Tables) -> None:
    grid = "  learning.payload_bits: [64, 16]\n"
    before = _before(tmp_path / "before")
    found = table(analog_or_digital, _play(tmp_path / "bits", grid), str(before), by="way")
    # Four values: 16 and 4 bits each, over the same links in a quarter of the time.
    assert found.loc["16 bit", "neighbours"] == 2
    longer = found.loc["16 bit", "exchange_s"] / found.loc["4 bit", "exchange_s"]
    assert longer == pytest.approx(4, rel=1e-3)
    assert found.loc["16 bit", "broadcast_s"] == pytest.approx(
        found.loc["16 bit", "exchange_s"] / 2, rel=1e-3
    )
    updates = pd.DataFrame({"src": [0, 1], "dst": [1, 2]})
    exact = analog_or_digital.exact_means(BEFORE, updates)
    assert exact[:, 0].tolist() == [0.0, 1.5, 4.5]


@pytest.mark.parametrize(
    ("error", "bits"),
    [(2.0**-5, 6.0), (2.0**-3, 4.0), (2.0**-1, 2.0), (2.0**-11, 12.0), (2.0**-17, 18.0)],
)
def test_bits_that_err_as_much(error: float, bits: float) -> None:
    """Errors of 2^(1 − b), given in any order."""
    known = [16.0, 4.0, 8.0]
    found = analog_or_digital.equal_bits(error, known, [2.0 ** (1 - b) for b in known])
    assert found == pytest.approx(bits)


def test_an_error_is_of_all_factors_together() -> None:
    B, A = {"B": BEFORE, "A": ALIKE}, {"B": BEFORE, "A": ALIKE + 1}
    error = mixing_error.mixing_error(A, B, ["B", "A"])
    assert error.apart == pytest.approx(np.sqrt(6))
    assert error.whole == pytest.approx(np.sqrt(6 + 2))
    assert error.drift == pytest.approx(np.sqrt(2))
    assert error.size == pytest.approx(np.sqrt(18 + 8))


def test_what_silence_saves(sweep: Callable[..., Path], table: Tables) -> None:
    rows = [
        {
            "method": "event_gossip",
            "seed": seed,
            "accuracy": (0, 0.5 - threshold),
            "joules": 10 - 20 * threshold,
            "silent": int(10 * threshold),
            "parts": {"sending": {"name": "on_drift", "threshold": threshold, "by": "same"}},
            "threshold": threshold,
        }
        for threshold in (0, 0.1)
        for seed in (1, 2)
    ]
    for row in rows:
        del row["threshold"]
    found = table(silence, sweep(rows), by="threshold").loc[0.1]
    assert found["gain"] == pytest.approx(-10)
    assert found["saved_transmissions"] == pytest.approx(50)
    assert found["saved_energy_j"] == pytest.approx(20)
    assert found["saved_simulated_s"] == pytest.approx(0)
    assert found["beacons"] == 1


def test_thresholds_by_rate_stand_beside_one_for_all(
    sweep: Callable[..., Path], table: Tables
) -> None:
    kinds = (("rate", 0, 10.0, 0.5), ("rate", 0.1, 6.0, 0.4), ("same", 0.1, 8.0, 0.45))
    rows = [
        {
            "method": "ef_hc",
            "seed": seed,
            "accuracy": (0, reached + 0.01 * seed),
            "joules": joules,
            "silent": 0,
            "parts": {"sending": {"name": "on_drift", "threshold": threshold, "by": by}},
        }
        for by, threshold, joules, reached in kinds
        for seed in (1, 2)
    ]
    found = table(silence, sweep(rows), by=["method", "threshold"])
    assert set(found.index) == {
        (name, level) for name in ("ef_hc", "ef_hc, one for all") for level in (0, 0.1)
    }
    by_rate, alike = found.loc[("ef_hc", 0.1)], found.loc[("ef_hc, one for all", 0.1)]
    assert by_rate["saved_energy_j"] == pytest.approx(40)
    assert alike["saved_energy_j"] == pytest.approx(20)
    assert by_rate["by_rate_accuracy"] == pytest.approx(-5)
    assert by_rate["by_rate_energy_j"] == pytest.approx(-25)
    assert by_rate["by_rate_energy_j_half"] == pytest.approx(0)
    assert np.isnan(alike["by_rate_energy_j"])
    assert found.loc[("ef_hc", 0), "by_rate_accuracy"] == 0


def test_silence_is_counted_from_none(
    sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"sending": {"name": "on_drift", "threshold": 0.1, "by": "rate"}}
    rows = [{"method": "ef_hc", "seed": 1, "parts": parts}]
    with pytest.raises(SystemExit):
        silence.main([str(sweep(rows)), "--out", str(tmp_path / "f")])
    assert "from threshold 0" in capsys.readouterr().err


def test_stragglers(sweep: Callable[..., Path], table: Tables) -> None:
    ways = {
        "paper": {"aggregation": "layerwise_mean"},
        "drop": {"aggregation": {"name": "layerwise_mean", "cut": "drop"}},
        "old counted": {"aggregation": "mean"},
        "waiting": {"aggregation": "layerwise_mean"},
    }
    rows = [
        {
            "method": "salf",
            "seed": seed,
            "parts": ways[way],
            "accuracy": (0, value),
            "compute_deadline_s": None if way == "waiting" else 0.5,
            "stopped": 0 if way == "waiting" else 1,
        }
        for way, value in (
            ("paper", 0.6),
            ("drop", 0.5),
            ("old counted", 0.55),
            ("waiting", 0.7),
        )
        for seed in (1, 2)
    ]
    found = table(stragglers, sweep(rows), by="way")
    assert found.loc["paper", "gain"] == pytest.approx(10)
    assert found.loc["old counted", "gain"] == pytest.approx(5)
    assert found.loc["paper", "stopped"] == pytest.approx(0.5)
    assert found.loc["waiting", "accuracy"] == pytest.approx(70)
    assert np.isinf(found.loc["waiting", "deadline_s"])


def test_a_run_without_adapters_says_so(tmp_path: Path) -> None:
    run = cosim.read_run(next(_play(tmp_path / "none", "  rounds: [1]\n").glob("*seed-1")))
    with pytest.raises(SweepError, match="kept no adapters"):
        mixing_error.held(run)
