"""Charts that Python draws: places follow from values, and marks are round and readable."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.reporting.markup import embedded, tag
from cosim.reporting.quantity import rounded
from cosim.reporting.svg import Chart, ChartAxis

ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))


@given(ENDS, st.integers(2, 9))
def test_marks_are_few_and_evenly_between_the_ends(ends: tuple[float, float], pieces: int) -> None:
    low, length = ends
    axis = ChartAxis(low, low + length, "")
    marks = axis.ticks(pieces)
    assert 0 < len(marks) <= pieces + 1
    slack = 1e-6 * length
    assert all(low - slack <= mark <= low + length + slack for mark in marks)
    steps = [after - before for before, after in pairwise(marks)]
    assert all(step == pytest.approx(steps[0], rel=1e-3) for step in steps)


@given(st.floats(0.01, 1e3), st.floats(3.1, 1e6))
def test_marks_of_factors_are_few(low: float, factor: float) -> None:
    marks = ChartAxis(low, low * factor, "", logarithmic=True).ticks(5)
    assert 1 <= len(marks) <= 8
    assert marks == sorted(marks)


def test_equal_factors_are_equal_steps() -> None:
    axis = ChartAxis(1, 100, "", logarithmic=True)
    assert [axis.place(value) for value in (1, 10, 100)] == pytest.approx([0, 0.5, 1])
    assert ChartAxis(0, 4, "").place(1) == 0.25


def test_a_column_is_as_high_as_its_amounts() -> None:
    chart = Chart(ChartAxis(0, 1, "x"), ChartAxis(0, 10, "y"))
    boxes = chart.stacked(0.0, 0.5, [("late", 4.0), ("outage", 0.0), ("delivered", 6.0)])
    heights = []
    for box in boxes:
        height = re.search(r'height="([\d.]+)"', box)
        assert height is not None
        heights.append(float(height[1]))
    assert len(boxes) == 2
    assert heights[0] / heights[1] == pytest.approx(4 / 6, rel=0.01)
    assert sum(heights) == pytest.approx(chart.at_y(0) - chart.at_y(10), abs=0.2)


@given(st.floats(1e-5, 1e12) | st.floats(-1e12, -1e-5))
def test_a_rounded_number_is_near_and_short(value: float) -> None:
    text = rounded(value)
    back = float(text.replace("\u202f", "").replace("−", "-"))
    assert math.isclose(back, value, rel_tol=0.0051)
    assert len(text) <= 20


def test_numbers_that_are_none_are_told_as_such() -> None:
    assert [rounded(value) for value in (None, math.nan, math.inf, -math.inf, 0.0)] == [
        "–", "–", "∞", "−∞", "0",
    ]  # fmt: skip


@pytest.mark.slow
@given(st.text(), st.text())
def test_no_text_leaves_its_element(words: str, value: str) -> None:
    made = tag("p", words, title=value)
    assert made.count("<") == 2
    assert made.count(">") == 2
    assert "<" not in embedded({words: value})
