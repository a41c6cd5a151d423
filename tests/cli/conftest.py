"""The command line called in this process, and a scenario that takes milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cosim.cli import app as cli

SCENARIO = """\
seed: 7
rounds: 3
learning: none
method: proposed_single_cluster
devices:
  - count: 3
    profile: flagship_phone
    mobility: {model: static}
radio:
  bandwidth_hz: 20.0e6
  fading: {model: block}
"""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def cosim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Calls `cosim` with arguments, as from a shell in a new directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    """Three devices at rest, three rounds, no learning."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path
