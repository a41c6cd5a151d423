"""Figures 5 and 6 and the map of where a method pays, against numbers worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import figure5
import figure6
import pandas as pd
import pytest
import where_it_pays
from matplotlib.figure import Figure

COUNTS = ["method", "devices.0.count"]


def test_figure5(sweep: Callable[..., Path], table: Callable[..., pd.DataFrame]) -> None:
    rows = [
        {"method": "proposed", "seed": seed, "entropy": h, "density": 0.25}
        for seed, h in ((1, 2.0), (2, 3.0))
    ]
    found = table(figure5, sweep(rows), "--tasks", "two", by=["task", "layer"])
    assert set(found.index) == {("two", 0), ("two", 1)}
    # Entropy h + layer + module over two modules; 10 of 40 and 15 of 60 values of B are kept.
    assert found.loc[("two", 1), "spectral_entropy"] == pytest.approx(2.5 + 1 + 0.5)
    assert found.loc[("two", 0), "density"] == pytest.approx(0.25)
    assert found.loc[("two", 0), "spectral_entropy_half"] == pytest.approx(6.3531, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no spectral entropies"),
        (("--method", "lori"), "no runs of 'lori'; there are proposed"),
    ],
)
def test_figure5_says_what_is_not_there(
    sweep: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    directory = sweep([{"method": "proposed", "seed": 1}])
    with pytest.raises(SystemExit):
        figure5.main([str(directory), "--out", str(tmp_path / "f"), *arguments])
    assert told in capsys.readouterr().err


def test_figure6_leaves_the_first_round_out(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame]
) -> None:
    rates = [(0.9, 0.9), (0.1, 0.2), (0.2, 0.4)]
    rows = [
        {"method": "proposed", "seed": seed, "devices.0.count": 2, "collision": rates}
        for seed in (1, 2)
    ]
    found = table(figure6, sweep(rows, COUNTS), by=["method", "devices"]).loc[("proposed", 2)]
    assert (found["predicted"], found["measured"]) == (pytest.approx(0.15), pytest.approx(0.3))


def test_figure6_shows_a_curve_of_one_seed_whole(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame], drawn: Callable[[], Figure]
) -> None:
    rows = [
        {"method": m, "seed": seed, "devices.0.count": 2, "collision": [(0.1, rate)]}
        for m, seed, rate in (("lora", 1, 0.9), ("proposed", 1, 0.1), ("proposed", 2, 0.1))
    ]
    table(figure6, sweep(rows, COUNTS), "--allow-missing", by=["method", "devices"])
    low, high = drawn().axes[0].get_ylim()
    assert low < 0.1 < 0.9 < high
    assert "no bar where there is one" in drawn().get_supxlabel()


def test_figure6_needs_a_rate(
    sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        figure6.main([str(sweep([{"method": "local", "seed": 1}])), "--out", str(tmp_path / "f")])
    assert "no collision rate" in capsys.readouterr().err


def test_where_it_pays(
    sweep: Callable[..., Path], table: Callable[..., pd.DataFrame], drawn: Callable[[], Figure]
) -> None:
    cells = {
        (0, 4e6): {"lora": (0.7, 0.72), "proposed": (0.6, 0.62)},
        (1, 4e6): {"lora": (0.5, 0.6), "proposed": (0.6, 0.6)},
    }
    rows = [
        {
            "method": method,
            "seed": seed,
            "tasks.one.relabel": relabelled or None,
            "radio.bandwidth_hz": bandwidth,
            "relabelled": relabelled,
            "bandwidth_hz": bandwidth,
            "accuracy": (0, value),
        }
        for (relabelled, bandwidth), own in cells.items()
        for method, values in own.items()
        for seed, value in enumerate(values, start=1)
    ]
    directory = sweep(rows, ["method", "tasks.one.relabel", "radio.bandwidth_hz"])
    found = table(where_it_pays, directory, by=["conflict", "method"])
    assert found["link_mbit"].eq(8).all()
    calm, tense = found.loc[(0.0, "lora")], found.loc[(0.5, "proposed")]
    assert (calm["lead"], calm["lead_half"]) == (pytest.approx(0.1), pytest.approx(0, abs=1e-9))
    assert calm["second"] == "proposed"
    assert bool(calm["decided"])
    assert tense["lead"] == pytest.approx(0.05)
    assert not bool(tense["decided"])
    assert found.loc[(0.0, "lora"), "missed"] == pytest.approx(0.5)
    texts = [text.get_text() for text in drawn().axes[0].texts]
    assert texts == ["lora\n+10.0 ± 0.0", "proposed\n+5.0 ± 63.5"]


def test_one_method_cannot_win(
    sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        where_it_pays.main([str(sweep([{"seed": 1}], [])), "--out", str(tmp_path / "f")])
    assert "one method alone cannot win" in capsys.readouterr().err
