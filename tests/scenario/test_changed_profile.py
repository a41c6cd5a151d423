"""A named profile with other figures."""

import json
from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.catalogue import named_profile
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario
from cosim.scenario.profile import FlopTime, Profile

TEXT = (
    "name: few\nrounds: 1\nmethod: lora\nlearning: none\ndevices:\n  - {{count: 2, profile: {}}}\n"
)


def written(folder: Path, profile: str) -> Path:
    path = folder / "few.yaml"
    path.write_text(TEXT.format(profile), encoding="utf-8")
    return path


def figures(**changes: object) -> str:
    """A laptop's, as JSON, which is YAML."""
    return json.dumps(named_profile("laptop").model_dump(mode="json") | changes)


def profile_of(scenario: Scenario) -> Profile:
    profile = scenario.devices[0].profile
    assert isinstance(profile, Profile)
    return profile


def test_it_is_the_named_one_but_for_what_is_given(tmp_path: Path) -> None:
    chosen = load(written(tmp_path, "{name: flagship_phone, battery_j: 40, compute_w: 7}"))
    named, own = named_profile("flagship_phone"), profile_of(chosen)
    assert own.source == f"{named.source}; battery_j, compute_w given in the scenario"
    changes = {"battery_j": 40.0, "compute_w": 7.0, "source": own.source}
    assert own == named.model_copy(update=changes)
    # What a run directory keeps is the whole profile.
    (tmp_path / "kept.yaml").write_text(dump(chosen), encoding="utf-8")
    assert load(tmp_path / "kept.yaml") == chosen


def test_a_figure_may_be_set_of_a_name(tmp_path: Path) -> None:
    chosen = load(written(tmp_path, "laptop"), ["devices.0.profile.battery_j=40"])
    assert profile_of(chosen).battery_j == 40.0
    assert profile_of(chosen).compute_w == named_profile("laptop").compute_w


def test_overheads_that_are_not_given_stay(tmp_path: Path) -> None:
    overheads = {"model": "flop", "pass_overhead_s": 0.5, "value_update_s": 1e-9}
    (tmp_path / "mine.yaml").write_text(figures(compute=overheads), encoding="utf-8")
    profile = '{name: "path:mine.yaml", compute: {pass_overhead_s: 0.25}}'
    compute = profile_of(load(written(tmp_path, profile))).compute
    assert compute == FlopTime(pass_overhead_s=0.25, value_update_s=1e-9)


def test_a_name_alone_in_a_mapping_is_the_name(tmp_path: Path) -> None:
    chosen = load(written(tmp_path, "{name: laptop}"))
    assert profile_of(chosen) == named_profile("laptop")


def test_a_file_is_looked_for_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(figures(), encoding="utf-8")
    chosen = load(written(tmp_path, '{name: "path:mine.yaml", receive_w: 0.25}'))
    assert profile_of(chosen).receive_w == 0.25
    assert profile_of(chosen).peak_flop_s == named_profile("laptop").peak_flop_s


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("{name: flagship_phon, battery_j: 40}", "did you mean 'flagship_phone'"),
        ("{name: flagship_phone, batery_j: 40}", "batery_j: unknown key; did you mean 'battery_j'"),
        ("{name: flagship_phone, battery_j: -4}", "battery_j: expected a number > 0 or null"),
        ("{name: laptop, mix: {laptop: 1}}", "either one profile by its name, or a mix"),
        ('{name: "path:nothing.yaml", battery_j: 4}', "nothing.yaml: no such file"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, profile: str, words: str) -> None:
    path = written(tmp_path, profile)
    with pytest.raises(ScenarioError) as refusal:
        load(path)
    assert words in str(refusal.value)
    assert str(refusal.value).startswith(f"{path}:6: devices.0.profile")
