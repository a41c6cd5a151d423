"""A scenario in Python: of a file or a mapping, changed, and refused in sentences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

import cosim
from cosim.scenario.load import dump, load
from tests.calls.conftest import NETWORK


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "still.yaml"
    YAML().dump(NETWORK, file)
    return file


def test_what_is_no_mapping_is_no_scenario() -> None:
    with pytest.raises(cosim.CosimError, match="a mapping in the shape of the YAML, not list"):
        cosim.Scenario.from_dict([1])  # type: ignore[arg-type]


def test_a_mapping_says_what_the_yaml_says(path: Path) -> None:
    read = cosim.Scenario.from_yaml(path)
    assert read == cosim.Scenario.from_dict(NETWORK) == cosim.load_scenario(path)
    assert dump(read) == dump(load(path))


def test_a_mapping_without_a_name_is_a_scenario() -> None:
    nameless = {key: value for key, value in NETWORK.items() if key != "name"}
    assert cosim.Scenario.from_dict(nameless).name == "scenario"


def test_relative_paths_of_a_mapping_start_at_the_current_folder(folder: Path) -> None:
    (folder / "walk.csv").write_text("time_s,device,x_m,y_m\n0,0,1,2\n9,0,3,4\n", encoding="utf-8")
    moving = {"count": 1, "mobility": {"model": "trace", "path": "walk.csv"}}
    scenario: Any = cosim.Scenario.from_dict({**NETWORK, "devices": [moving]})
    assert scenario.devices[0].mobility.path == str(folder / "walk.csv")


def test_with_gives_another_scenario_and_leaves_this_one() -> None:
    scenario = cosim.Scenario.from_dict(NETWORK)
    other = scenario.with_({"devices.0.count": 5}, rounds=2, **{"radio.deadline_s": 3})
    assert (other.rounds, other.radio.deadline_s, other.device_count) == (2, 3.0, 5)
    assert other.radio.fading == scenario.radio.fading
    assert (scenario.rounds, scenario.device_count) == (3, 3)
    assert other.with_(rounds=3, **{"radio.deadline_s": scenario.radio.deadline_s}) == (
        scenario.with_({"devices.0.count": 5})
    )


def test_nothing_is_changed_in_place() -> None:
    scenario: Any = cosim.Scenario.from_dict(NETWORK)
    deadline_s = scenario.radio.deadline_s
    with pytest.raises(cosim.CosimError, match=r"not changed in place \(rounds = 5\); with_ gives"):
        scenario.rounds = 5
    with pytest.raises(cosim.CosimError, match=r"scenario\.with_"):
        scenario.radio.deadline_s = 9.0
    with pytest.raises(cosim.CosimError, match="not changed in place"):
        scenario.round = 5  # a key that there is not
    assert (scenario.rounds, scenario.radio.deadline_s) == (3, deadline_s)


def test_a_method_comes_with_its_parts() -> None:
    scenario = cosim.Scenario.from_dict(NETWORK)
    assert (
        scenario.with_(method="lora").method
        == scenario.from_dict({**NETWORK, "method": "lora"}).method
    )
    with pytest.raises(cosim.CosimError, match=r"write method=…, which brings its own"):
        scenario.with_(**{"method.name": "lora"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rounds": "lots"}, r"rounds='lots': rounds: expected an integer"),
        ({"radio.deadlin_s": 3}, r"radio\.deadlin_s: unknown key; did you mean 'deadline_s'\?"),
        ({"devices.7.count": 3}, r"'7' is not in the list 'devices' \(indices 0 to 0\)"),
        ({"radio.fading": float("nan")}, r"radio\.fading"),
        ("radio.fading=blok", r"--set radio\.fading=blok: .*did you mean 'block'"),
        (["rounds"], r"--set rounds: has no '='"),
    ],
)
def test_what_is_no_scenario_is_refused_in_a_sentence(changes: Any, told: str) -> None:
    scenario = cosim.Scenario.from_dict(NETWORK)
    with pytest.raises(cosim.CosimError, match=told):
        scenario.with_(changes)
    with pytest.raises(cosim.CosimError, match=told):
        cosim.Scenario.from_dict(NETWORK, changes)


def test_a_mistake_in_a_mapping_is_told_with_its_path() -> None:
    with pytest.raises(cosim.CosimError, match=r"^scenario: learning\.model: 'non' is not one of"):
        cosim.Scenario.from_dict({**NETWORK, "learning": "non"})


def test_numbers_of_numpy_are_numbers() -> None:
    scenario = cosim.Scenario.from_dict(NETWORK)
    assert scenario.with_(seed=np.int64(9), **{"radio.deadline_s": np.float32(2)}) == (
        scenario.with_(seed=9, **{"radio.deadline_s": 2.0})
    )


def test_a_section_of_another_scenario_may_be_taken() -> None:
    one = cosim.Scenario.from_dict(NETWORK)
    other = one.with_(**{"radio.deadline_s": 3, "devices.0.count": 9})
    assert one.with_(radio=other.radio, devices=other.devices) == other


def test_pydantics_own_copy_checks_nothing_as_the_docstring_says() -> None:
    scenario = cosim.Scenario.from_dict(NETWORK)
    rounds: Any = scenario.model_copy(update={"rounds": "lots"}).rounds
    assert rounds == "lots"
    assert "model_copy" in str(cosim.Scenario.__doc__)
