"""A named profile with other figures."""

from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.catalogue import named_profile
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario
from cosim.scenario.profile import Profile

TEXT = (
    "name: few\nrounds: 1\nmethod: lora\nlearning: none\ndevices:\n  - {{count: 2, profile: {}}}\n"
)


def written(folder: Path, profile: str) -> Path:
    path = folder / "few.yaml"
    path.write_text(TEXT.format(profile), encoding="utf-8")
    return path


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


def test_a_name_alone_in_a_mapping_is_the_name(tmp_path: Path) -> None:
    chosen = load(written(tmp_path, "{name: laptop}"))
    assert profile_of(chosen) == named_profile("laptop")


def test_a_file_is_looked_for_beside_the_scenario(tmp_path: Path) -> None:
    figures = named_profile("laptop").model_dump(mode="json")
    lines = [f"{key}: {value}" for key, value in figures.items() if isinstance(value, int | float)]
    (tmp_path / "mine.yaml").write_text("\n".join(lines), encoding="utf-8")
    chosen = load(written(tmp_path, '{name: "path:mine.yaml", receive_w: 0.25}'))
    assert profile_of(chosen).receive_w == 0.25
    assert profile_of(chosen).peak_flop_s == figures["peak_flop_s"]


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("{name: flagship_phon, battery_j: 40}", "did you mean 'flagship_phone'"),
        ("{name: flagship_phone, batery_j: 40}", "batery_j: unknown key; did you mean 'battery_j'"),
        ("{name: flagship_phone, battery_j: -4}", "battery_j: expected a number > 0 or null"),
        ('{name: "path:nothing.yaml", battery_j: 4}', "nothing.yaml: no such file"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, profile: str, words: str) -> None:
    path = written(tmp_path, profile)
    with pytest.raises(ScenarioError) as refusal:
        load(path)
    assert words in str(refusal.value)
    assert str(refusal.value).startswith(f"{path}:6: devices.0.profile")
