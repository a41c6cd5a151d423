"""The benchmarks that nobody runs every day: all import, and what they are made of holds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
NAMES = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=BENCHMARKS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_all_import() -> None:
    assert {"training", "gpu", "flower", "transfers"} <= set(NAMES)
    done = python("-c", "\n".join(f"import {name}" for name in NAMES))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_first_step_is_watched_for_in_modules_that_exist() -> None:
    look = "for part in first_step.WATCHED: importlib.import_module(f'cosim.learning.{part}')"
    done = python("-c", f"import first_step, importlib\n{look}")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_gpu_benchmark_on_a_cpu() -> None:
    given = "--device cpu --models 7B --layers 2 --width-divisor 16 --devices 2"
    done = python("gpu.py", *given.split(), *["--shape", "2x16", "--steps", "1", "--repeats", "1"])
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    products, cosim, fitting = rows
    assert (products["work"], cosim["work"]) == ("products", "cosim")
    tokens = 2 * 2 * 16
    assert cosim["tokens_per_s"] * cosim["step_s"] == pytest.approx(tokens, rel=0.01)
    assert 0 < cosim["share_of_the_limit"] < 1
    assert set(fitting) >= {"bytes_by_device", "devices_that_fit"}


def test_busy_processes_end_with_their_block() -> None:
    look = (
        "import psutil, whole_runs\n"
        "own = psutil.Process()\n"
        "with whole_runs.busy(2):\n"
        "    spinning = own.children()\n"
        "    assert len(spinning) == 2, spinning\n"
        "assert own.children() == []\n"
    )
    done = python("-c", look)
    assert done.returncode == 0, done.stderr


def test_a_fair_share_is_the_threads_part_of_the_cores() -> None:
    told = (
        "import busy\n"
        "busy.cores = lambda: 2\n"
        "print(*(busy.fair_wall_s(10.0, *case) for case in [(2, 0), (1, 0), (2, 4), (1, 1)]))\n"
    )
    done = python("-c", told)
    # All of two cores, one of them, a third of two, and of two cores one for each.
    assert done.stdout.split() == ["5.0", "10.0", "15.0", "10.0"]
