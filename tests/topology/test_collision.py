"""The predicted collision rate (eq. 19) against counting, and its special cases."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.topology.collision import predicted_collision_rate

density = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    "densities", [[0.1, 0.1], [0.05] * 10, [0.5, 0.2, 0.9], [1.0, 0.01, 0.01, 0.3], [0.3] * 4]
)
def test_random_masks_collide_as_predicted(densities: Sequence[float]) -> None:
    positions = 400_000
    masks = np.random.default_rng(7).random((len(densities), positions))
    held = (masks < np.array(densities)[:, None]).sum(axis=0)
    measured = float((held >= 2).mean())
    expected = float(predicted_collision_rate(densities))
    # Four standard errors of a share.
    assert measured == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / positions)
    )


@given(s=density)
def test_two_equal_masks_collide_where_both_hold(s: float) -> None:
    assert float(predicted_collision_rate([s, s])) == pytest.approx(s * s, abs=1e-15)


@given(densities=st.lists(density, max_size=1))
def test_fewer_than_two_devices_never_collide(densities: list[float]) -> None:
    assert float(predicted_collision_rate(densities)) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("devices", [2, 3, 10])
def test_dense_masks_collide_everywhere(devices: int) -> None:
    assert float(predicted_collision_rate([1.0] * devices)) == 1.0


@given(densities=st.lists(density, max_size=12))
def test_it_is_a_probability_that_no_order_changes(densities: list[float]) -> None:
    rate = float(predicted_collision_rate(densities))
    assert 0.0 <= rate <= 1.0
    assert float(predicted_collision_rate(densities[::-1])) == pytest.approx(rate, abs=1e-12)


@given(densities=st.lists(density, min_size=1, max_size=8), more=density)
def test_another_device_never_lowers_it(densities: list[float], more: float) -> None:
    before = float(predicted_collision_rate(densities))
    assert float(predicted_collision_rate([*densities, more])) >= before - 1e-12


def test_modules_are_predicted_one_by_one() -> None:
    table = np.array([[0.1, 0.5, 1.0], [0.2, 0.5, 0.0], [0.3, 0.5, 1.0]])
    together = predicted_collision_rate(table)
    assert together.shape == (3,)
    alone = [float(predicted_collision_rate(column)) for column in table.T]
    assert together.tolist() == alone
    assert together[2] == 1.0


@pytest.mark.parametrize("wrong", [[-0.1, 0.5], [0.5, 1.1]])
def test_a_density_outside_its_range_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        predicted_collision_rate(wrong)
