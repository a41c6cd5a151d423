"""Random waypoint: the stationary law at every instant (oracle 7), and the path's invariants."""

import numpy as np
import pytest

from cosim.mobility.area import Disc, Square
from cosim.mobility.random_waypoint import _mean_slowness_s_m, random_waypoint
from cosim.mobility.trajectory import Trajectory
from cosim.randomness import stream

DEVICES = 3_000
SPEED = (0.5, 20.0)
# Seconds: a pause is asked about at this distance, shorter than nearly every leg or pause.
PROBE_S = 1e-3


def _devices(
    area: Disc | Square, pause_s: tuple[float, float] = (0.0, 0.0), seed: int = 1
) -> list[Trajectory]:
    return [
        random_waypoint(area, stream(seed, "mobility", i), speed_m_s=SPEED, pause_s=pause_s)
        for i in range(DEVICES)
    ]


def _speeds(devices: list[Trajectory], time_s: float) -> np.ndarray:
    """Speeds in m/s at one instant; a turn within the probe is rare (1e-3 s of legs of seconds)."""
    probe = [time_s, time_s + PROBE_S]
    return np.array([np.diff(device.travelled_m(probe))[0] for device in devices]) / PROBE_S


@pytest.mark.slow
@pytest.mark.parametrize("time_s", [0.0, 60.0])
def test_the_state_is_stationary_on_the_disc(time_s: float) -> None:
    radius = 100.0
    devices = _devices(Disc(radius))
    # Speeds: density ∝ 1/v, so mean (v1−v0)/ln(v1/v0) = 5.29 m/s and ln v uniform; every
    # tolerance is 4.5 standard errors of DEVICES independent devices.
    speeds = _speeds(devices, time_s)
    v0, v1 = SPEED
    u = np.log(speeds / v0) / np.log(v1 / v0)
    assert abs(speeds.mean() - (v1 - v0) / np.log(v1 / v0)) < 4.5 * speeds.std() / np.sqrt(DEVICES)
    assert abs(u.mean() - 0.5) < 4.5 * np.sqrt(1.0 / 12.0 / DEVICES)
    assert abs(np.mean(u < 0.25) - 0.25) < 4.5 * np.sqrt(0.25 * 0.75 / DEVICES)
    position = np.array([device.position_m(time_s) for device in devices]) / radius
    r2 = np.square(position).sum(axis=1)
    assert abs(r2.mean() - 11.0 / 35.0) < 4.5 * r2.std() / np.sqrt(DEVICES)


@pytest.mark.slow
@pytest.mark.parametrize("time_s", [0.0, 25.0])
def test_the_state_is_stationary_on_the_square(time_s: float) -> None:
    devices = _devices(Square(50.0), seed=2)
    position = np.array([device.position_m(time_s) for device in devices]) / 50.0
    for axis in (0, 1):
        x2 = np.square(position[:, axis])
        assert abs(x2.mean() - 0.0533) < 4.5 * x2.std() / np.sqrt(DEVICES) + 5e-5


@pytest.mark.slow
@pytest.mark.parametrize("time_s", [0.0, 7.0, 45.0])
def test_the_paused_share_is_stationary(time_s: float) -> None:
    area, pause_s = Disc(40.0), (2.0, 20.0)
    devices = _devices(area, pause_s, seed=3)
    mean_leg_s = area.mean_distance_m * np.log(SPEED[1] / SPEED[0]) / (SPEED[1] - SPEED[0])
    exact = 11.0 / (11.0 + mean_leg_s)
    paused = np.mean(_speeds(devices, time_s) == 0.0)
    assert abs(paused - exact) < 4.5 * np.sqrt(exact * (1.0 - exact) / DEVICES)


@pytest.mark.slow
def test_the_residual_pause_has_the_equilibrium_law() -> None:
    # Mean E[T²]/(2E[T]) of the residual of a pause uniform on [a, b]; it is the time until the
    # device first moves, seen through the first instant at which it has travelled.
    a, b = 2.0, 20.0
    grid = np.arange(0.0, b + 0.02, 0.02)
    waits = []
    for device in _devices(Disc(40.0), (a, b), seed=3)[:1_500]:
        moved = device.travelled_m(grid) > 0.0
        if not moved[1]:
            waits.append(grid[np.argmax(moved)])
    waits_s = np.array(waits)
    exact = (a * a + a * b + b * b) / 3.0 / (a + b)
    # The grid rounds up by at most 0.02 s, and leaves out waits of less than that.
    assert abs(waits_s.mean() - exact) < 4.5 * waits_s.std() / np.sqrt(len(waits_s)) + 0.04


def test_devices_stay_in_the_area_and_keep_the_limit() -> None:
    times = np.linspace(0.0, 500.0, 5_001)
    for area in (Disc(30.0), Square(60.0)):
        for i in range(20):
            device = random_waypoint(area, stream(4, "mobility", i), speed_m_s=SPEED)
            position, travelled = device.position_m(times), device.travelled_m(times)
            assert np.all(area.contains(position))
            step = np.hypot(*np.diff(position, axis=0).T)
            walked = np.diff(travelled)
            assert np.all(walked >= 0.0)
            assert np.all(walked <= device.speed_limit_m_s * np.diff(times) * (1.0 + 1e-9))
            # The chord of a step is its path, but for the few steps with a turn.
            assert np.all(step <= walked + 1e-9)
            assert np.mean(np.abs(step - walked) < 1e-9) > 0.5


def test_travelled_is_the_integral_of_the_speed() -> None:
    times = np.linspace(0.0, 200.0, 200_001)
    device = random_waypoint(
        Disc(50.0), stream(5, "mobility"), speed_m_s=(1.0, 3.0), pause_s=(0, 9)
    )
    chords = np.hypot(*np.diff(device.position_m(times), axis=0).T)
    # Each of at most 200 turns cuts less than two steps of 1 ms at 3 m/s.
    assert device.travelled_m(200.0) == pytest.approx(chords.sum(), abs=200 * 2 * 3e-3)
    assert device.travelled_m(200.0) >= chords.sum() - 1e-6


def test_the_mean_leg() -> None:
    # At one speed and without pauses the legs after the first are independent, and the number of
    # turns until T is T·v/E[L] up to √(T·v)·std(L)/E[L]^1.5; a turn shows as a bent chord.
    side, speed, horizon = 10.0, 2.0, 20_000.0
    device = random_waypoint(Square(side), stream(6, "mobility"), speed_m_s=(speed, speed))
    times = np.linspace(0.0, horizon, 400_001)
    step = np.hypot(*np.diff(device.position_m(times), axis=0).T)
    turns = np.sum(step < speed * times[1] * (1.0 - 1e-9))
    mean_leg, std_leg = 0.5214 * side, 0.2479 * side
    standard_error = std_leg / mean_leg * np.sqrt(horizon * speed / mean_leg)
    # Two turns within one step of 0.1 m are seen as one: legs below 0.1 m, P ≈ π·0.01² = 3e-4.
    assert abs(turns - horizon * speed / mean_leg) < 4.5 * standard_error + 1e-3 * turns


@pytest.mark.parametrize("pause_s", [(0.0, 0.0), (1.0, 4.0)])
def test_answers_do_not_depend_on_the_questions(pause_s: tuple[float, float]) -> None:
    def device() -> Trajectory:
        return random_waypoint(Disc(25.0), stream(7, "mobility"), speed_m_s=SPEED, pause_s=pause_s)

    times = np.linspace(0.0, 300.0, 61)
    at_once = device()
    expected = at_once.position_m(times), at_once.travelled_m(times)
    shuffled = stream(8, "order").permutation(len(times))
    asked = device()
    for index in shuffled:
        np.testing.assert_array_equal(asked.position_m(times[index]), expected[0][index])
        assert asked.travelled_m(times[index]) == expected[1][index]


def test_scaling_the_area_and_the_speeds_scales_the_path() -> None:
    times = np.linspace(0.0, 100.0, 101)
    small = random_waypoint(Disc(10.0), stream(9, "m"), speed_m_s=(1.0, 2.0), pause_s=(0.0, 3.0))
    large = random_waypoint(Disc(70.0), stream(9, "m"), speed_m_s=(7.0, 14.0), pause_s=(0.0, 3.0))
    np.testing.assert_allclose(large.position_m(times), 7.0 * small.position_m(times), rtol=1e-9)
    np.testing.assert_allclose(large.travelled_m(times), 7.0 * small.travelled_m(times), rtol=1e-9)


def test_equal_speeds_are_the_limit_of_close_ones() -> None:
    assert _mean_slowness_s_m(2.0, 2.0) == 0.5
    assert _mean_slowness_s_m(2.0, 2.0 + 1e-12) == pytest.approx(0.5, rel=1e-12)
    assert _mean_slowness_s_m(*SPEED) == pytest.approx(np.log(40.0) / 19.5, rel=1e-14)
    device = random_waypoint(Square(9.0), stream(10, "m"), speed_m_s=(2.0, 2.0))
    times = np.linspace(0.0, 30.0, 31)
    np.testing.assert_allclose(device.travelled_m(times), 2.0 * times, rtol=1e-9)


@pytest.mark.parametrize(
    "bad",
    [
        {"speed_m_s": (0.0, 1.0)},
        {"speed_m_s": (2.0, 1.0)},
        {"speed_m_s": (1.0, np.inf)},
        {"pause_s": (-1.0, 1.0)},
        {"pause_s": (3.0, 1.0)},
    ],
)
def test_bad_arguments_are_refused(bad: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        random_waypoint(Disc(1.0), stream(1, "m"), **({"speed_m_s": (1.0, 2.0)} | bad))
