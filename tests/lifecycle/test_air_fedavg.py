"""AirFedAvg played whole: sums on the air, devices that come and go, runs that were cut off amid
turns, and all of it verified."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from cosim.learning.storing.adapter_store import read_adapters
from cosim.lifecycle.play import play
from cosim.scenario.model import Scenario
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to

ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"


def over_the_air(asked: Scenario, sends: str = "difference", **radio: Any) -> Scenario:
    """The scenario with real values, by 100 kHz, so that turns last."""
    data = asked.model_dump()
    data["adapter"]["bits_per_value"] = 32
    data["radio"] |= {"access": {"model": "air", "threshold_db": None}, **radio}
    aggregation = {"name": "superposed_mean", "sends": sends}
    data["method"] = asked.method.with_(aggregation=aggregation)
    return Scenario.model_validate(data)


def complaints(run: Path) -> list[str]:
    return [line for check in verify(run) if not check.ok for line in check.lines()]


@pytest.mark.slow
@pytest.mark.parametrize("sends", ["difference", "model"])
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    chosen: Any, snapshots: list[Path], tmp_path: Path, sends: str
) -> None:
    asked = chosen("air_fedavg, topology: ring", availability=ON_OFF, diagnostics="true", rounds=4)
    asked = over_the_air(asked, sends, bandwidth_hz=1e3)
    run = play(asked, out=tmp_path / "whole", spacing=0).directory
    assert complaints(run) == []
    transfers = pd.read_parquet(run / "transfers.parquet")
    sums = transfers[transfers["kind"] == "update"]
    assert sums["symbols"].notna().all()
    assert (sums["power_w"] <= 0.01).all()
    assert (sums["outcome"] == "cancelled").any()
    events = pd.read_parquet(run / "events.parquet")
    assert (events["kind"] == "cut_off").any()
    resumes_to(snapshots[1::9], everything(run))


@pytest.mark.slow
def test_strong_channels_leave_what_digital_links_leave(chosen: Any, tmp_path: Path) -> None:
    """And weak ones do not; where all hear all, both ways of sending are the uniform mean."""
    strong: dict[str, Any] = {"p_max_dbm": 60.0, "bandwidth_hz": 1e5, "deadline_s": 100.0}
    strong |= {"power": {"policy": "max_power"}}
    found = {}
    for sends in ("difference", "model"):
        for way, radio in (
            ("links", strong | {"access": "digital"}),
            ("air", strong),
            ("weak", strong | {"p_max_dbm": 0.0}),
        ):
            asked = over_the_air(chosen("air_fedavg"), sends, **radio)
            run = play(asked, out=tmp_path / f"{sends}-{way}").directory
            assert complaints(run) == []
            outcomes = set(pd.read_parquet(run / "transfers.parquet")["outcome"])
            assert outcomes == {"delivered"}
            store = read_adapters(run / "adapters")
            held = [store.adapter(device) for device in range(asked.device_count)]
            factors = [(one.values.double(), one.projection.double()) for one in held]
            found[sends, way] = torch.cat([factor for pair in factors for factor in pair])

    def off(one: tuple[str, str], other: tuple[str, str]) -> float:
        """Relative deviation over all that devices hold."""
        return float((found[one] - found[other]).norm() / found[other].norm())

    assert off(("difference", "links"), ("model", "links")) < 1e-5
    for sends in ("difference", "model"):
        assert 0 < off((sends, "air"), (sends, "links")) < 0.02
        assert off((sends, "weak"), (sends, "air")) > 5 * off((sends, "air"), (sends, "links"))
    assert off(("difference", "weak"), ("difference", "links")) < off(
        ("model", "weak"), ("model", "links")
    ), "the noise of differences is smaller, as they are"


def test_the_air_without_learning_is_times_and_energies(chosen: Any, tmp_path: Path) -> None:
    data = over_the_air(chosen("air_fedavg", availability=ON_OFF)).model_dump()
    data["learning"] = {"model": "none", "payload_bits": 320_000, "flop": 1e11}
    run = play(Scenario.model_validate(data), out=tmp_path / "network").directory
    assert complaints(run) == []
    sums = pd.read_parquet(run / "transfers.parquet").query("kind == 'update'")
    assert set(sums[sums["outcome"] == "delivered"]["symbols"]) == {5000}
