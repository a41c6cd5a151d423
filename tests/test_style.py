"""The linters and the type checker are part of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent


COMMANDS = ["ruff check .", "ruff format --check .", "mypy"]


@pytest.mark.parametrize(
    "command",
    [*COMMANDS[:2], pytest.param(COMMANDS[2], marks=pytest.mark.slow)],  # a minute without a cache
)
def test_passes(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_before_a_commit_are_these_commands() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = [hook for repo in YAML(typ="safe").load(text)["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == [f"python -m {command}" for command in COMMANDS]
    assert not any(hook["pass_filenames"] for hook in hooks)


def test_no_test_file_repeats_the_name_of_its_folder() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert path.parent.name not in path.stem.split("_"), path
