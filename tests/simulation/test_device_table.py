"""`devices.parquet`: what each device is, as it begins the run."""

import math
from pathlib import Path

import pytest

from cosim.errors import RunDirectoryError
from cosim.lifecycle.play import Interrupted, play, resume
from cosim.randomness import stream
from cosim.scenario.model import Scenario
from cosim.trace.reader import Run, read_run
from tests.simulation.small_networks import scenario

OWN = {
    "source": "by hand",
    "peak_flop_s": 4.0e11,
    "utilisation": 0.3,
    "compute_w": 4,
    "idle_w": 0.5,
    "pa_efficiency": 0.35,
    "transmit_circuit_w": 0.5,
    "receive_w": 0.6,
    "battery_j": 60.0,
}
MIX = {"mix": {"flagship_phone": 1, "raspberry_pi_5": 1}}


def mixed(method: str) -> Scenario:
    groups = [
        {"count": 6, "profile": MIX, "speed_sigma": 0.3},
        {"count": 2, "profile": OWN, "density": 0.5},
    ]
    return scenario(method=method, rounds=2, devices=groups)


def played(chosen: Scenario, out: Path) -> Run:
    return read_run(play(chosen, out=out).directory)


def test_a_row_says_what_was_drawn(tmp_path: Path) -> None:
    chosen = mixed("lora")
    devices = played(chosen, tmp_path / "run").devices
    assert devices["device"].tolist() == list(range(8))
    assert devices["group"].tolist() == [0] * 6 + [1] * 2
    names = devices["profile"].tolist()
    assert set(names[:6]) == set(MIX["mix"]), "the mix of this seed has both"
    assert names[6:] == ["devices.1.profile"] * 2
    drawn = [
        math.exp(0.3 * float(stream(chosen.seed, "speed", device).standard_normal()))
        for device in range(6)
    ]
    assert devices["speed"].tolist() == [*drawn, 1.0, 1.0]
    peaks = devices.groupby("profile")["peak_flop_s"].unique()
    assert all(len(of_one) == 1 for of_one in peaks)
    assert peaks["devices.1.profile"] == [4.0e11]
    on_mains = devices["battery_j"].isna().tolist()
    assert on_mains == [name == "raspberry_pi_5" for name in names]
    assert devices["battery_j"].tolist()[6:] == [60.0, 60.0]
    # Nothing is learnt, and LoRA has no masks.
    for column in ("task", "training_rows", "density"):
        assert devices[column].isna().all(), column


def test_a_masked_method_has_the_groups_densities(tmp_path: Path) -> None:
    chosen = mixed("proposed")
    devices = played(chosen, tmp_path / "run").devices
    assert devices["density"].tolist() == [chosen.adapter.density] * 6 + [0.5] * 2


def test_the_rows_join_rounds_and_transfers(tmp_path: Path) -> None:
    run = played(mixed("lora"), tmp_path / "run")
    rounds = run.rounds.merge(run.devices, on="device", suffixes=("", "_at_first"))
    assert len(rounds) == len(run.rounds)
    batteries = rounds[rounds["group"] == 1]
    assert (batteries["battery_j"] < batteries["battery_j_at_first"]).all()
    sent = run.transfers.merge(run.devices, left_on="src", right_on="device")
    assert len(sent) == len(run.transfers) > 0


def test_a_resumed_run_has_the_same_rows(tmp_path: Path) -> None:
    class Stops:
        def saw(self, row: object) -> None: ...

        def scored(self, round_: int, measurements: object) -> None: ...

        def closed(self, round_: int, time_s: float) -> None:
            raise KeyboardInterrupt

    chosen = mixed("proposed")
    whole = played(chosen, tmp_path / "whole").table("devices")
    with pytest.raises(Interrupted):
        play(chosen, out=tmp_path / "run", observers=[Stops()])
    assert read_run(tmp_path / "run").table("devices").equals(whole), "written at the start"
    assert read_run(resume(tmp_path / "run").directory).table("devices").equals(whole)


def test_a_completed_run_without_the_table_is_refused(tmp_path: Path) -> None:
    run = played(mixed("lora"), tmp_path / "run")
    (run.directory / "devices.parquet").unlink()
    with pytest.raises(RunDirectoryError, match=r"has no devices\.parquet: another version of"):
        _ = read_run(run.directory).devices
