"""Availability is an alternating renewal process that is stationary from the first instant."""

import math
from itertools import islice, pairwise, takewhile

import numpy as np
import pytest

from cosim.mobility.availability import exponential_spells
from cosim.randomness import stream

SIGMAS = 4.5
DEVICES = 4000


def _on(means: tuple[float, float], times: list[float]) -> np.ndarray:
    """Whether each of many devices is on at the times: (devices, times)."""
    on = np.zeros((DEVICES, len(times)), dtype=bool)
    for device in range(DEVICES):
        spells = exponential_spells(stream(3, "availability", device), *means)
        for since, until in takewhile(lambda spell: spell[0] <= times[-1], spells):
            on[device] |= [since <= time < until for time in times]
    return on


@pytest.mark.parametrize("means", [(10.0, 30.0), (5.0, 5.0), (40.0, 2.0)])
def test_the_share_that_is_on_is_the_same_at_all_times(means: tuple[float, float]) -> None:
    times = [0.0, 0.5, 3.0, 10.0, 47.0, 200.0]
    on = _on(means, times)
    p = means[0] / sum(means)
    slack = SIGMAS * math.sqrt(p * (1.0 - p) / DEVICES)
    np.testing.assert_allclose(on.mean(axis=0), p, atol=slack)


def test_the_residuals_have_no_memory() -> None:
    """P(on at t | on at 0) = p + (1 − p)·e^(−t/on − t/off)."""
    times = [0.0, 1.0, 4.0, 9.0, 25.0]
    on = _on((10.0, 15.0), times)
    started = on[on[:, 0]]
    p = 10.0 / 25.0
    expected = p + (1.0 - p) * np.exp(-np.array(times) * (1.0 / 10.0 + 1.0 / 15.0))
    slack = SIGMAS * math.sqrt(0.25 / len(started))
    np.testing.assert_allclose(started.mean(axis=0), expected, atol=slack)


def test_the_durations_are_exponential_with_the_means() -> None:
    count = 20_000
    spells = list(islice(exponential_spells(stream(1, "availability"), 7.0, 0.5), count))
    on = np.array([until - since for since, until in spells])
    off = np.array([later[0] - earlier[1] for earlier, later in pairwise(spells)])
    for durations, mean in ((on, 7.0), (off, 0.5)):
        # The mean of n exponentials deviates by 1/√n of itself, the square's mean, 2·mean², by
        # √(5/n) of itself.
        assert durations.mean() == pytest.approx(mean, rel=SIGMAS / math.sqrt(count))
        square = np.square(durations).mean()
        assert square == pytest.approx(2.0 * mean**2, rel=SIGMAS * math.sqrt(5.0 / count))
    assert abs(np.corrcoef(on[:-1], off)[0, 1]) < SIGMAS / math.sqrt(count)


@pytest.mark.parametrize("means", [(1.0, 1.0), (1e-20, 1.0), (1.0, 1e-20), (1e-320, 1e9)])
def test_spells_are_ordered_disjoint_and_not_empty(means: tuple[float, float]) -> None:
    ends = np.array(list(islice(exponential_spells(stream(1, "a"), *means), 200))).ravel()
    assert ends[0] >= 0.0
    assert np.all(np.diff(ends) > 0.0)


def test_nothing_is_drawn_before_it_is_asked_for() -> None:
    random = stream(1, "a")
    spells = exponential_spells(random, 1.0, 1.0)
    assert random.random() == stream(1, "a").random()
    first = list(islice(exponential_spells(stream(1, "a"), 1.0, 1.0), 5))
    assert first == list(islice(exponential_spells(stream(1, "a"), 1.0, 1.0), 5))
    assert next(spells) != first[0]


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf, math.nan])
def test_means_that_are_none_are_refused_at_the_call(bad: float) -> None:
    for means in ((bad, 1.0), (1.0, bad)):
        with pytest.raises(ValueError, match="must be finite and positive"):
            exponential_spells(stream(1, "a"), *means)
