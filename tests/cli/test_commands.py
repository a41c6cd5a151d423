"""The commands beside `run`, and what starting the command line costs."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cosim.methods import METHODS
from cosim.methods.words import method_words
from cosim.scenario.load import load
from cosim.scenario.model import Scenario

HEAVY = ("torch", "pandas", "transformers", "matplotlib", "scipy")


def test_version_and_help(cosim: Any) -> None:
    assert cosim("--version") == (0, f"cosim {version('cosim')}\n", "")
    ended = cosim("--help")
    assert ended.code == 0
    for command in ("run", "check", "methods", "schema", "sweep", "compare", "export"):
        assert command in ended.out


def test_methods_lists_every_method_and_where_it_comes_from(cosim: Any) -> None:
    ended = cosim("methods")
    assert (ended.code, ended.err) == (0, "")
    rows = {cells[0]: cells[1:] for line in ended.out.splitlines() if (cells := cells_of(line))}
    for name, method in METHODS.items():
        assert rows[name][0] == method.reference
        parts = method.model_dump()
        words = [parts[slot] for slot in ("projection", "topology", "aggregation", "sending")]
        heads = [w if isinstance(w, str) else w.get("name", w.get("graph")) for w in words]
        assert rows[name][1:] == heads


def test_a_narrow_terminal_shows_every_source_whole(
    cosim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    text = re.sub(r"\x1b\[[0-9;]*m", "", cosim("methods").out)
    assert max(map(len, text.splitlines())) <= 80
    words = text.split()
    for name, method in METHODS.items():
        assert name in text.splitlines()
        assert set(method.reference.split()) <= set(words)


def cells_of(line: str) -> list[str]:
    """A row of a table that is drawn with rules."""
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_a_method_is_told_part_by_part(cosim: Any) -> None:
    lines = cosim("methods", "lora").out.splitlines()
    assert lines[:2] == ["lora", f"  {METHODS['lora'].reference}"]
    assert "  topology             {graph: random, degree: 2, limit_by_links: true}" in lines
    lines = cosim("methods", "lori").out.splitlines()
    assert "  composition          {name: uniform, total: 1.2}" in lines
    assert not [line for line in lines if line.endswith(" ") or "()" in line]


@pytest.mark.parametrize("name", METHODS)
def test_every_part_is_told_as_a_scenario_takes_it(scenario_file: Path, name: str) -> None:
    """Written out beside the name of another method they make this one."""
    parts = ", ".join(f"{part}: {words}" for part, words in method_words(METHODS[name]))
    made = load(scenario_file, [f"method={{name: local, {parts}}}"]).method
    told = {"name", "reference"}
    assert made.model_dump(exclude=told) == METHODS[name].model_dump(exclude=told)


def test_schema_is_the_json_schema_of_a_scenario(cosim: Any) -> None:
    ended = cosim("schema")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found["type"] == "object"
    assert set(found["properties"]) == set(Scenario.model_fields)
    assert found["additionalProperties"] is False


def test_check_says_what_the_scenario_asks_for(cosim: Any, scenario_file: Path) -> None:
    ended = cosim("check", scenario_file)
    assert (ended.code, ended.err) == (0, "")
    # 8 Mbit to two receivers in 20 MHz and 2 s, 1 TFLOP on 2.77 TFLOP/s at 30 %.
    for said in ("small: 3 devices, 3 rounds", "8 Mbit first", "0.40 bit/s/Hz", ": 1.2 s"):
        assert said in ended.out
    assert "infinite: nothing moves" in ended.out
    assert "warning" not in ended.out
    assert not Path("runs").exists()


def test_check_warns_of_what_will_go_wrong(cosim: Any, scenario_file: Path) -> None:
    ended = cosim("check", scenario_file, "--set", "radio.bandwidth_hz=1.0e6")
    assert ended.code == 0
    warnings = [line for line in ended.out.splitlines() if line.startswith("warning: ")]
    assert warnings[0].startswith("warning: Q·n/(W·Γ): more than 4: size bandwidth_hz·deadline_s")
    assert len(warnings) == 1
    # Two of three need 18.6 and 18.9 dBm, and 3 dB more with the margin.
    less = ("--set", "radio.bandwidth_hz=1.0e6", "--set", "radio.p_max_dbm=19.5")
    ended = cosim("check", scenario_file, *less)
    assert "warning: Lemma 1: p_max leaves 2 senders less than the margin" in ended.out
    ended = cosim("check", scenario_file, "--set", "radio.bandwidth_hz=0.5e6")
    assert "warning: Lemma 1: infeasible" in ended.out


def test_check_of_a_method_without_exchange(cosim: Any, scenario_file: Path) -> None:
    ended = cosim("check", scenario_file, "--set", "method=local")
    assert ended.code == 0
    assert "'local' sends nothing" in ended.out


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["sweep", "--help"], ["--version"], None]
)
def test_starting_imports_nothing_heavy(arguments: list[str] | None) -> None:
    code = "import sys, cosim.cli.app\n"
    if arguments is not None:
        code += f"sys.argv = ['cosim', *{arguments}]\n"
        code += "try:\n    cosim.cli.app.main()\nexcept SystemExit:\n    pass\n"
    code += f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    assert python(code).stdout.splitlines()[-1] == "loaded: []"


def test_a_network_alone_needs_no_learning_library(scenario_file: Path, tmp_path: Path) -> None:
    code = f"""
import sys, cosim.cli.app
sys.argv = ["cosim", "run", {str(scenario_file)!r}, "--out", {str(tmp_path / "out")!r}]
try:
    cosim.cli.app.main()
except SystemExit as end:
    assert not end.code
print("loaded:", [name for name in ("torch", "transformers", "peft") if name in sys.modules])
"""
    assert python(code).stdout.splitlines()[-1] == "loaded: []"


def test_the_console_script_is_this_command_line() -> None:
    script = Path(sys.executable).parent / "cosim"
    if not script.exists():
        pytest.skip("cosim is not installed as a script here")
    ended = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
    assert ended.stdout == f"cosim {version('cosim')}\n"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
