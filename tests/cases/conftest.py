"""A scenario that takes milliseconds, and the real command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cosim.cli import app as cli
from tests.cases.at_a_shell import Command, environment

NETWORK = """\
seed: 3
rounds: 2
learning: none
method: local
devices: [{count: 2, mobility: {model: static}}]
"""


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Two devices that learn nothing, for two rounds."""
    path = tmp_path / "net.yaml"
    path.write_text(NETWORK, encoding="utf-8")
    return path


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs `cosim` with arguments in a new directory."""

    def call(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
        given = [os.fspath(one) if isinstance(one, Path) else one for one in arguments]
        settings = {"cwd": tmp_path, "capture_output": True, "env": environment(), **options}
        if "stdout" in options or "stderr" in options:
            settings.pop("capture_output")
            settings.setdefault("stderr", subprocess.PIPE)
            settings.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([sys.executable, "-m", "cosim", *given], check=False, **settings)

    return call


class Ended(NamedTuple):
    """How a command ended; what it printed has one blank wherever it had any."""

    code: int
    out: str
    err: str


Called = Callable[..., Ended]


@pytest.fixture
def called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Called:
    """Calls `cosim` with arguments in this process, in a new directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        printed = (" ".join(text.split()) for text in capsys.readouterr())
        return Ended(code if isinstance(code, int) else 0, *printed)

    return call


LEARNS = """\
seed: 1
rounds: 1
method: {{name: lora, topology: ring}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4}}
tasks: {{q: {{source: "jsonl:q.jsonl"}}}}
training: {{steps: 1, batch_size: 2, max_tokens: 200}}
area: {{shape: disc, radius_m: 20}}
devices: [{{count: 2}}]
evaluation: {{samples: 2}}
"""


@pytest.fixture
def learning(tmp_path: Path) -> Callable[..., Path]:
    """Writes a scenario of two devices that learn rows with a model of a directory."""

    def write(model: Path, rows: list[dict[str, Any]], name: str = "s.yaml") -> Path:
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (tmp_path / "q.jsonl").write_text(lines, encoding="utf-8")
        path = tmp_path / name
        path.write_text(LEARNS.format(model=model), encoding="utf-8")
        return path

    return write
