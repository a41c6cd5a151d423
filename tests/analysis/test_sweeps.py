"""Missing seeds are refused or said; labels tell apart what a sweep compares."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import table1
from intervals import half_width, over_seeds, paired
from matplotlib.figure import Figure
from scipy.stats import ttest_rel
from sweeps import _method, read_sweep

import cosim
from cosim.errors import SweepError
from cosim.sweeping.definition import read_sweep as read_sweep_file

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "scenarios" / "paper"
LACKING = [
    {"method": "lora", "seed": 1},
    {"method": "lora", "seed": 2},
    {"method": "proposed", "seed": 1},
    {"method": "proposed", "seed": 2, "status": "failed"},
]


def test_a_missing_seed_is_refused(
    sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        table1.main([str(sweep(LACKING)), "--out", str(tmp_path / "figure")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "missing proposed: seed 2;" in told
    assert "--allow-missing" in told
    assert not (tmp_path / "figure.png").exists()


def test_a_missing_seed_is_said_on_the_figure_and_in_the_table(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame], drawn: Callable[[], Figure]
) -> None:
    found = table(table1, sweep(LACKING), "--allow-missing")
    *_, last = drawn().get_supxlabel().splitlines()
    assert last == "incomplete sweep, missing proposed: seed 2"
    assert found["seeds"].to_dict() == {"lora": 2, "proposed": 1}
    assert found["missing_seeds"].isna().to_dict() == {"lora": True, "proposed": False}
    assert found.loc["proposed", "missing_seeds"] == 2
    assert found.loc["proposed", "pairs"] == 1


def test_of_a_complete_sweep_nothing_is_missing(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame], drawn: Callable[[], Figure]
) -> None:
    table(table1, sweep(LACKING[:2]))
    words = drawn().get_supxlabel()
    assert "over n = 2 seeds." in words
    assert "incomplete" not in words


def test_a_run_that_its_manifest_calls_unfinished_is_missing(sweep: Callable[..., Path]) -> None:
    directory = sweep(LACKING[:2])
    manifest = directory / "run-1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("completed", "interrupted"))
    with pytest.raises(SweepError, match="missing lora: seed 2"):
        read_sweep(directory, allow_missing=False)


def test_labels(sweep: Callable[..., Path]) -> None:
    rows = [
        {"method": "lora", "seed": 1, "radio.deadline_s": 1.0, "adapter.rank": 4},
        {"method": "lora", "seed": 1, "radio.deadline_s": 2.0, "adapter.rank": 4},
    ]
    directory = sweep(rows, ["method", "radio.deadline_s", "adapter.rank"])
    both = read_sweep(directory, allow_missing=False)
    assert both.labels == ["lora deadline_s=1.0", "lora deadline_s=2.0"]
    assert read_sweep(directory, allow_missing=False, axes=["radio"]).labels == ["lora"]


def test_a_part_that_is_as_usual_is_not_told() -> None:
    written = (
        '{"name": "proposed", "topology": '
        '{"graph": "clusters", "max_collision_rate": 0.1, "exchange_every": 5}}'
    )
    assert _method(written) == ("proposed", ["exchange_every=5"])
    assert _method('{"name": "lora", "topology": "ring"}') == ("lora", ["topology=ring"])
    assert _method("lora") == ("lora", [])


def test_a_method_with_other_parts_is_told_by_them(sweep: Callable[..., Path]) -> None:
    directory = sweep([{"method": "lora", "seed": 1}, {"method": "lora", "seed": 1}])
    index = pd.read_parquet(directory / "runs.parquet")
    index["method"] = ['{"name": "lora"}', '{"name": "lora", "topology": "ring"}']
    index.to_parquet(directory / "runs.parquet")
    assert read_sweep(directory, allow_missing=False).labels == ["lora", "lora topology=ring"]


@pytest.mark.slow
def test_the_command_line_ends_with_a_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "analysis" / "figure6.py", "nowhere", "--out", "unused"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "runs.parquet is not a readable index of a sweep" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_intervals_are_those_of_a_paired_t_test() -> None:
    values = {"lora": [0.5, 0.6, 0.7, 0.4], "proposed": [0.6, 0.65, 0.8, 0.41]}
    frame = pd.DataFrame(
        [(m, s, v) for m, own in values.items() for s, v in enumerate(own)],
        columns=["label", "seed", "accuracy"],
    )
    gain = paired(frame, "lora", "accuracy").set_index("label").loc["proposed"]
    interval = ttest_rel(values["proposed"], values["lora"]).confidence_interval(0.95)
    assert gain["gain"] - gain["gain_half"] == pytest.approx(interval.low)
    assert gain["gain"] + gain["gain_half"] == pytest.approx(interval.high)
    assert np.isnan(half_width([0.5]))


def test_rows_of_one_seed_are_one_trial() -> None:
    frame = pd.DataFrame({"label": "x", "seed": [1, 1, 2], "v": [0.0, 1.0, 0.7]})
    found = over_seeds(frame, ["label"], "v").iloc[0]
    assert (found["v"], found["seeds"]) == (pytest.approx(0.6), 2)


@pytest.mark.parametrize("path", sorted(PAPER.glob("*.yaml")), ids=lambda path: path.name)
def test_the_scenarios_and_sweeps_of_the_paper_are_valid(path: Path) -> None:
    if path.name.endswith(".sweep.yaml"):
        assert read_sweep_file(path).points
    else:
        assert cosim.load_scenario(path).device_count <= 15


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["missing_seeds", "updated"])
def test_a_table_of_another_script_is_a_sentence(
    sweep: Callable[..., Path],
    table: Callable[..., pd.DataFrame],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    missing: str,
) -> None:
    found = table(table1, sweep(LACKING), "--allow-missing").reset_index()
    other = tmp_path / "other.csv"
    found.drop(columns=missing).to_csv(other, index=False)
    with pytest.raises(SystemExit) as ended:
        table1.main([str(other), "--out", str(tmp_path / "again")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert f"{other} is no table of " in told
    assert missing in told
    assert not (tmp_path / "again.csv").exists()
