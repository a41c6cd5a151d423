"""Rayleigh fading: moments, correlation, crossings, and evaluation at any instant (oracle 6)."""

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.special import j0

from cosim.physics.fading import (
    SumOfSinusoids,
    block_power_gain,
    clarke_power_gains,
    coherence_time_s,
    doppler_hz,
    effective_doppler_hz,
)
from cosim.physics.pathloss import wavelength_m
from cosim.randomness import pair, stream

CARRIER_HZ = 3.5e9


def _links(count: int, sinusoids: int = 64, seed: int = 1) -> list[SumOfSinusoids]:
    """Many links from one generator: a stream each would only cost time here."""
    rng = stream(seed, "test-fading")
    return SumOfSinusoids.draw_all([rng] * count, carrier_hz=CARRIER_HZ, sinusoids=sinusoids)


def amplitude(fading: SumOfSinusoids, s_i_m: ArrayLike, s_j_m: ArrayLike) -> np.ndarray:
    """z by its definition, a term a sinusoid."""
    k_i, k_j, phase = fading.waves
    s_i, s_j = (np.asarray(path_m, dtype=np.float64)[..., None] for path_m in (s_i_m, s_j_m))
    waves = np.exp(1j * (k_i * s_i + k_j * s_j + phase))
    return np.asarray(waves.sum(axis=-1) / np.sqrt(phase.size))


def power_gain(fading: SumOfSinusoids, s_i_m: ArrayLike, s_j_m: ArrayLike) -> np.ndarray:
    s_i, s_j = np.broadcast_arrays(np.atleast_1d(s_i_m), np.atleast_1d(s_j_m))
    return np.asarray(clarke_power_gains([fading], s_i[None], s_j[None])[0])


def test_doppler_and_coherence_of_a_pedestrian() -> None:
    doppler = doppler_hz(1.5, CARRIER_HZ)
    assert doppler == pytest.approx(17.5, abs=0.02)
    assert coherence_time_s(doppler) == pytest.approx(0.0242, abs=1e-4)
    np.testing.assert_array_equal(coherence_time_s([0.0]), [np.inf])
    assert effective_doppler_hz(3.0, 4.0) == pytest.approx(5.0)


def test_block_gain_is_exponential() -> None:
    # Mean 1 (variance 1) and E[g²] = 2 (variance 20) of Exp(1).
    gains = block_power_gain(stream(7, "block"), 100_000)
    assert abs(gains.mean() - 1.0) < 4.5 / np.sqrt(gains.size)
    assert abs(np.square(gains).mean() - 2.0) < 4.5 * np.sqrt(20.0 / gains.size)


@pytest.mark.slow
def test_autocorrelation_is_the_product_of_two_bessel_functions() -> None:
    # Ends at different speeds. Over L links and two quadratures the mean of products of unit
    # power has standard error ≤ 1/√(2L) = 0.005 for L = 20 000: 0.02 is four of them.
    lag_i_m = np.linspace(0.0, 0.12, 13)
    lag_j_m = 0.4 * lag_i_m
    links = _links(20_000, sinusoids=64)
    k = 2.0 * np.pi / wavelength_m(CARRIER_HZ)
    start = np.array([amplitude(fading, 3.0, 8.0) for fading in links])
    later = np.array([amplitude(fading, 3.0 + lag_i_m, 8.0 + lag_j_m) for fading in links])
    measured = np.mean(later * start.conj()[:, None], axis=0)
    np.testing.assert_allclose(measured.real, j0(k * lag_i_m) * j0(k * lag_j_m), atol=0.02)
    np.testing.assert_allclose(measured.imag, 0.0, atol=0.02)


@pytest.mark.parametrize("sinusoids", [1, 4, 64])
def test_moments_of_a_finite_sum(sinusoids: int) -> None:
    # Var|z|² ≤ 1 and Var|z|⁴ ≤ 24 − 4 = 20, the values of the Gaussian limit.
    links = 10_000
    zeros = np.zeros((links, 1))
    gains = clarke_power_gains(_links(links, sinusoids, seed=2), zeros, zeros)
    assert abs(gains.mean() - 1.0) < 4.5 / np.sqrt(links)
    assert abs(np.square(gains).mean() - (2.0 - 1.0 / sinusoids)) < 4.5 * np.sqrt(20.0 / links)


@pytest.mark.slow
def test_level_crossings_per_path_length() -> None:
    # Upward crossings of r per second: √(2π)·f·r·e^(−r²), with f the Doppler of both ends
    # together; here per step, with speed in wavelengths. Crossings shorter than a step are lost:
    # 40 samples per wavelength lose well below 1 %. Finite N lowers the rate by about 1/N.
    links, steps, step = 300, 2_000, 1.0 / 40.0
    wavelength = float(wavelength_m(CARRIER_HZ))
    s_i = np.broadcast_to(np.arange(steps) * step * wavelength, (links, steps))
    envelope = np.sqrt(clarke_power_gains(_links(links, seed=3), s_i, 0.5 * s_i))
    effective = float(effective_doppler_hz(1.0, 0.5)) * step
    for r in (0.5, 1.0):
        below = envelope < r
        counts = np.sum(below[:, :-1] & ~below[:, 1:], axis=1)
        exact = np.sqrt(2.0 * np.pi) * effective * r * np.exp(-(r**2)) * (steps - 1)
        standard_error = counts.std() / np.sqrt(links)
        assert abs(counts.mean() - exact) < 4.5 * standard_error + exact * (1.0 / 64 + 0.01)


def test_any_instant_any_order_any_batch() -> None:
    links = _links(5, seed=4)
    s_i = np.cumsum(stream(8, "paths").random((5, 3_000)), axis=1)
    s_j = 0.3 * s_i
    gains = clarke_power_gains(links, s_i, s_j)
    # Equal but for the order of roundings, if a platform's cosine has a different vector path.
    for link, (fading, a, b) in enumerate(zip(links, s_i, s_j, strict=True)):
        backwards = power_gain(fading, a[::-7], b[::-7])
        np.testing.assert_allclose(backwards, gains[link, ::-7], rtol=1e-9)
        assert power_gain(fading, a[17], b[17]) == pytest.approx(gains[link, 17], rel=1e-9)
        defined = np.square(np.abs(amplitude(fading, a, b)))
        np.testing.assert_allclose(gains[link], defined, rtol=0, atol=1e-9)


def test_it_freezes_when_both_stop() -> None:
    fading = _links(1, seed=5)[0]
    stopped = power_gain(fading, np.full(4, 12.0), 7.0)
    assert np.ptp(stopped) == 0.0
    assert power_gain(fading, 12.0, 7.01) != stopped[0]
    assert power_gain(fading, 12.01, 7.0) != stopped[0]


def test_reciprocity_comes_from_the_unordered_pair() -> None:
    def gain(source: int, target: int, travelled_m: dict[int, float]) -> float:
        first, second = pair(source, target)
        streams = [stream(1, "fading", first, second)]
        (fading,) = SumOfSinusoids.draw_all(streams, carrier_hz=CARRIER_HZ)
        return float(power_gain(fading, travelled_m[first], travelled_m[second])[0])

    travelled_m = {3: 5.5, 8: 2.25}
    assert gain(3, 8, travelled_m) == gain(8, 3, travelled_m)


def test_shapes() -> None:
    fading = _links(1, seed=6)[0]
    assert clarke_power_gains([], np.zeros((0, 4)), np.zeros((0, 4))).shape == (0, 4)
    with pytest.raises(ValueError, match="links"):
        clarke_power_gains([fading], np.zeros((2, 4)), np.zeros((2, 4)))
    mixed = [fading, _links(1, sinusoids=8)[0]]
    with pytest.raises(ValueError, match="sinusoids"):
        clarke_power_gains(mixed, np.zeros((2, 4)), np.zeros((2, 4)))


def test_links_drawn_together_are_each_as_drawn_alone() -> None:
    together = SumOfSinusoids.draw_all(
        [stream(1, "fading", 0, k) for k in range(9)], carrier_hz=3.5e9, sinusoids=17
    )
    for k, link in enumerate(together):
        streams = [stream(1, "fading", 0, k)]
        (alone,) = SumOfSinusoids.draw_all(streams, carrier_hz=3.5e9, sinusoids=17)
        np.testing.assert_array_equal(link.waves, alone.waves)
    assert SumOfSinusoids.draw_all([], carrier_hz=3.5e9) == []
