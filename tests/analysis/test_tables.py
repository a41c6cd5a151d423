"""Tables I and II against numbers worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import table1
import table2
from intervals import ends
from matplotlib.figure import Figure

T2 = 4.302652729911275  # t(0.975) with two degrees of freedom
LORA, PROPOSED = (0.5, 0.6, 0.7), (0.6, 0.65, 0.8)
ROWS = [
    {"method": method, "seed": seed, "accuracy": (0.1, value)}
    for method, values in (("lora", LORA), ("proposed", PROPOSED))
    for seed, value in enumerate(values, start=1)
]


def test_table1(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame], drawn: Callable[[], Figure]
) -> None:
    local = [{"method": "local", "seed": s, "accuracy": (0.1, 0.4)} for s in (1, 2, 3)]
    found = table(table1, sweep([*ROWS, *local]))
    lora, proposed = found.loc["lora"], found.loc["proposed"]
    assert lora["average"] == pytest.approx(0.6)
    assert (lora["one"], lora["two"]) == (pytest.approx(0.65), pytest.approx(0.55))
    assert lora["average_half"] == pytest.approx(T2 * 0.1 / 3**0.5, rel=1e-4)
    assert proposed["gain"] == pytest.approx(0.25 / 3, rel=1e-4)
    spread = ((2 * (0.1 - 0.25 / 3) ** 2 + (0.05 - 0.25 / 3) ** 2) / 2) ** 0.5
    assert proposed["gain_half"] == pytest.approx(T2 * spread / 3**0.5, rel=1e-4)
    assert proposed["gain_relative"] == pytest.approx(0.25 / 3 / 0.6, rel=1e-4)
    # B has 200 values, A 60, of which the masked method trains and sends 20.
    assert (lora["updated"], proposed["updated"]) == (260, 20)
    assert lora["update_mbit"] == pytest.approx(260 * 16 / 1e6)
    assert proposed["update_mbit_saved"] == pytest.approx(1 - 20 / 260, rel=1e-4)
    assert lora["gbit"] == pytest.approx(1.5 * 260 * 16 / 1e9)
    assert lora["device_round_mbit"] == pytest.approx(0.75 * 260 * 16 / 1e6)
    # `local` sends no A that could be counted; its size is taken from `lora`.
    assert (found.loc["local", "updated"], found.loc["local", "gbit"]) == (260, 0)
    texts = [text.get_text() for panel in drawn().axes for text in panel.texts]
    assert "65.0\n40–90" in texts
    assert "68.3\n42–94" in texts


def test_table1_refuses_a_reference_that_is_not_there(
    sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        table1.main([str(sweep(ROWS)), "--out", str(tmp_path / "t"), "--reference", "lori"])
    assert "no completed run of 'lori'; there are lora, proposed" in capsys.readouterr().err


def test_table2_asks_devices_their_own_task(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame]
) -> None:
    rows = [{"method": "local", "seed": seed, "accuracy": (0, 0.5)} for seed in (1, 2)]
    found = table(table2, sweep(rows), "--projection", "60").loc["local"]
    assert (found["one"], found["two"]) == (pytest.approx(0.57), pytest.approx(0.47))
    assert found["average"] == pytest.approx(0.52)
    assert (found["average_half"], found["updated"]) == (pytest.approx(0), 260)


def test_table2_refuses_runs_that_exchange(
    sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        table2.main([str(sweep(ROWS)), "--out", str(tmp_path / "t")])
    assert "devices exchange" in capsys.readouterr().err


def test_no_interval_of_a_rate_leaves_it() -> None:
    frame = pd.DataFrame({"rate": [97.0, 50.0, 2.0, 40.0], "rate_half": [10, 10, 10, None]})
    low, high = ends(frame, "rate", 0.0, 100.0)
    assert low.tolist()[:3] == [87.0, 40.0, 0.0]
    assert high.tolist()[:3] == [100.0, 60.0, 12.0]
    assert low.isna().tolist() == high.isna().tolist() == [False, False, False, True]


def test_few_questions_are_grey_and_bounds_stand_under_a_rule(
    sweep: Callable[..., Path],
    table: Callable[..., pd.DataFrame],
    drawn: Callable[[], Figure],
    tmp_path: Path,
) -> None:
    rows = [{"method": m, "seed": s} for m in ("hard_moe", "lora") for s in (1, 2)]
    directory = sweep(rows)
    for path in directory.glob("run-*/scenario.yaml"):
        own_data = path.read_text()
        path.write_text(own_data.replace("name: hard_moe", "name: hard_moe, data: by_task"))
    found = table(table1, directory)
    assert found["bound"].to_dict() == {"hard_moe": True, "lora": False}
    assert found["one_n"].eq(20).all()
    cells, _, numbers = drawn().axes
    names = [label.get_text() for label in cells.get_yticklabels()]
    assert names == ["lora", "hard_moe"], "bounds come last"
    assert [text.get_text() for text in numbers.texts][-1] == "–", "its bits say nothing"
    assert {text.get_color() for text in cells.texts} == {"black"}
    path = tmp_path / "few.csv"
    found.assign(one_n=19.0).reset_index().to_csv(path, index=False)
    table(table1, path)
    colours = [text.get_color() for text in drawn().axes[0].texts]
    assert colours == ["0.6", "black", "black"] * 2, "drawn again from its CSV"
