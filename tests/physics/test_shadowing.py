"""Shadowing: variance, correlation over both ends' moves, and reading it anywhere at any time."""

import math
from typing import Any

import numpy as np
import pytest

from cosim.physics.checks import FloatArray
from cosim.physics.shadowing import FEATURES, ShadowingField, losses_db
from cosim.randomness import stream

SIGMA_DB, DECORRELATION_M = 7.0, 10.0


def fields(count: int, features: int = FEATURES, seed: int = 1) -> list[ShadowingField]:
    rng = stream(seed, "test-shadowing")
    return [
        ShadowingField.draw(
            rng, sigma_db=SIGMA_DB, decorrelation_m=DECORRELATION_M, features=features
        )
        for _ in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("features", [1, FEATURES])
def test_moments_over_links(features: int) -> None:
    """E S² = σ² and E S⁴ = (3 − 1.5/N)·σ⁴; Var S² = (2 − 1.5/N)·σ⁴, Var S⁴ ≤ 96·σ⁸ (Gauss)."""
    links = 20_000
    losses = np.array([one.loss_db((3.0, 4.0), (-20.0, 7.0)) for one in fields(links, features)])
    unit = losses / SIGMA_DB
    assert abs(unit.mean()) < 4.5 / math.sqrt(links)
    assert abs(np.mean(unit**2) - 1.0) < 4.5 * math.sqrt((2.0 - 1.5 / features) / links)
    assert abs(np.mean(unit**4) - (3.0 - 1.5 / features)) < 4.5 * math.sqrt(96.0 / links)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end_i", "end_j"),
    [((1.0, 0.0), (0.0, 0.0)), ((0.0, 0.0), (-0.6, 0.8)), ((0.6, 0.8), (0.0, -0.5))],
)
def test_autocorrelation_is_gudmundsons_for_each_end(
    end_i: tuple[float, float], end_j: tuple[float, float]
) -> None:
    """Products of two unit Gaussians have variance 1 + ρ² ≤ 2, so √(2/L) bounds the error."""
    links = 10_000
    steps = np.array([0.0, 0.5, 2.0, 5.0, 10.0, 20.0, 50.0])
    path_i, path_j = np.outer(steps, end_i) + np.array([40.0, -3.0]), np.outer(steps, end_j)
    losses = np.array([one.loss_db(path_i, path_j) for one in fields(links, seed=2)]) / SIGMA_DB
    measured = np.mean(losses * losses[:, :1], axis=0)
    moved = steps * (math.hypot(*end_i) + math.hypot(*end_j))
    np.testing.assert_allclose(
        measured, np.exp(-moved / DECORRELATION_M), atol=4.5 * math.sqrt(2.0 / links)
    )


def test_one_field_varies_as_much_as_many() -> None:
    """Over a plain of many decorrelation lengths; features f of equal power make the variance in
    space of one field scatter by at most √(2/N) around σ²."""
    spots = stream(3, "spots").uniform(-2_000.0, 2_000.0, (2, 4_000, 2))
    spread = [np.var(one.loss_db(*spots)) / SIGMA_DB**2 for one in fields(30, seed=3)]
    assert abs(np.mean(spread) - 1.0) < 4.5 * math.sqrt(2.0 / FEATURES / len(spread))


@pytest.mark.slow
@pytest.mark.parametrize("ends", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_one_link_decorrelates_as_a_gaussian_one(ends: tuple[float, float]) -> None:
    """On 4 km of one link, sampled every 2 m, the correlation over 10 m scatters from link to link
    at most 1.15 times as much as that of Gaussian processes with Gudmundson's correlation; a
    standard deviation of L has the standard error 1/√(2L), and two of them are granted."""
    links, step_m, ahead = 400, 2.0, 5
    rho = math.exp(-step_m / DECORRELATION_M)
    way = step_m * np.arange(2001)
    path_i = ends[0] * np.outer(way, (math.cos(1.1), math.sin(1.1)))
    path_j = ends[1] * np.outer(way, (math.cos(2.7), math.sin(2.7)))
    found = [correlation(one.loss_db(path_i, path_j), ahead) for one in fields(links, seed=6)]
    process = stream(7, "gudmundson").standard_normal((len(way), 5 * links))
    for now, before in zip(process[1:], process, strict=False):
        now *= math.sqrt(1.0 - rho**2)
        now += rho * before
    true = [correlation(one, ahead) for one in process.T]
    error = math.sqrt((1.0 + 1.0 / 5.0) / (2.0 * links))
    assert np.std(found) < 1.15 * (1.0 + 2.0 * error) * np.std(true)
    assert abs(np.mean(found) - np.mean(true)) < 4.5 * 1.15 * np.std(true) * math.sqrt(2.0) * error


def correlation(values: FloatArray, ahead: int) -> float:
    """What the values, less their mean, have in common with those so many places ahead."""
    centred = values - values.mean()
    return float(np.mean(centred[:-ahead] * centred[ahead:]) / np.mean(centred**2))


def test_links_read_together_and_one_by_one_are_the_same_to_the_bit() -> None:
    here, there = stream(8, "places").uniform(-500.0, 500.0, (2, 300, 2))
    choice: dict[str, Any] = {"sigma_db": SIGMA_DB, "decorrelation_m": DECORRELATION_M}
    together = losses_db([stream(9, "x", link) for link in range(300)], here, there, **choice)
    for link, loss in enumerate(together):
        one = ShadowingField.draw(stream(9, "x", link), **choice)
        assert one.loss_db(here[link], there[link]) == loss
        assert one.loss_db(np.repeat(here, 2, axis=0), there[link])[2 * link] == loss


def test_any_place_any_order_any_batch() -> None:
    (one,) = fields(1, seed=4)
    here = stream(5, "paths").uniform(-50.0, 50.0, (9_000, 2))
    there = np.array([3.0, -8.0])
    losses = one.loss_db(here, there)
    np.testing.assert_array_equal(one.loss_db(here[::-7], there), losses[::-7])
    np.testing.assert_array_equal(one.loss_db(here.reshape(3, -1, 2), there).ravel(), losses)
    assert one.loss_db(here[17], there) == losses[17]
    assert isinstance(one.loss_db(here[17], there), float)


def test_without_deviation_there_is_none() -> None:
    one = ShadowingField.draw(stream(1, "x"), sigma_db=0.0, decorrelation_m=5.0)
    np.testing.assert_array_equal(one.loss_db(np.ones((4, 2)), np.zeros(2)), np.zeros(4))


@pytest.mark.parametrize(
    ("bad", "value"), [("sigma_db", -1.0), ("decorrelation_m", 0.0), ("features", 0)]
)
def test_bad_arguments_are_named(bad: str, value: float) -> None:
    good = {"sigma_db": 6.0, "decorrelation_m": 10.0}
    with pytest.raises(ValueError, match=bad):
        ShadowingField.draw(stream(1, "x"), **(good | {bad: value}))  # type: ignore[arg-type]
