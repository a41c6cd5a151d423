"""A small network-only run in which much happens, a copy of it to break, and the command."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cosim
from cosim.cli import app as cli
from cosim.trace.schema import SCHEMAS

SCENARIO = """\
name: to be verified
seed: 2
rounds: 8
learning: {model: none, payload_bits: 20000000, flop: 2.0e12}
method: {name: lora, topology: {graph: random, degree: 3}, schedule: asynchronous}
area: {shape: disc, radius_m: 100}
devices:
  - count: 4
    profile: raspberry_pi_5
    availability: {model: exponential, mean_on_s: 20, mean_off_s: 5}
  - count: 2
    profile:
      peak_flop_s: 4.86e+11
      utilisation: 0.3
      compute_w: 4.0
      idle_w: 0.5
      pa_efficiency: 0.35
      transmit_circuit_w: 0.5
      receive_w: 0.6
      battery_j: 100.0
  - {count: 2, profile: {mix: {flagship_phone: 1, raspberry_pi_5: 1}}}
radio:
  {bandwidth_hz: 10.0e6, deadline_s: 3.0, share: dynamic, late: stale,
   power: {policy: lemma1, margin_db: 0}}
"""

Table = Callable[[pd.DataFrame], Any]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of event that a network alone can have; read-only."""
    folder = tmp_path_factory.mktemp("verified")
    path = folder / "scenario.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    run = cosim.run(path, out=folder / "run")
    assert {"delivered", "late", "cancelled"} <= set(run.transfers["outcome"])
    assert {"cut_off", "join", "leave", "deadline", "receive"} <= set(run.events["kind"])
    assert run.rounds["stale"].sum() > 0
    assert run.rounds["missed"].sum() > 0
    assert run.rounds["battery_j"].min() == 0.0
    return folder / "run"


@pytest.fixture
def copy(played: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(played, tmp_path / "run"))


@pytest.fixture
def edit(copy: Path) -> Callable[[str, Table], None]:
    """Changes the rows of a table of the copy; its schema stays."""

    def change(table: str, by: Table) -> None:
        path = copy / f"{table}.parquet"
        frame = pq.read_table(path).to_pandas()
        changed = by(frame)
        frame = frame if changed is None else changed
        arrays = [
            pa.array(frame[field.name], field.type, from_pandas=field.nullable)
            for field in SCHEMAS[table]
        ]
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMAS[table]), path)

    return change


@pytest.fixture
def verify(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], tuple[int, dict[str, str], str]]:
    """Calls `cosim verify`; its code, the text of each check by name, and its errors."""

    def call(run: Path) -> tuple[int, dict[str, str], str]:
        monkeypatch.setattr("sys.argv", ["cosim", "verify", str(run)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        told: dict[str, str] = {}
        for line in out.splitlines():
            name, _, rest = line.partition(" ")
            told[name] = f"{told[name]}\n{rest.strip()}" if name in told else rest.strip()
        code = end.value.code
        return code if isinstance(code, int) else 0, told, err

    return call
