"""What is seen: marks where something was measured, steps between them, at most six curves."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

import cosim
from cosim.comparison.figures import evaluated_rounds
from cosim.errors import ViewError
from cosim.plotting.style import MOST_CURVES, STYLES, chunks, foot, sheet
from cosim.trace.reader import Run


def curves(panel: Any) -> list[Any]:
    """The lines with more than one mark; caps of intervals are lines, too."""
    return [line for line in panel.lines if line.get_drawstyle() == "steps-post"]


def test_marks_stand_where_it_was_measured_and_steps_between(swept: list[Run]) -> None:
    runs = [run for run in swept if "probability: 0.5" in run.scenario_text]
    drawing = cosim.plot(runs, "accuracy")
    seconds, joules, _ = drawing.figure.subfigs[0].axes
    for panel, cost in ((seconds, "time_s"), (joules, "energy_j")):
        assert len(curves(panel)) == 2
        assert len(panel.lines) == 2 * 3, "two curves, each with the caps of its intervals"
        for line, (_, own) in zip(
            curves(panel), drawing.table.groupby("label", sort=False), strict=True
        ):
            assert np.asarray(line.get_xdata()).tolist() == own[cost].tolist()
            assert np.asarray(line.get_ydata()).tolist() == own["accuracy"].tolist()
            assert line.get_marker() not in ("", "None")


def test_a_few_control_bits_take_no_decades_of_the_axis(
    by_hand: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One method has said 1 kbit before its first update; curves end with 100 and 1000 Mbit."""
    spent = {"lora": [0.0, 10.0, 1000.0], "ef_hc": [0.0, 1e-3, 100.0], "local": [0.0, 0.0, 0.0]}
    runs = [by_hand([0.1, 0.4, 0.5], method=method) for method in spent]

    def evaluated(run: Run) -> pd.DataFrame:
        return evaluated_rounds(run).assign(mbit=spent[run.manifest["method"]])

    monkeypatch.setattr("cosim.plotting.course.evaluated_rounds", evaluated)
    bits = cosim.plot(runs, "accuracy").figure.subfigs[0].axes[2]
    assert [text.get_text() for text in bits.get_xticklabels()] == ["0", "0.01", "0.1", "1"]


def test_between_the_marks_of_values_nothing_was_measured(swept: list[Run]) -> None:
    foot = cosim.plot(swept, "final", over="probability").figure.get_supxlabel()
    assert "between the marks nothing was measured" in " ".join(foot.split())


def test_no_interval_that_is_drawn_leaves_a_rate(swept: list[Run]) -> None:
    for over, side in ((None, 0), ("probability", 1)):
        figure = cosim.plot(swept, "final", over=over).figure
        for panel in figure.subfigs[0].axes:
            ends = [
                segment[:, side]
                for one in panel.collections
                if isinstance(one, LineCollection)
                for segment in one.get_segments()
            ]
            assert len(ends) == 4
            assert np.min(ends) >= 0
            assert np.max(ends) <= 1.0 + 1e-12


def test_seven_methods_have_two_rows_of_panels(seven: list[Run]) -> None:
    figure = cosim.plot(seven, "accuracy").figure
    assert [len(curves(part.axes[0])) for part in figure.subfigs] == [4, 3]
    named = [text.get_text() for part in figure.subfigs for text in part.legends[0].get_texts()]
    assert named == ["lora", "decaf", "rolora", "ffa_lora", "tad_lora", "local", "proposed"]


def test_curves_of_a_panel_differ_without_colour() -> None:
    for labels in (list("abcdef"), list("abcdefg"), list("abcdefghijklm")):
        parts = chunks(labels)
        assert [label for part in parts for label in part] == labels
        assert max(map(len, parts)) <= MOST_CURVES
    assert len({style.marker for style in STYLES}) == MOST_CURVES
    assert len({str(style.linestyle) for style in STYLES}) == MOST_CURVES


def test_seeds_and_questions_stand_in_the_figure(swept: list[Run]) -> None:
    foot = cosim.plot(swept[1:], "final", over="probability").figure.get_supxlabel()
    words = " ".join(foot.split())
    assert "over n = 1 to 2 seeds (1, 2), no bar where there is one" in words
    assert "50 questions a task and device" in words
    assert "Incomplete: missing seed 1: lora probability=0.05." in words


@pytest.mark.parametrize("ending", [".svg", pytest.param(".png", marks=pytest.mark.slow), ".csv"])
def test_the_same_runs_give_the_same_bytes(swept: list[Run], tmp_path: Path, ending: str) -> None:
    files = [tmp_path / f"{name}{ending}" for name in ("first", "second")]
    for file in files:
        cosim.plot(swept, "final", file, over="probability", against="lora")
    first, second = (file.read_bytes() for file in files)
    assert first == second
    for word in (b"dc:date", b"Matplotlib v"):
        assert word not in first


def test_a_cell_of_a_notebook_shows_the_figure_and_a_line(
    swept: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = cosim.plot(swept, "final")
    picture = drawing._repr_png_()
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert repr(drawing) == "Drawing(4 rows of label, method, accuracy, low, high, n)"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cosim.plot(swept, "final")._repr_png_() is None


def test_without_matplotlib_there_are_numbers(
    swept: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    drawing = cosim.plot(swept, "final")
    assert drawing.write(tmp_path / "final.csv").stat().st_size > 100
    with pytest.raises(ViewError, match=r"Matplotlib is not installed.*--out FILE\.csv"):
        drawing.write(tmp_path / "final.png")


@pytest.mark.parametrize("words", ["WWWW MMMM " * 60, "W" * 400, "a mean over seeds, " * 40])
def test_the_foot_stays_on_the_sheet(words: str) -> None:
    figure, _ = sheet([2.0], 1)
    foot(figure, words, "Incomplete: not drawn: MWMWMW_MWMWMW " * 9)
    figure.canvas.draw()
    (written,) = (text for text in figure.texts if text.get_text() == figure.get_supxlabel())
    extent, page = written.get_window_extent(), figure.bbox
    assert page.x0 <= extent.x0
    assert 0.85 * page.x1 < extent.x1 <= page.x1
    assert page.y0 <= extent.y0
    assert "".join(figure.get_supxlabel().split()).startswith("".join(words.split()))
