"""`cosim new`: a scenario to begin with."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cosim.cli.new import SCHEMA_FILE
from cosim.scenario.load import load


def test_what_is_written_is_checked_and_run(cosim: Any) -> None:
    assert cosim("new", "mine") == (0, "written: mine.yaml\nnext: cosim check mine.yaml\n", "")
    text = Path("mine.yaml").read_text(encoding="utf-8")
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    schema = json.loads(Path(SCHEMA_FILE).read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(text), schema)
    checked = cosim("check", "mine.yaml")
    assert (checked.code, checked.err) == (0, "")
    assert "warning" not in checked.out
    assert cosim("run", "mine.yaml", "--quiet").code == 0


def test_the_other_lines_are_a_scenario_that_learns(cosim: Any) -> None:
    cosim("new", "mine.yaml")
    lines = Path("mine.yaml").read_text(encoding="utf-8").splitlines()
    lines = [line.removeprefix("#+") for line in lines if not line.startswith("learning:")]
    Path("learns.yaml").write_text("\n".join(lines), encoding="utf-8")
    scenario = load(Path("learns.yaml"))
    assert scenario.learning.model == "language_model"
    assert list(scenario.tasks) == ["sums"]


@pytest.mark.parametrize("name", ["a/b", "", "-x", "ä", "x" * 81])
def test_what_is_no_name(cosim: Any, name: str) -> None:
    ended = cosim("new", "--", name)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert not list(Path().glob("*.json"))


def test_what_is_there_stays(cosim: Any) -> None:
    Path("mine.yaml").write_text("mine", encoding="utf-8")
    Path(SCHEMA_FILE).write_text("{}", encoding="utf-8")
    ended = cosim("new", "mine")
    assert ended.code == 2
    assert "mine.yaml is already there" in ended.err
    assert Path("mine.yaml").read_text(encoding="utf-8") == "mine"
    assert "another version's" in cosim("new", "other").err
    assert Path(SCHEMA_FILE).read_text(encoding="utf-8") == "{}"
