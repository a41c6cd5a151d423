"""`cosim compare`: one table, of runs or of a sweep, in any terminal, and as CSV."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest


@pytest.fixture
def runs(cosim: Any, scenario_file: Path) -> list[str]:
    """Two methods, two seeds of the one and one of the other."""
    out = []
    for method, seed in (("lora", 1), ("lora", 2), ("local", 1)):
        out.append(f"{method}-{seed}")
        given = ("--set", f"method={method}", "--seed", seed, "--out", out[-1], "--quiet")
        assert cosim("run", scenario_file, *given).code == 0
    return out


def test_a_table_of_groups_and_their_differences(
    cosim: Any, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    ended = cosim("compare", *runs, "--csv", "table.csv")
    assert (ended.code, ended.err) == (0, "")
    rows = pd.read_csv("table.csv")
    assert rows["directory"].tolist() == runs
    assert rows["seed"].tolist() == [1, 2, 1]
    assert rows["accuracy"].isna().all()
    lora = rows[rows["method"] == "lora"]
    lines = ended.out.splitlines()
    first = next(line for line in lines if line.startswith("  lora"))
    assert first.split()[:2] == ["lora", "2"]
    assert first.split()[2] == f"{lora['simulated_s'].mean():.1f}"
    assert any(line.startswith("difference to lora, paired by seed") for line in lines)
    assert "missing seed 2: local" in lines
    assert "accuracy" not in ended.out, "nothing was learnt"
    assert lines[-1] == "written: table.csv"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_figure_is_cut_whatever_the_terminal(
    cosim: Any, runs: list[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = cosim("compare", *runs[:1]).out
    assert "…" not in out
    for head in ("time s", "energy J", "air Mbit", "missed"):
        assert head in out


def test_a_sweep_is_its_completed_runs(cosim: Any, scenario_file: Path) -> None:
    sweep = "scenario: small.yaml\nseeds: [1, 2]\ngrid: {method: [lora, local]}\n"
    Path("pair.yaml").write_text(sweep, encoding="utf-8")
    cosim("sweep", "pair.yaml")
    index = pd.read_parquet("runs/pair/runs.parquet")
    index.loc[3, "status"] = "failed"
    index.to_parquet("runs/pair/runs.parquet")
    ended = cosim("compare", "runs/pair")
    assert ended.code == 0
    assert "left out, failed: runs/pair/method-local__seed-2" in ended.out
    assert "missing seed 2: local" in ended.out


def test_what_is_no_run_is_named(cosim: Any, runs: list[str]) -> None:
    ended = cosim("compare", "lora-3")
    assert (ended.code, ended.out) == (2, "")
    assert "lora-3 is not a run: it is not a directory" in ended.err
    assert "the nearest run is lora-2" in ended.err
    ended = cosim("compare", *runs, "--csv", "no/such/folder.csv")
    assert ended.code == 2
    assert "no/such/folder.csv cannot be written" in ended.err
