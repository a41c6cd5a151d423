"""SIGKILL, for real; `python tests/crash/kill.py --times 100` does it oftener."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
KILLS = 2


def test_killed_at_random_moments_a_run_ends_as_if_it_had_not_been(tiny_llama: Path) -> None:
    script = Path(__file__).parent / "kill.py"
    done = subprocess.run(
        [sys.executable, script, "--times", str(KILLS), "--model", tiny_llama],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{KILLS} kills in "), done.stdout
