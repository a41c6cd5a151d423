"""A fleet answers what each of its devices' trajectories does, to the bit."""

import numpy as np
import pytest

from cosim.mobility.area import Disc
from cosim.mobility.fleet import FleetMotion
from cosim.mobility.gauss_markov import gauss_markov
from cosim.mobility.random_waypoint import random_waypoint
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.trajectory import PiecewiseLinear, Static, Trajectory
from cosim.randomness import stream

AREA = Disc(50.0)


def mixed(seed: int) -> list[Trajectory]:
    """A post, walkers with and without pauses, a wanderer, one who stops, one who was recorded."""
    walkers: list[Trajectory] = [
        random_waypoint(AREA, stream(seed, "walk", k), speed_m_s=(1.0, 9.0), pause_s=(0.0, k))
        for k in range(6)
    ]
    wanderer = gauss_markov(
        AREA, stream(seed, "wander"), mean_speed_m_s=2.0, sigma_m_s=1.0, memory_s=5.0, step_s=1.0
    )
    stops = PiecewiseLinear((0.0, 0.0), iter([(8.0, 4.0, 3.0)]), speed_limit_m_s=2.0)
    times = np.array([-1.0, 2.0, 2.0, 30.0])
    recorded = RecordedPath("a", times, np.array([0.0, 1.0, 5.0, 9.0]), np.zeros(4))
    return [Static(3.0, -4.0), *walkers, wanderer, stops, recorded]


@pytest.mark.parametrize("seed", range(8))
def test_it_answers_what_each_trajectory_does(seed: int) -> None:
    fleet, alone = FleetMotion(mixed(seed)), mixed(seed)
    random = stream(seed, "questions")
    for _ in range(40):
        start_s, span_s = random.uniform(0.0, 60.0), random.choice([0.0, 0.3, 5.0, 80.0])
        times = np.linspace(start_s, start_s + span_s, int(random.integers(1, 9)))
        devices = random.integers(len(alone), size=(4, 2))
        places, lengths = fleet.position_m(devices, times), fleet.travelled_m(devices, times)
        assert places.shape == (4, 2, len(times), 2)
        for of in np.ndindex(4, 2):
            path = alone[int(devices[of])]
            np.testing.assert_array_equal(places[of], path.position_m(times))
            np.testing.assert_array_equal(lengths[of], path.travelled_m(times))


def test_the_end_of_a_leg_belongs_to_the_next() -> None:
    legs = [(2.0, 2.0, 0.0), (1.0, 2.0, 3.0)]
    fleet = FleetMotion([PiecewiseLinear((0.0, 0.0), iter(legs), speed_limit_m_s=3.0)])
    turning = PiecewiseLinear((0.0, 0.0), iter(legs), speed_limit_m_s=3.0)
    for moments in ([0.0, 2.0], [2.0], [2.0, 2.5], [1.0], [2.5, 3.0], [3.0, 99.0], [1.0, 2.5]):
        times = np.array(moments)
        places = fleet.position_m(np.array([0]), times)[0]
        np.testing.assert_array_equal(places, turning.position_m(times))


def test_who_changes_speed_is_not_steady() -> None:
    """A corner at one speed is as even as a straight line; a pause or another speed is not."""
    times = np.linspace(1.0, 3.0, 11)
    legs = {
        "straight": [(9.0, 9.0, 0.0)],
        "corner": [(2.0, 2.0, 0.0), (9.0, 2.0, 9.0)],
        "stop": [(2.0, 2.0, 0.0)],
        "faster": [(2.0, 2.0, 0.0), (3.0, 2.0, 6.0)],
    }
    paths = [PiecewiseLinear((0, 0), iter(own), speed_limit_m_s=2.0) for own in legs.values()]
    fleet = FleetMotion(paths)
    first, step = fleet.steady_m(np.arange(4), times)
    np.testing.assert_allclose(first, 1.0, rtol=1e-12)
    np.testing.assert_allclose(step[:2], 0.2, rtol=1e-12)
    assert np.isnan(step[2:]).all()
    assert fleet.steady_m(np.array([0]), np.array([4.0]))[1] == 0.0


@pytest.mark.parametrize("wrong_s", [-1.0, np.nan, np.inf])
def test_a_time_that_is_none_is_refused(wrong_s: float) -> None:
    for path in mixed(1):
        for _ in range(2):
            with pytest.raises(ValueError, match="times"):
                FleetMotion([path]).position_m(np.array([0]), np.array([wrong_s]))


@pytest.mark.parametrize("seed", range(4))
def test_each_device_may_be_asked_for_times_of_its_own(seed: int) -> None:
    """Also where one device is asked for several, on several legs."""
    fleet, alone = FleetMotion(mixed(seed)), mixed(seed)
    random = stream(seed, "questions")
    for _ in range(20):
        span_s = random.choice([0.0, 0.3, 80.0])
        times = random.uniform(0.0, 60.0, (6, 1, 1)) + np.linspace(0.0, span_s, 5)
        devices = random.integers(len(alone), size=(6, 2))
        places, lengths = fleet.position_m(devices, times), fleet.travelled_m(devices, times)
        first, step = fleet.steady_m(devices, times)
        for row, end in np.ndindex(6, 2):
            path, own = alone[int(devices[row, end])], times[row, 0]
            np.testing.assert_array_equal(places[row, end], path.position_m(own))
            np.testing.assert_array_equal(lengths[row, end], path.travelled_m(own))
            alone_first, alone_step = FleetMotion([path]).steady_m(np.array([0]), own)
            assert first[row, end] == alone_first[0]
            np.testing.assert_array_equal(step[row, end], alone_step[0])
