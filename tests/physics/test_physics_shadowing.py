"""Shadowing: variance, correlation over both ends' moves, and reading it anywhere at any time."""

import math

import numpy as np
import pytest

from cosim.physics.shadowing import FEATURES, ShadowingField
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


@pytest.mark.parametrize("features", [1, FEATURES])
def test_moments_over_links(features: int) -> None:
    """E S² = σ² and E S⁴ = (3 − 1.5/N)·σ⁴; Var S² = (2 − 1.5/N)·σ⁴, Var S⁴ ≤ 96·σ⁸ (Gauss)."""
    links = 20_000
    losses = np.array([one.loss_db((3.0, 4.0), (-20.0, 7.0)) for one in fields(links, features)])
    unit = losses / SIGMA_DB
    assert abs(unit.mean()) < 4.5 / math.sqrt(links)
    assert abs(np.mean(unit**2) - 1.0) < 4.5 * math.sqrt((2.0 - 1.5 / features) / links)
    assert abs(np.mean(unit**4) - (3.0 - 1.5 / features)) < 4.5 * math.sqrt(96.0 / links)


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
