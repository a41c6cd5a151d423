"""Options and words that a command does not take: what was meant is named."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from cosim.cli.app import app
from cosim.errors import ScenarioError
from cosim.methods.part import PARTS
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
        (["check", "--hlep"], "--help"),
        (["check", "--sett", "rounds=3"], "--set"),
        (["run", "--radio.fading.model", "clarke"], "--set radio.fading.model=clarke"),
        (["run", "--graph", "ring"], "--set method.topology.graph=ring"),
        (["run", "--payload-bits", "1000"], "--set learning.payload_bits=1000"),
        (["run", "--policy=max_power"], "--set radio.power.policy=max_power"),
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
    assert ended.err.endswith("--help)\n")
    option, _, assignment = meant.partition(" ")
    if assignment and not assignment.endswith("=VALUE"):
        path, _, value = assignment.partition("=")
        set_ = load(scenario_file, [assignment]).model_dump(mode="json")
        for step in path.split("."):
            set_ = set_[int(step) if isinstance(set_, list) else step]
        named: Any = set_.get("name", set_.get("model")) if isinstance(set_, dict) else set_
        assert named == yaml.safe_load(value) or float(named) == float(value)


def test_an_option_like_nothing_is_told_with_those_there_are(cosim: Any) -> None:
    for option in ("--xyzzy", "-r", "-"):
        ended = cosim("compare", "a", option)
        assert ended.code == 2
        assert "did you mean" not in ended.err
    assert ended.err.startswith("cosim: ")
    ended = cosim("compare", "a", "--xyzzy")
    assert ended.err == (
        "cosim: --xyzzy is no option of compare (one of --target, --budget, --against, --format, "
        "--out, --json, --csv, --help)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "a.yaml", "--seed", "abc"), "--seed: expected an integer, got 'abc'"),
        (("run", "a.yaml", "--seed=1.5"), "--seed: expected an integer, got '1.5'"),
        (("compare", "a", "--target", "most"), "--target: expected a number, got 'most'"),
        (("compare", "a", "--target", "3"), "--target: expected a number ≤ 1, got '3'"),
        (("sweep", "a", "--jobs", "0"), "--jobs: expected a number ≥ 1, got '0'"),
        (("compare", "a", "--target"), "--target: expected a value, got none"),
    ],
)
def test_a_value_that_its_option_does_not_take(
    cosim: Any, arguments: tuple[str, ...], said: str
) -> None:
    ended = cosim(*arguments)
    assert (ended.code, ended.out, ended.err) == (2, "", f"cosim: {said}\n")


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


# Words that stand for a mapping, and what else makes one of it.
WORDS = {
    "learning": ["none", "language_model"],
    "method": ["lora"],
    "method.topology": sorted(PARTS["topology"]),
    "radio.packets": ["fluid", "blocks", "codeword", "one_shot"],
    "radio.path_loss": ["log_distance", "paper", "d2d_outdoor"],
    "radio.fading": ["none", "block", "clarke"],
    "radio.power": ["lemma1", "max_power"],
    "devices.0.compute": ["flop", "paper"],
    "devices.0.profile": ["{}"],
    "devices.0.profile.compute": ["flop", "paper"],
    "devices.0.mobility": ["static", "random_waypoint", "gauss_markov", "trace"],
    "devices.0.availability": ["always", "exponential", "trace"],
}


def refused(scenario_file: Path, *assignments: str) -> str:
    try:
        load(scenario_file, assignments)
    except ScenarioError as refusal:
        return str(refusal)
    return ""


def test_every_key_that_is_meant_can_be_set_where_some_word_has_it(scenario_file: Path) -> None:
    """A value that is of no use is refused for that, and the key never as unknown."""
    paths = key_paths()
    assert {"rounds", "radio.fading.model", "devices.0.mobility.path"} <= set(paths)
    offered = [path for path in paths if meant_path(path) == path]
    assert len(offered) > 130
    for path in offered:
        around = [outer for outer in WORDS if path.startswith(f"{outer}.")]
        told = []
        for words in product(*(WORDS[outer] for outer in around)):
            outer = [f"{outer}={word}" for outer, word in zip(around, words, strict=True)]
            told.append(refused(scenario_file, *outer, f"{path}={{}}"))
            if f"{path}: unknown key" not in told[-1] and "no keys of its own" not in told[-1]:
                break
        else:
            pytest.fail(f"{path}: {told}")


def test_a_key_whose_value_is_no_word_is_not_offered(cosim: Any, scenario_file: Path) -> None:
    for path in key_paths():
        assert meant_path(path) in (path, None)
        if meant_path(path) is None:
            told = [refused(scenario_file, f"{path}={word}") for word in ("8", "text", "true")]
            assert all(told), path
    for option in ("--devices", "--offset-m", "--tasks", "--adapter", "--out", "--outt"):
        said = cosim("check", scenario_file, option, "8").err
        assert said.startswith(f"cosim: {option} is no option of check (one of --set, ")


def test_a_word_that_is_a_file_or_a_path_is_no_assignment(cosim: Any, scenario_file: Path) -> None:
    there = scenario_file.parent / "seed=2.yaml"
    scenario_file.rename(there)
    for first in (there, there.name, "sw/seed=2.yaml", "2=3", "=3", "a b=3"):
        said = cosim("run", first, "outdir").err
        assert "unexpected extra argument" in said
        assert "outdir" in said
        assert "did you mean" not in said


@pytest.mark.parametrize(
    ("words", "count"), [(["--threads", "3"], "3"), (["--num_threads=4"], "4"), (["--cores"], "1")]
)
def test_threads_are_the_environments(cosim: Any, words: list[str], count: str) -> None:
    ended = cosim("run", "any.yaml", *words)
    assert ended.code == 2
    assert f"OMP_NUM_THREADS={count} cosim run" in ended.err
    assert "OMP_NUM_THREADS" not in cosim("sweep", "any.sweep.yaml", *words).err


def test_help_breaks_its_lines_at_the_terminals_width_alone() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        paragraphs = (command.help or "").split("\n\n")
        assert not any("\n" in paragraph.strip() for paragraph in paragraphs), name
        assert any(len(paragraph) > 30 for paragraph in paragraphs), name
