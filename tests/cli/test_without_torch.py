"""The network alone where nothing that learns is installed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cosim.cli.exit_codes import LEARNING_PACKAGES

ROOT = Path(__file__).parent.parent.parent
# Commands as in an environment in which these packages cannot be found.
BLOCKED = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(LEARNING_PACKAGES)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from cosim.cli.exit_codes import exit_code
from cosim.cli.app import app
for line in sys.stdin.read().splitlines():
    sys.argv = ["cosim", *line.split()]
    print("code", exit_code(lambda: app(standalone_mode=True)), flush=True)
"""


def codes(folder: Path, *lines: str) -> tuple[list[int], str]:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
    )
    return [int(code) for code in re.findall(r"^code (\d+)$", done.stdout, re.M)], done.stderr


@pytest.mark.slow
def test_a_network_is_played_looked_at_and_compared(tmp_path: Path) -> None:
    ended, said = codes(
        tmp_path,
        "new mine",
        "check mine.yaml",
        "run mine.yaml --out one --quiet --set rounds=2",
        "verify one",
        "report one",
        "compare one",
        "timeline one",
        "methods",
    )
    assert ended == [0] * 8, said


def test_what_learns_says_what_is_missing(tmp_path: Path) -> None:
    ended, said = codes(tmp_path, f"check {ROOT / 'scenarios/quickstart.yaml'}")
    assert ended == [2]
    assert re.fullmatch(r"cosim: \w+ is not installed, and whatever learns needs it: .*\n", said)


def test_the_short_list_is_all_the_other_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=~!\[ ]", line)[0] for line in project["dependencies"]}
    text = (ROOT / "cosim/README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^pip install (numpy .*)$", text, re.M)
    learning = {name.replace("_", "-") for name in LEARNING_PACKAGES}
    assert set(command.split()) == names - learning
