"""Options and words that a command does not take: what was meant is named."""

from pathlib import Path
from typing import Any

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.key_paths import key_paths, meant_path
from cosim.scenario.load import load


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["run", "--rounds", "3"], "--set rounds=3"),
        (["run", "--rounds=3"], "--set rounds=3"),
        (["run", "--method", "lora"], "--set method=lora"),
        (["run", "--rounds"], "--set rounds=VALUE"),
        (["run", "--rounds", "--quiet"], "--set rounds=VALUE"),
        (["run", "--p_max_dbm", "-3"], "--set radio.p_max_dbm=-3"),
        (["check", "--radio.deadline_s=3"], "--set radio.deadline_s=3"),
        (["profile", "--deadline-s", "3"], "--set radio.deadline_s=3"),
        (["run", "--learning-rat", "1e-3"], "--set training.learning_rate=1e-3"),
        (["run", "--devices.0.count", "3"], "--set devices.0.count=3"),
        (["run", "--sed", "3"], "--seed"),
        (["run", "--quite"], "--quiet"),
        (["run", "--output", "x"], "--out"),
        (["sweep", "--job", "3"], "--jobs"),
        (["map", "--rund", "3"], "--round"),
    ],
)
def test_an_unknown_option_is_what_it_was_meant_to_be(
    cosim: Any, scenario_file: Path, arguments: list[str], meant: str
) -> None:
    command, *options = arguments
    ended = cosim(command, scenario_file, *options)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    option = options[0].partition("=")[0]
    said = f"cosim: {option} is no option of {command}; did you mean {meant}? (one of --"
    assert ended.err.startswith(said)


def test_an_option_like_nothing_is_told_with_those_there_are(cosim: Any) -> None:
    for option in ("--xyzzy", "-r", "-"):
        ended = cosim("compare", "a", option)
        assert ended.code == 2
        assert "did you mean" not in ended.err
    assert ended.err.startswith("cosim: ")
    ended = cosim("compare", "a", "--xyzzy")
    assert ended.err == "cosim: --xyzzy is no option of compare (one of --target, --csv)\n"


def test_a_value_without_its_option(cosim: Any, scenario_file: Path) -> None:
    for more in ([], ["--set", "seed=3"], ["--quiet"]):
        ended = cosim("run", scenario_file, *more, "rounds=3")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == "cosim: run: 'rounds=3' is no file; did you mean --set rounds=3?\n"
    assert "unexpected extra argument" in cosim("run", scenario_file, "again").err


def test_a_scenario_without_its_command(cosim: Any, scenario_file: Path) -> None:
    ended = cosim(scenario_file)
    assert (ended.code, ended.out) == (2, "")
    assert f"did you mean: cosim run {scenario_file}?" in ended.err
    assert "Did you mean 'run'?" in cosim("rnu", scenario_file).err


def test_every_key_that_can_be_meant_is_one(scenario_file: Path) -> None:
    """Where a key does not fit this scenario it is refused for that, not as unknown."""
    paths = key_paths()
    assert {"rounds", "radio.fading.model", "devices.0.mobility.path"} <= set(paths)
    assert len(paths) > 150
    for path in paths:
        assert meant_path(path) == path
    for path in paths[:: len(paths) // 40]:
        told = ""
        try:
            load(scenario_file, [f"{path}={{}}"])
        except ScenarioError as refusal:
            told = str(refusal)
        assert f"{path.rpartition('.')[2]}: unknown key; did you mean" not in told, path
