"""`cosim compare`: one table, of runs or of a sweep, in any terminal, and as CSV."""

import io
import json
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
    assert first.split()[2] == f"{lora['simulated_s'].mean():.2f}"
    assert any(line.startswith("difference to lora, paired by seed") for line in lines)
    assert "missing seed 2: local" in lines
    assert "accuracy" not in ended.out, "nothing was learnt"
    assert lines[-1] == "written: table.csv"


def test_away_from_a_terminal_no_line_is_broken(
    cosim: Any, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = cosim("compare", *runs).out.splitlines()
    heads = [line.split() for line in lines if line.startswith("  method")]
    assert heads == [
        ["method", "seeds", "time", "s", "energy", "J", "air", "Mbit", "missed"],
        ["method", "pairs", "time", "s", "energy", "J", "air", "Mbit", "missed"],
    ]
    assert max(map(len, lines)) > 40


def test_budgets_targets_and_formats(cosim: Any, runs: list[str]) -> None:
    given = ("--target", 0.5, "--budget", "1s,2kJ", "--format")
    rows = pd.read_csv(io.StringIO(cosim("compare", *runs, *given, "csv").out))
    assert {"to_target_s", "to_target_j", "to_target_mbit"} <= set(rows.columns)
    assert {"accuracy_at_1s", "accuracy_at_2kJ"} <= set(rows.columns)
    told = json.loads(cosim("compare", *runs, *given, "json").out)
    assert [group["label"] for group in told["groups"]] == ["lora", "local"]
    assert [run["directory"] for run in told["groups"][0]["runs"]] == runs[:2]
    assert told["differences"][0]["pairs"] == 1
    assert cosim("compare", *runs, *given, "latex").out.count(r"\begin{tabular}") == 2
    assert "| method | seeds |" in cosim("compare", *runs, *given, "markdown").out
    ended = cosim("compare", *runs, "--format", "excel")
    assert (ended.code, ended.out) == (2, "")
    assert "'excel' is no format (one of table, csv, json, latex, markdown)" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("t.csv", "label,"),
        ("t.json", "{"),
        ("t.md", "mean over"),
        ("t.tex", "% mean"),
        ("t", "mean"),
    ],
)
def test_a_files_name_says_its_format(cosim: Any, runs: list[str], name: str, begins: str) -> None:
    ended = cosim("compare", *runs, "--out", name)
    assert (ended.code, ended.out) == (0, f"written: {name}\n")
    assert Path(name).read_text(encoding="utf-8").startswith(begins)


@pytest.mark.slow
def test_a_dash_is_the_terminal(cosim: Any, runs: list[str]) -> None:
    plain = cosim("compare", *runs).out
    assert cosim("compare", *runs, "--out", "-").out == plain
    csv = cosim("compare", *runs, "--csv", "-").out
    assert csv == cosim("compare", *runs, "--format", "csv").out
    assert not Path("-").exists()


@pytest.mark.slow
def test_twins_are_told_by_what_they_differ_in(
    cosim: Any, runs: list[str], scenario_file: Path
) -> None:
    for method in ("lora", "local"):
        given = ("--set", f"method={method}", "--set", "radio.bandwidth_hz=2e4", "--seed", 1)
        cosim("run", scenario_file, *given, "--out", f"narrow-{method}", "--quiet")
    narrow = ("narrow-lora", "narrow-local")
    ended = cosim("compare", *narrow, "--against", runs[0], "--against", runs[2])
    assert ended.code == 0
    assert "difference to its twin, paired by seed" in ended.out
    assert "lora and its twin differ in radio.bandwidth_hz 20000.0 (twin: 20000000.0)" in ended.out
    asked = ("compare", *narrow, "--against", runs[0])
    told = json.loads(cosim(*asked, "--format", "json").out)
    assert json.loads(cosim(*asked, "--json").out) == told
    refused = cosim(*asked, "--json", "--format", "csv")
    assert (refused.code, refused.out) == (2, "")
    assert "--json: the format is 'csv' already" in refused.err
    (twin,) = told["twins"]
    clean = pd.read_parquet(f"{runs[0]}/transfers.parquet")
    assert pd.read_parquet("narrow-lora/transfers.parquet").empty
    assert twin["figures"]["mbit"]["mean"] == pytest.approx(-clean["sent_bits"].sum() / 1e6)
    assert twin["differs"] == {"radio.bandwidth_hz": [2e4, 2e7]}
    assert "no twin, or several as near: local" in told["notes"]


@pytest.mark.slow
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


def test_a_file_whose_name_says_no_format_is_refused(cosim: Any, tmp_path: Path) -> None:
    ended = cosim("compare", tmp_path, "--out", tmp_path / "c.xlsx")
    assert ended.code == 2
    assert "its name ends with none of .csv, .json, .tex, .md, .txt" in ended.err
    assert not (tmp_path / "c.xlsx").exists()
