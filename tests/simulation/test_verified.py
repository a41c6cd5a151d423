"""Whatever the simulator plays, `cosim verify` finds nothing wrong with it."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from cosim.lifecycle.play import play
from cosim.scenario.model import Scenario
from cosim.verification.verify import verify
from tests.simulation.random_scenarios import scenarios
from tests.simulation.small_networks import scenario


def refusals(chosen: Scenario, folder: Path) -> list[str]:
    """Plays a scenario and verifies its run: every line that is not ok."""
    run = play(chosen, out=folder / "run").directory
    try:
        return [line for check in verify(run) if not check.ok for line in check.lines()]
    finally:
        shutil.rmtree(run)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verified")


@pytest.mark.slow
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(chosen=scenarios)
def test_a_random_scenario_is_verified(chosen: Scenario, folder: Path) -> None:
    assert refusals(chosen, folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("availability", ["always", "exponential"])
def test_clusters_with_announcements_and_experts_are_verified(
    folder: Path, availability: str
) -> None:
    times = {"mean_on_s": 3.0, "mean_off_s": 1.0} if availability == "exponential" else {}
    group = {"count": 7, "availability": {"model": availability, **times}}
    chosen = scenario(method="proposed", rounds=4, devices=[group], area={"radius_m": 300.0})
    assert refusals(chosen, folder) == []
