"""Everything that the READMEs show is run, on a tiny model; see `readme_commands.py`."""

import re
import shlex
import tomllib
from pathlib import Path
from time import process_time

import pytest
from ruamel.yaml import YAML

from cosim.scenario.load import load
from tests.readme_commands import (
    NOT_RUN,
    SMALLER,
    Block,
    blocks,
    run,
    run_python,
    small_copies,
    why_not,
)
from tests.readme_tables import READMES, ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHOWN = {path: blocks(path.read_text(encoding="utf-8")) for path in READMES}
COMMANDS = [
    c for found in SHOWN.values() for b in found if b.language == "sh" for c in b.commands()
]


def id_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [pytest.param(path, id=id_of(path)) for path in READMES if SHOWN[path]]
)
def test_what_it_shows_runs(
    path: Path,
    tmp_path: Path,
    tiny_llama: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    small_copies(tmp_path, tiny_llama)
    for block in SHOWN[path]:
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "yaml":
            a_scenario_with(block.text, tmp_path)
        elif block.language == "python":
            run_python(block.text)
        elif block.language == "sh":
            for command in block.commands():
                if why_not(command) is None:
                    run(command, monkeypatch)
        elif block.text.startswith("$ "):
            capsys.readouterr()
            run(block.text.splitlines()[0].removeprefix("$ "), monkeypatch)
            as_it_was_printed(block, capsys.readouterr().out)
        else:  # a tree, or what a run printed that needs the real model
            assert block.language == ""


def test_the_first_scenario_takes_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In processor time, and with what a busy machine adds to it."""
    monkeypatch.chdir(tmp_path)
    (shown,) = (c for c in COMMANDS if c.startswith("cosim run ") and "gauss_markov" in c)
    begun = process_time()
    run(shown.replace("scenarios/", f"{ROOT}/scenarios/"), monkeypatch)
    assert process_time() - begun < 3


@pytest.mark.parametrize("path", READMES, ids=id_of)
def test_scripts_in_a_sentence_take_the_options_that_are_shown(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read and not run: benchmarks measure for minutes, figures need the runs of a sweep."""
    for command in re.findall(r"`(python [\w/]+\.py[^`]*)`", path.read_text(encoding="utf-8")):
        run(f"{command.partition(' RUN')[0]} --help", monkeypatch)
        assert "usage: " in capsys.readouterr().out


def a_scenario_with(fragment: str, folder: Path) -> None:
    """A scenario that holds the keys of a fragment is valid."""
    keys = YAML(typ="safe").load(fragment)
    tasks = {"sums": {"dataset": "chain_sum"}}
    rest = {"rounds": 1, "method": "local", "devices": [{"count": 2}], "tasks": tasks}
    path = folder / "fragment.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump({**rest, **keys}, file)
    load(path, ())


def as_it_was_printed(block: Block, printed: str) -> None:
    """The same lines, but for the digits of floats and hashes, which hang on the machine."""
    rounded = [re.sub(r"\d+\.\d{4,}|[0-9a-f]{16}", "…", text) for text in (block.text, printed)]
    assert rounded[0].splitlines()[1:] == rounded[1].splitlines()


def test_each_exception_is_used() -> None:
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in COMMANDS), start


def test_of_what_is_not_run_the_names_are_right() -> None:
    """Extras, paths and markers."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    markers = [
        line.partition(":")[0] for line in PYPROJECT["tool"]["pytest"]["ini_options"]["markers"]
    ]
    for command in filter(why_not, COMMANDS):
        words = shlex.split(command, comments=True)
        for extra in re.findall(r"\.\[(\w+)\]", command):
            assert extra in extras, command
        for word in words:
            assert not word.startswith("tests/") or (ROOT / word).exists(), command
        if "pytest" in words and "-m" in words:
            assert words[words.index("-m") + 1].removeprefix("not ") in markers, command


def test_the_ci_runs_the_readmes_test_command() -> None:
    (block,) = (b for b in SHOWN[ROOT / "README.md"] if "pytest" in b.text)
    assert block.text.strip() in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_small_copies_are_the_scenarios_made_small(tmp_path: Path, tiny_llama: Path) -> None:
    small_copies(tmp_path, tiny_llama)
    small = load(tmp_path / "scenarios" / "quickstart.yaml", ())
    shown = load(ROOT / "scenarios" / "quickstart.yaml", ())
    assert (small.rounds, small.radio) == (SMALLER["rounds"], shown.radio)
    assert list(small.tasks) == list(shown.tasks)
