"""TR 36.843's outdoor path loss: by hand, continuous where its branches meet, never below Friis."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.physics.d2d import (
    d2d_outdoor_gain,
    free_space_loss_db,
    los_loss_db,
    los_probability,
    nlos_loss_db,
)
from cosim.physics.pathloss import reference_loss_db
from cosim.randomness import stream

LOS, NLOS = 0.0, np.nextafter(1.0, 0.0)  # ranks below and above every probability beyond 18 m


def loss_db(distance_m: npt.ArrayLike, rank: float, carrier_hz: float = 3.5e9) -> np.ndarray:
    gain = d2d_outdoor_gain(distance_m, los_rank=rank, carrier_hz=carrier_hz)
    return -10.0 * np.log10(gain)


def test_losses_by_hand() -> None:
    """At 2 GHz d_BP = 4·0.64·2/0.3 = 17.07 m; log10(0.8) = −0.09691, log10(1.5) = 0.17609."""
    assert los_loss_db(10.0, 2e9) == pytest.approx(22.7 + 27.0 + 6.0206, abs=1e-4)
    assert los_loss_db(100.0, 2e9) == pytest.approx(80.0 + 7.56 + 3.3531 + 0.8128, abs=1e-4)
    assert nlos_loss_db(100.0, 2e9) == pytest.approx(
        2 * (44.9 - 1.15340) + 1.02661 + 18.38 + 6.92369 - 5.0, abs=1e-4
    )
    assert free_space_loss_db(100.0, 5e9) == pytest.approx(86.4)


def test_free_space_is_friis_with_a_rounded_constant() -> None:
    exact = reference_loss_db(np.array([0.7e9, 3.5e9, 6e9]), 50.0)
    np.testing.assert_allclose(free_space_loss_db(50.0, [0.7e9, 3.5e9, 6e9]), exact, atol=0.05)


@pytest.mark.parametrize("carrier_hz", [0.7e9, 2e9, 3.5e9, 6e9])
def test_the_break_point_is_continuous(carrier_hz: float) -> None:
    """Within the table's rounding: its coefficients have two or three digits."""
    edge = 4 * 0.8**2 * carrier_hz / 3e8
    assert los_loss_db(edge, carrier_hz) == pytest.approx(
        los_loss_db(edge * (1 + 1e-9), carrier_hz), abs=0.05
    )


@pytest.mark.parametrize("edge_hz", [1.5e9, 2.0e9])
def test_the_frequency_branches_meet(edge_hz: float) -> None:
    below = nlos_loss_db(80.0, edge_hz * (1 - 1e-9))
    assert below == pytest.approx(nlos_loss_db(80.0, edge_hz), abs=0.02)


@given(distance=st.floats(0.0, 5000.0), carrier=st.floats(0.45e9, 6e9), rank=st.floats(0.0, 0.999))
def test_it_never_gains_on_free_space_and_falls_with_distance(
    distance: float, carrier: float, rank: float
) -> None:
    here, farther = (
        float(d2d_outdoor_gain(d, los_rank=rank, carrier_hz=carrier))
        for d in (distance, distance * 1.1 + 0.1)
    )
    friis = 10 ** (-float(free_space_loss_db(distance, carrier)) / 10)
    assert 0.0 < here <= friis * (1 + 1e-12)
    # Up to the break point's step, which is below 0.05 dB.
    assert farther <= here * 10**0.005


def test_near_devices_count_as_three_metres_apart() -> None:
    gains = d2d_outdoor_gain([0.0, 1.0, 3.0], los_rank=0.9, carrier_hz=3.5e9)
    assert gains[0] == gains[1] == gains[2]


def test_the_probability_of_a_line_of_sight() -> None:
    probabilities = los_probability([0.0, 18.0, 36.0, 1e4])
    half = 0.5 * (1 - math.exp(-1)) + math.exp(-1)
    np.testing.assert_allclose(probabilities, [1.0, 1.0, half, 18e-4], rtol=1e-12)
    assert np.all(np.diff(los_probability(np.linspace(0.0, 500.0, 2001))) <= 1e-15)


def test_a_rank_is_a_state_of_the_right_probability_at_every_distance() -> None:
    ranks = stream(1, "test-los").random((20_000, 1))
    distances = np.array([10.0, 30.0, 60.0, 200.0])
    gains = d2d_outdoor_gain(distances, los_rank=ranks, carrier_hz=3.5e9)
    sees = gains == d2d_outdoor_gain(distances, los_rank=LOS, carrier_hz=3.5e9)
    expected = los_probability(distances)
    error = np.sqrt(expected * (1 - expected) / len(ranks))
    assert np.all(np.abs(sees.mean(axis=0) - expected) <= 4.5 * error)
    # Who sees at a distance sees at all shorter ones.
    assert np.all(sees[:, :-1] >= sees[:, 1:])


def test_blocked_links_lose_more() -> None:
    distances = np.array([20.0, 60.0, 300.0])
    assert np.all(loss_db(distances, NLOS) > loss_db(distances, LOS) + 10.0)


@pytest.mark.parametrize(
    ("bad", "value"), [("distance_m", -1.0), ("los_rank", 1.0), ("carrier_hz", 28e9)]
)
def test_bad_arguments_are_named(bad: str, value: float) -> None:
    good = {"distance_m": 10.0, "los_rank": 0.5, "carrier_hz": 3.5e9}
    with pytest.raises(ValueError, match=bad):
        d2d_outdoor_gain(**(good | {bad: value}))
