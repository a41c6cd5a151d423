"""Which profile a device has: drawn by its own stream, changed by its group, read from a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.methods.workload import Workload
from cosim.preflight.explain import compute_fact
from cosim.scenario.catalogue import catalogue
from cosim.scenario.profile import FlopTime, PaperTime, Profile
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.setup.build import build_devices, given_work
from cosim.simulation.setup.equipment import equipment
from tests.simulation.small_networks import NO_LEARNING, PROFILE, scenario

MIX = {"mix": {"flagship_phone": 5, "midrange_phone": 3, "raspberry_pi_5": 2}}
WORK = Workload(flop=3.0e12, passes=6, steps=5, samples=40, trained=1_000_000, ranked=2_000_000)


def names(*groups: dict[str, Any], seed: int = 1) -> list[str]:
    return [own.name for own in equipment(scenario(devices=list(groups), seed=seed))]


def test_a_mix_is_drawn_by_its_weights() -> None:
    drawn = names({"count": 4000, "profile": MIX})
    for name, weight in MIX["mix"].items():
        share = weight / 10
        spread = np.sqrt(share * (1 - share) / 4000)
        assert abs(drawn.count(name) / 4000 - share) < 4 * spread


def test_only_the_ratio_of_weights_counts() -> None:
    larger = {"mix": {name: 1000.0 * weight for name, weight in MIX["mix"].items()}}
    group = {"count": 200, "profile": MIX}
    assert names(group) == names(group | {"profile": larger})
    assert names(group) != names(group, seed=2)


def test_another_device_changes_nobody_elses_profile() -> None:
    group = {"count": 20, "profile": MIX, "speed_sigma": 0.3}
    more = {"count": 50, "profile": MIX, "speed_sigma": 0.3}
    assert equipment(scenario(devices=[group])) == equipment(scenario(devices=[more]))[:20]


def test_speeds_are_log_normal_around_the_profiles_own() -> None:
    group = {"count": 2000, "profile": PROFILE | {"speed": 2.0}, "speed_sigma": 0.25}
    found = equipment(scenario(devices=[group]))
    logs = np.log([own.profile.speed / 2.0 for own in found])
    assert abs(logs.mean()) < 4 * 0.25 / np.sqrt(2000)
    assert abs(logs.std() / 0.25 - 1) < 4 / np.sqrt(2 * 2000)


def test_without_a_spread_a_device_is_as_its_profile_says() -> None:
    for own in equipment(scenario(devices=[{"count": 3, "profile": "laptop"}])):
        assert own.profile == catalogue()["laptop"]


def test_a_group_chooses_the_model_of_time_for_all_its_profiles() -> None:
    paper = {"model": "paper", "epsilon_s": 1e-9}
    slow = PROFILE | {"compute": {"model": "flop", "pass_overhead_s": 0.5}}
    found = equipment(
        scenario(
            devices=[
                {"count": 2, "profile": MIX, "compute": paper},
                {"count": 1, "profile": slow},
                {"count": 1, "profile": slow, "compute": "flop"},
            ]
        )
    )
    assert [own.profile.compute for own in found] == [
        *[PaperTime(epsilon_s=1e-9)] * 2,
        FlopTime(pass_overhead_s=0.5),
        FlopTime(),
    ]
    assert [own.name for own in found[2:]] == ["devices.1.profile", "devices.2.profile"]


def test_a_profile_from_a_file_and_its_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "my machine.yaml"
    file.write_text("\n".join(f"{key}: {value}" for key, value in PROFILE.items()))
    groups = [{"count": 1}, {"count": 2, "profile": f"path:{file}"}]
    found = equipment(scenario(devices=groups))
    assert [own.name for own in found] == ["flagship_phone", "my machine", "my machine"]
    assert found[1].profile == Profile.model_validate(PROFILE)
    assert [device.profile for device in build_devices(scenario(devices=groups))] == [
        own.profile for own in found
    ]
    file.unlink()
    with pytest.raises(ScenarioError, match=r"^devices\.1\.profile: .*my machine.yaml: no such"):
        equipment(scenario(devices=groups))


def test_flop_time_is_the_sum_of_its_terms() -> None:
    plain = Profile.model_validate(PROFILE)
    assert compute_time_s(plain, WORK) == pytest.approx(3.0e12 / 0.5e12)
    overheads = FlopTime(pass_overhead_s=0.25, value_update_s=2e-8, value_ranking_s=5e-8)
    measured = plain.model_copy(update={"compute": overheads})
    assert compute_time_s(measured, WORK) == pytest.approx(6.0 + 6 * 0.25 + 5 * 0.02 + 0.1)


def test_paper_time_is_epsilon_q_n_over_b_and_knows_no_flop() -> None:
    """ε = 20 ns, Q = 10⁶, N = 40, B = 8."""
    profile = Profile.model_validate(PROFILE | {"compute": {"model": "paper", "epsilon_s": 2e-8}})
    assert compute_time_s(profile, WORK) == pytest.approx(2e-8 * 1e6 * 40 / 8)


@pytest.mark.parametrize("model", ["flop", {"model": "paper", "epsilon_s": 2e-8}])
def test_twice_the_speed_is_half_the_time(model: object) -> None:
    profile = Profile.model_validate(PROFILE | {"compute": model})
    fast = profile.model_copy(update={"speed": 2.0})
    assert 2 * compute_time_s(fast, WORK) == pytest.approx(compute_time_s(profile, WORK))


def test_check_tells_the_times_by_profile() -> None:
    groups = [{"count": 3, "profile": PROFILE}, {"count": 1, "profile": "raspberry_pi_5"}]
    said = compute_fact(scenario(devices=groups), [WORK] * 4).value
    assert said.startswith("3 TFLOP a round: 6 s to 48.7 s")
    assert said.endswith("(medians: 3 devices.0.profile: 6 s, 1 raspberry_pi_5: 48.7 s)")


def test_a_network_alone_computes_by_the_papers_formula() -> None:
    """Q = 4 Mbit at 16 bit, five steps: 2 µs · 250,000 · 5."""
    group = {"count": 1, "profile": PROFILE, "compute": {"model": "paper", "epsilon_s": 2e-6}}
    chosen = scenario(learning=NO_LEARNING, devices=[group])
    (device,) = build_devices(chosen)
    assert compute_time_s(device.profile, given_work(chosen)) == pytest.approx(2.5)
    assert given_work(chosen).flop == 1.0e12
