"""A scenario that takes milliseconds, and the real command."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from at_a_shell import Command, environment

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
