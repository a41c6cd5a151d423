"""Recorded traces with one wrong date, and in degrees where metres are expected."""

import resource
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cases.at_a_shell import Command

SCENARIO = """\
seed: 1
rounds: 3
learning: {{model: none, payload_bits: 2000000, flop: 1.0e12}}
method: {{name: lora, topology: {{graph: random, degree: 1}}}}
area: {{shape: disc, radius_m: 1000}}
devices: [{{count: 2, mobility: {{model: trace, path: {path}}}, availability: {there}}}]
"""


def scenario(tmp_path: Path, path: str, text: str, there: str = "always") -> Path:
    (tmp_path / path).write_text(text, encoding="utf-8")
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO.format(path=path, there=there), encoding="utf-8")
    return file


def limited() -> None:
    """Four GiB of addresses, so that a process that wants more ends itself."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


@pytest.mark.slow
@pytest.mark.parametrize("there", ["trace", "always"])
def test_one_fix_of_1970_is_told_and_costs_nothing(
    command: Command, tmp_path: Path, there: str
) -> None:
    walks = [f"{1_701_360_000 + t},{n},{t},{y}" for t in range(60) for n, y in (("a", 0), ("b", 9))]
    text = "\n".join(["time_s,device,x_m,y_m", "0,a,0,0", *walks])
    file = scenario(tmp_path, "walk.csv", text, there)
    done: subprocess.CompletedProcess[bytes] = command(
        "run", file, "--out", "r", preexec_fn=limited, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
    said = b" ".join(done.stdout.split())
    assert b"1 sample is left out, being at a time far from all others, 0 s (1970-01-01)" in said
    run = tmp_path / "r"
    assert sum(path.stat().st_size for path in run.rglob("*")) < 1_000_000
    places = pd.read_parquet(run / "positions.parquet")
    assert places.groupby("device")["x_m"].nunique().min() > 3, "everybody moves"


def degrees(head: str) -> str:
    """Two cars of SUMO's at 8 m/s, 22 m from each other."""
    steps = "".join(
        f'<timestep time="{t}.00">'
        f'<vehicle id="a" x="{11.34 + 1e-4 * t:.6f}" y="44.500000" speed="8.00"/>'
        f'<vehicle id="b" x="{11.34 + 1e-4 * t:.6f}" y="44.500200" speed="8.00"/></timestep>\n'
        for t in range(30)
    )
    return f'<?xml version="1.0"?>\n{head}<fcd-export>\n{steps}</fcd-export>\n'


HEAD = '<!-- by SUMO\n<output><fcd-output.geo value="true"/></output>\n-->\n'


@pytest.mark.parametrize("head", [HEAD, ""], ids=["told", "not told"])
def test_degrees_are_never_metres(called: Any, tmp_path: Path, head: str) -> None:
    ended = called("run", scenario(tmp_path, "out.xml", degrees(head)), "--out", "r")
    if ended.code == 0:
        assert head
        distance_m = pd.read_parquet(tmp_path / "r" / "transfers.parquet")["distance_m"]
        assert distance_m.max() == pytest.approx(22.2, abs=0.2)
    else:
        assert ended.code == 2
        assert "degrees" in ended.err
        assert "out.xml" in ended.err
