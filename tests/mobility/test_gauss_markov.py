"""Gauss–Markov: oracle 8 (variance σ², autocorrelation a^k), the edge, and the speed limit."""

import math
from typing import Any

import numpy as np
import pytest

from cosim.mobility.area import Area, Disc, Square
from cosim.mobility.gauss_markov import DEVIATIONS, _cut, gauss_markov
from cosim.mobility.trajectory import Trajectory
from cosim.randomness import stream

SIGMA_M_S, MEMORY_S, STEP_S = 0.8, 6.0, 2.0


def _device(area: Area, number: int, **parameters: float) -> Trajectory:
    given = {"mean_speed_m_s": 1.5, "sigma_m_s": SIGMA_M_S, "memory_s": MEMORY_S, "step_s": STEP_S}
    return gauss_markov(area, stream(1, "mobility", number), **(given | parameters))


def _agree(samples: Any, exact: float, bias: float = 0.0) -> bool:
    """Whether the mean of independent samples is within 4.5 of its standard errors."""
    found = np.asarray(samples)
    return bool(abs(found.mean() - exact) < 4.5 * found.std() / math.sqrt(len(found)) + bias)


def test_the_velocity_has_the_variance_and_the_autocorrelation_of_the_process() -> None:
    # Without an edge in reach the position's differences are the velocities; v̄ = 0 is known.
    steps = np.arange(61)
    paths = [
        _device(Square(1e6), n, mean_speed_m_s=0.0).position_m(steps * STEP_S) for n in range(1_000)
    ]
    v = np.diff(np.array(paths), axis=1) / STEP_S
    # The cut at 5σ takes less than 1e-5 of σ² away; each device is one independent sample.
    bias = 1e-5 * SIGMA_M_S**2
    assert _agree((v**2).mean(axis=(1, 2)), SIGMA_M_S**2, bias)
    assert _agree((v[:, 0] ** 2).mean(axis=1), SIGMA_M_S**2, bias)  # from the first instant
    assert _agree(v.mean(axis=(1, 2)), 0.0)
    assert _agree((v[..., 0] * v[..., 1]).mean(axis=1), 0.0)
    a = math.exp(-STEP_S / MEMORY_S)
    # What a step adds is independent of the past, so that this sees an error of 5 % in τ.
    added = v[:, 1:] - a * v[:, :-1]
    assert _agree((added * v[:, :-1]).mean(axis=(1, 2)), 0.0, bias)
    assert _agree((added**2).mean(axis=(1, 2)), SIGMA_M_S**2 * (1.0 - a * a), bias)
    for k in (1, 2, 5, 20):
        products = (v[:, k:] * v[:, :-k]).mean(axis=(1, 2))
        assert _agree(products, SIGMA_M_S**2 * a**k, bias), f"lag {k}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("area", "second_moment"), [(Disc(12.0), 0.5 * 12.0**2), (Square(18.0), 18.0**2 / 6.0)]
)
def test_places_and_speeds_stay_stationary_at_the_edge(area: Area, second_moment: float) -> None:
    # Reflections are isometries: places stay uniform, and E|v|² = |v̄|² + 2σ².
    devices = [_device(area, n) for n in range(1_200)]
    for time_s in (0.0, 10.0 * STEP_S, 40.0 * STEP_S):
        place = np.array([device.position_m(time_s) for device in devices])
        assert np.all(area.contains(place))
        assert _agree((place**2).sum(axis=1), second_moment)
        assert _agree(place[:, 0], 0.0)
        walked = [np.diff(device.travelled_m([time_s, time_s + STEP_S]))[0] for device in devices]
        assert _agree((np.array(walked) / STEP_S) ** 2, 1.5**2 + 2 * SIGMA_M_S**2, 1e-5)


@pytest.mark.parametrize("area", [Disc(9.0), Square(16.0)])
def test_devices_stay_inside_and_keep_the_limit(area: Area) -> None:
    times = np.linspace(0.0, 400.0, 4_001)
    for number in range(10):
        device = _device(area, number, mean_speed_m_s=1.0, sigma_m_s=0.5)
        assert device.speed_limit_m_s == pytest.approx(1.0 + DEVIATIONS * 0.5)
        place, travelled = device.position_m(times), device.travelled_m(times)
        assert np.all(area.contains(place))
        chords = np.hypot(*np.diff(place, axis=0).T)
        assert np.all(chords <= np.diff(travelled) + 1e-9)
        assert np.all(np.diff(travelled) <= device.speed_limit_m_s * 0.1 * (1.0 + 1e-9))


def test_a_ball_without_chance_bounces_as_a_mirror_says() -> None:
    # σ = 0: a straight line at |v̄| that unfolds through the walls of the square.
    device = _device(Square(10.0), 3, mean_speed_m_s=2.0, sigma_m_s=0.0)
    times = np.linspace(0.0, 300.0, 1_001)
    start, soon = device.position_m([0.0, 1e-3])
    unfolded = start + np.outer(times, (soon - start) / 1e-3)
    folded = np.abs((unfolded + 15.0) % 20.0 - 10.0) - 5.0  # the triangle wave of period 2·side
    np.testing.assert_allclose(device.position_m(times), folded, atol=1e-6)
    np.testing.assert_allclose(device.travelled_m(times), 2.0 * times, rtol=1e-12)
    # In a disc the angle of incidence stays, so every chord is as long as the first whole one.
    round_ = _device(Disc(5.0), 3, mean_speed_m_s=2.0, sigma_m_s=0.0)
    radii = np.hypot(*round_.position_m(np.linspace(0.0, 300.0, 100_001)).T)
    nearest = radii[1:-1][(radii[1:-1] < radii[:-2]) & (radii[1:-1] < radii[2:])]
    assert np.ptp(nearest) < 1e-4


def test_a_walk_along_the_edge_of_a_disc_ends() -> None:
    area = Disc(5.0)
    time_s, end, normal = area.to_edge((5.0, 0.0), (0.0, 1.0))
    assert time_s == 0.0
    assert end == (5.0, 0.0)
    assert normal == (1.0, 0.0)
    from cosim.mobility.gauss_markov import _mirror, _reflected

    turned = _reflected((0.0, 1.0), _mirror((0.0, 1.0), normal))
    assert math.hypot(*turned) == pytest.approx(1.0)
    assert area.to_edge(end, turned)[0] > 1e-4


def test_a_long_deviation_is_cut() -> None:
    assert _cut(np.array([3.0, 4.0]), 0.5) == pytest.approx((1.5, 2.0))
    assert _cut(np.array([0.3, 0.4]), 0.5) == (0.3, 0.4)


def test_answers_do_not_depend_on_the_questions() -> None:
    times = np.linspace(0.0, 100.0, 41)
    device, asked = _device(Disc(8.0), 5), _device(Disc(8.0), 5)
    expected = device.position_m(times)
    for index in stream(2, "order").permutation(len(times)):
        np.testing.assert_array_equal(asked.position_m(times[index]), expected[index])


def test_nothing_moves_at_no_speed() -> None:
    device = _device(Disc(8.0), 5, mean_speed_m_s=0.0, sigma_m_s=0.0)
    assert device.travelled_m(1e3) == 0.0
    assert device.speed_limit_m_s == 0.0


@pytest.mark.parametrize(
    "bad",
    [
        {"mean_speed_m_s": -1.0},
        {"sigma_m_s": math.nan},
        {"memory_s": 0.0},
        {"step_s": math.inf},
        {"step_s": 30.0},
    ],
)
def test_bad_arguments_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        _device(Disc(8.0), 1, **bad)
