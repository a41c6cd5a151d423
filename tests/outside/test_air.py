"""Path losses, fadings and movements that an installed package brings."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cosim as package
from cosim.errors import ResumeError
from cosim.lifecycle import provenance
from cosim.lifecycle.play import Interrupted, play, resume
from cosim.physics.decibel import db_to_ratio
from cosim.randomness import stream
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario
from cosim.simulation.links.link_need import reach_m
from cosim.simulation.links.mean_gain import mean_gain
from cosim.simulation.setup.build import build_devices
from cosim.trace.manifest import read_manifest
from tests.outside.air_package import MODULE, MOVING, STILL, forget

LIGHT_M_S = 299_792_458.0
NOISE_W_HZ = 1.380649e-23 * 290.0
# Antennas 20 m above the ground: among 300 m, a fade every 10 m.
FAST = "learning: {model: none, payload_bits: 3000000, flop: 1.0e11}"
HIGH = (
    "bandwidth_hz: 1.0e6, p_max_dbm: 0, power: max_power, "
    "path_loss: {model: two_ray, antenna_m: 20}"
)


def two_ray_gain(distance_m: float, antenna_m: float, carrier_hz: float) -> float:
    """(λ/4π)²·|e^(−iφ)/d − 1/r|², in real numbers."""
    reflected_m = math.sqrt(distance_m**2 + 4.0 * antenna_m**2)
    wavelength_m = LIGHT_M_S / carrier_hz
    phase = 2.0 * math.pi * (reflected_m - distance_m) / wavelength_m
    squares = 1.0 / distance_m**2 + 1.0 / reflected_m**2
    interference = 2.0 * math.cos(phase) / (distance_m * reflected_m)
    return (wavelength_m / (4.0 * math.pi)) ** 2 * (squares - interference)


@pytest.mark.usefixtures("air")
def test_a_transfer_takes_what_two_rays_and_a_gamma_law_give_by_hand(
    written: Any, tmp_path: Path
) -> None:
    run = package.run(written(STILL), out=tmp_path / "run")
    gain = two_ray_gain(60.0, 1.5, 3.5e9)
    for round_ in (1, 2):
        fade = stream(3, "fading", 0, 1, round_).gamma(2.0, 0.5)
        snr = 1.0e-3 * gain * fade / (NOISE_W_HZ * 1.0e6 * 10**0.9)
        rows = run.transfers[run.transfers["round"] == round_]
        assert len(rows) == 2
        took_s = rows["end_s"] - rows["start_s"]
        np.testing.assert_allclose(took_s, 4.0e6 / (1.0e6 * math.log2(1.0 + snr)), rtol=1e-9)
        np.testing.assert_allclose(rows["mean_snr_db"], 10.0 * math.log10(snr), rtol=1e-9)


@pytest.mark.usefixtures("air")
def test_a_fading_that_moves_with_time_is_followed_within_a_transfer(
    written: Any, tmp_path: Path
) -> None:
    """2 in one half second, 0 in the next, between devices at rest: 0.8 s of a constant 2 are 0.5
    on, 0.5 off, 0.3 on."""
    gain = two_ray_gain(60.0, 1.5, 3.5e9)
    rate = 1.0e6 * math.log2(1.0 + 2.0e-3 * gain / (NOISE_W_HZ * 1.0e6 * 10**0.9))
    text = STILL.replace("nakagami", "blinking").replace("4000000", str(round(0.8 * rate)))
    run = package.run(written(text.replace("rounds: 2", "rounds: 1")), out=tmp_path / "run")
    assert set(run.transfers["start_s"]) == {2.0}
    np.testing.assert_allclose(run.transfers["end_s"] - 2.0, 1.3, atol=1e-6)


@pytest.mark.usefixtures("air")
def test_devices_go_round_their_circle(written: Any, tmp_path: Path) -> None:
    run = package.run(written(MOVING), out=tmp_path / "run")
    positions = run.positions
    for device in range(3):
        own = positions[positions["device"] == device]
        begins = 2.0 * math.pi * stream(5, "mobility", device).random()
        angle = begins + own["time_s"] * 12.0 / 30.0
        np.testing.assert_allclose(own["x_m"], 30.0 * np.cos(angle), atol=1e-9)
        np.testing.assert_allclose(own["y_m"], 30.0 * np.sin(angle), atol=1e-9)
    assert len(run.transfers) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("air")
@pytest.mark.parametrize("text", [STILL, MOVING])
def test_a_run_names_what_it_took_and_its_scenario_plays_again(
    written: Any, tmp_path: Path, air: Path, text: str
) -> None:
    run = package.run(written(text), out=tmp_path / "run")
    again = package.run(tmp_path / "run" / "scenario.yaml", out=tmp_path / "again")
    assert again.manifest["results_sha256"] == run.manifest["results_sha256"]
    chosen = load(tmp_path / "run" / "scenario.yaml")
    assert chosen == load(written(text))
    origin = run.manifest["outside"]["radio.path_loss"]
    assert (origin["distribution"], origin["version"]) == ("my-air", "1.0")
    assert (origin["name"], origin["module"]) == ("two_ray", "my_air")
    assert len(origin["sha256"]) == 64
    if text == MOVING:
        assert set(run.manifest["outside"]) == {
            "radio.path_loss", "radio.fading", "devices.0.mobility",
        }  # fmt: skip


@pytest.mark.usefixtures("air")
def test_a_word_a_mapping_and_an_object_are_the_same(written: Any) -> None:
    chosen = load(written(STILL))
    mapping = load(written(STILL.replace(": two_ray", ": {model: two_ray, antenna_m: 1.5}")))
    assert mapping == chosen
    data = chosen.model_dump()
    data["radio"]["path_loss"] = chosen.radio.path_loss
    assert Scenario.model_validate(data) == chosen
    assert load(written(dump(chosen))) == chosen
    high = load(written(STILL), ["radio.path_loss.antenna_m=3"])
    assert high.radio.path_loss.model_dump()["antenna_m"] == 3.0


@pytest.mark.usefixtures("air")
def test_an_object_that_nobody_could_read_again_is_refused(written: Any) -> None:
    data = load(written(STILL)).model_dump()

    class Mine(type(load(written(STILL)).radio.path_loss)):  # type: ignore[misc]
        """No entry point names it."""

    data["radio"]["path_loss"] = Mine()
    with pytest.raises(ValueError, match=r"Mine is no entry point of cosim\.path_loss"):
        Scenario.model_validate(data)


def reference_reach_m(radio: Any, attenuation: float) -> float:
    """The last of very many distances that has as little."""
    distances = np.geomspace(1.0, 1e5, 400_000)
    gains = mean_gain(distances, radio.path_loss, radio.carrier_hz)
    return float(distances[np.flatnonzero(gains * attenuation >= 1.0)[-1]])


@pytest.mark.usefixtures("air")
def test_no_link_lies_beyond_the_reach_of_a_loss_that_rises_and_falls(written: Any) -> None:
    radio = load(written(STILL)).radio
    losses_db = np.array([75.0, 80.0, 84.0, 90.0, 120.0])
    for loss_db, reach in zip(losses_db, reach_m(radio, db_to_ratio(losses_db)), strict=True):
        last = reference_reach_m(radio, float(db_to_ratio(loss_db)))
        assert last < reach < 1.02 * last


@pytest.mark.slow
def test_verify_refuses_another_source(cosim: Any, air: Path, written: Any) -> None:
    assert cosim("run", written(MOVING), "--out", "run").code == 0
    ended = cosim("verify", "run")
    assert (ended.code, ended.err) == (0, "")
    assert "outside    ok: radio.path_loss by my-air" in ended.out
    air.write_text(MODULE + "# touched\n", encoding="utf-8")
    forget(air.parent)
    ended = cosim("verify", "run")
    assert ended.code == 1
    wrong = [line for line in ended.out.splitlines() if "WRONG" in line]
    assert len(wrong) == 3
    assert wrong[0].startswith("outside    WRONG: manifest.json: outside, radio.path_loss, sha256")


@pytest.mark.slow
def test_a_sweep_plays_it_in_processes_of_its_own(cosim: Any, air: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(MOVING, encoding="utf-8")
    (tmp_path / "air.yaml").write_text(
        "scenario: s.yaml\nseeds: [1, 2]\ngrid: {radio.path_loss: [two_ray, paper]}\n",
        encoding="utf-8",
    )
    ended = cosim("sweep", "air.yaml", "--jobs", "2")
    assert ended.code == 0, ended.err
    runs = pd.read_parquet("runs/air/runs.parquet")
    assert runs["status"].tolist() == ["completed"] * 4
    manifests = {path: path.read_bytes() for path in Path("runs/air").glob("*/manifest.json")}
    assert len(manifests) == 4
    assert cosim("sweep", "air.yaml").code == 0
    assert {path: path.read_bytes() for path in manifests} == manifests


LEARNING = """\
seed: 5
rounds: 3
method: lora
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4}}
tasks: {{sums: {{dataset: chain_sum, samples: 20}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 2, mobility: circle}}]
radio: {{path_loss: two_ray, fading: nakagami}}
"""


class Stop(package.Observer):
    """Ctrl-C after the second round."""

    def closed(self, round_: int, time_s: float) -> None:
        if round_ == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_that_learns_goes_on_by_the_same_source_alone(
    tiny_llama: Path, air: Path, written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "code", lambda: {"learning": "a digest"})
    chosen = load(written(LEARNING.format(model=tiny_llama)))
    whole = play(chosen, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        play(chosen, out=tmp_path / "cut", observers=[Stop()], spacing=0)
    air.write_text(MODULE + "# touched\n", encoding="utf-8")
    forget(air.parent)
    with pytest.raises(ResumeError, match=r"the code of my_air has changed\.$"):
        resume(tmp_path / "cut")
    air.write_text(MODULE, encoding="utf-8")
    forget(air.parent)
    resume(tmp_path / "cut")
    manifest = read_manifest(tmp_path / "cut")
    assert manifest["results_sha256"] == whole.manifest["results_sha256"]
    assert manifest["resumed"] == 1


@pytest.mark.slow
def test_a_run_without_checkpoints_goes_on_by_the_same_source_alone(
    cosim: Any, air: Path, written: Any, tmp_path: Path
) -> None:
    chosen, run = load(written(MOVING.replace("rounds: 2", "rounds: 3"))), tmp_path / "cut"
    whole = play(chosen, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        play(chosen, out=run, observers=[Stop()])
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    air.write_text(MODULE + "# touched\n", encoding="utf-8")
    forget(air.parent)
    ended = cosim("resume", run)
    assert (ended.code, ended.out) == (2, "")
    why = "its traces would not be those of one run: the code of my_air has changed."
    assert ended.err == f"cosim: {run} cannot be resumed, because {why}\n"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    air.write_text(MODULE, encoding="utf-8")
    forget(air.parent)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    damaged = json.dumps(manifest | {"outside": {"radio.fading": 3}})
    (run / "manifest.json").write_text(damaged, encoding="utf-8")
    ended = cosim("resume", run)
    assert ended.code == 2
    assert "manifest.json: 'outside' is not what cosim writes there" in ended.err
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert resume(run).manifest["results_sha256"] == whole.manifest["results_sha256"]


@pytest.mark.usefixtures("air")
def test_slots_follow_two_rays_whose_ends_move(written: Any, tmp_path: Path) -> None:
    """What came through is the rate's integral over a hundred thousand moments."""
    text = MOVING.replace("blinking", "none").replace("learning: none", FAST)
    text = text.replace("radius_m: 30, speed_m_s: 12", "radius_m: 300, speed_m_s: 60")
    text = text.replace("path_loss: two_ray", HIGH).replace("random, degree: 2", "complete")
    text = text.replace("count: 1", "count: 2").replace("count: 3", "count: 1")
    run = package.run(written(text), out=tmp_path / "run")
    chosen = load(tmp_path / "run" / "scenario.yaml")
    paths = [device.trajectory for device in build_devices(chosen)]
    noise_w_hz, errors = NOISE_W_HZ * 10**0.9, []
    for row in run.transfers.itertuples():
        edges_s = np.linspace(row.start_s, row.end_s, 100_001)
        times_s = (edges_s[1:] + edges_s[:-1]) / 2
        apart = paths[row.dst].position_m(times_s) - paths[row.src].position_m(times_s)
        gains = mean_gain(np.hypot(*apart.T), chosen.radio.path_loss, 3.5e9)
        share_hz = 1.0e6 / len(
            run.transfers[(run.transfers["round"] == row.round) & (run.transfers["src"] == row.src)]
        )
        rates = share_hz * np.log2(1.0 + row.power_w * gains / (noise_w_hz * share_hz))
        bits = float(rates.mean() * (row.end_s - row.start_s))
        errors.append(bits / row.delivered_bits - 1.0)
    assert len(errors) > 10
    assert np.abs(errors).max() < 1e-6
