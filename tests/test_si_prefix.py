"""Quantities read as an engineer writes them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.si_prefix import span, with_prefix


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (5e6, "Hz", "5 MHz"),
        (6_666_667, "Hz", "6.67 MHz"),
        (999_900, "bit", "1 Mbit"),
        (999.4, "bit", "999 bit"),
        (1000, "bit", "1 kbit"),
        (2.0e12, "FLOP", "2 TFLOP"),
        (0.0123, "s", "12.3 ms"),
        (0.0, "s", "0 s"),
        (-1500, "J", "-1.5 kJ"),
        (math.inf, "s", "inf s"),
        (1e25, "bit", "1e+25 bit"),
    ],
)
def test_a_quantity(value: float, unit: str, words: str) -> None:
    assert with_prefix(value, unit) == words


FACTORS = dict(zip("nµm kMGTPE", range(-3, 7), strict=True))


@given(st.floats(1e-8, 1e19))
def test_what_is_read_back_is_within_half_of_the_last_digit(value: float) -> None:
    number, unit = with_prefix(value, "s").split()
    power = FACTORS[unit[0] if len(unit) > 1 else " "]
    assert float(number) * 1000.0**power == pytest.approx(value, rel=0.5e-2 * (1 + 1e-9))
    assert 1 <= float(number) < 1000


def test_a_span_of_one_quantity_is_that_quantity() -> None:
    assert span(2.001e12, 2.002e12, "FLOP") == "2 TFLOP"
    assert span(0.4, 1.25, "s") == "400 ms to 1.25 s"
