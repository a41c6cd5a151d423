"""Directory names say their point, are safe everywhere, and belong to one point alone."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.scenario.reading.one_line import number_text, short_paths
from cosim.sweeping.naming import point_name


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"method": "lora"}, "method-lora__seed-1"),
        ({"radio.bandwidth_hz": 5e6, "rounds": 3}, "bandwidth_hz-5e6__rounds-3__seed-1"),
        ({"devices.0.count": 3, "devices.1.count": 6}, "0.count-3__1.count-6__seed-1"),
        ({"x": True, "y": None, "z": 0.25}, "x-true__y-null__z-0.25__seed-1"),
        ({}, "seed-1"),
    ],
)
def test_a_point_is_readable(values: dict[str, Any], name: str) -> None:
    assert point_name(values, 1) == name


def test_what_had_to_be_changed_ends_in_its_hash() -> None:
    mapping = {"name": "lora", "topology": "ring"}
    values = (mapping, "lora ring", "lora/ring", "5", 5, "null", "a__b")
    names = [point_name({"method": value}, 1) for value in values]
    assert len(set(names)) == len(names)
    assert re.fullmatch(r"method-lora-ring-[0-9a-f]{6}__seed-1", names[0])
    assert names[4] == "method-5__seed-1"


def test_paths_are_as_short_as_they_can_be_told_apart() -> None:
    paths = ["count", "devices.0.count", "a.devices.0.count", "radio.deadline_s"]
    assert short_paths(paths) == {
        "count": "count",
        "devices.0.count": "devices.0.count",
        "a.devices.0.count": "a.devices.0.count",
        "radio.deadline_s": "deadline_s",
    }


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.dictionaries(st.from_regex(r"[a-z]+(\.[a-z0-9]+){0,2}", fullmatch=True), scalars)


@pytest.mark.slow
@given(values, st.integers(0, 2**63 - 1))
def test_a_name_is_portable_and_of_a_length_that_fits(values: dict[str, Any], seed: int) -> None:
    name = point_name(values, seed)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    assert len(name) <= 200
    assert name.endswith(f"seed-{seed}")


@given(st.floats(allow_nan=False))
def test_numbers_lose_nothing(value: float) -> None:
    assert float(number_text(value)) == value
