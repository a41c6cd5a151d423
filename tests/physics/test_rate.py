"""Noise, rate, and the closed forms of the Rayleigh link (oracles 1, 2, 9)."""

import numpy as np
import pytest

from cosim.physics.decibel import w_to_dbm
from cosim.physics.fading import block_power_gain
from cosim.physics.pathloss import paper_gain
from cosim.physics.rate import ergodic_efficiency_bit_s_hz, noise_w, rate_bit_s
from cosim.randomness import stream

DRAWS = 200_000


def test_noise_of_one_megahertz() -> None:
    assert w_to_dbm(noise_w(1e6, 9.0)) == pytest.approx(-104.975, abs=5e-4)


def test_rate_is_log2_and_keeps_the_digits_of_a_weak_link() -> None:
    assert rate_bit_s(2e6, 3.0) == pytest.approx(4e6, rel=1e-14)
    assert rate_bit_s(1.0, 1e-20) == pytest.approx(1e-20 / np.log(2.0), rel=1e-14, abs=0.0)
    with pytest.raises(ValueError, match="snr"):
        rate_bit_s(1e6, -2.0)


@pytest.mark.parametrize("mean_snr", [1e-4, 0.1, 1.0, 30.0, 1e4])
def test_ergodic_efficiency_is_the_mean_over_the_fades(mean_snr: float) -> None:
    gains = block_power_gain(stream(1, "ergodic"), DRAWS)
    sample = rate_bit_s(1.0, mean_snr * gains)
    standard_error = sample.std() / np.sqrt(DRAWS)
    exact = ergodic_efficiency_bit_s_hz(mean_snr)
    assert abs(sample.mean() - exact) < 4.5 * standard_error


def test_ergodic_efficiency_at_the_extremes() -> None:
    # γ → 0: γ/ln 2 · (1 − γ + …); γ → ∞: (ln γ − Euler's constant)/ln 2.
    np.testing.assert_allclose(
        ergodic_efficiency_bit_s_hz([0.0, 1e-250, 1e-9]),
        np.array([0.0, 1e-250, 1e-9]) / np.log(2.0),
        rtol=1.1e-9,
    )
    assert ergodic_efficiency_bit_s_hz(1e12) == pytest.approx(
        (np.log(1e12) - np.euler_gamma) / np.log(2.0), rel=1e-10
    )


def test_outage_probability() -> None:
    mean_snr, needed = 8.0, 1.5
    exact = 1.0 - np.exp(-(2.0**needed - 1.0) / mean_snr)
    gains = block_power_gain(stream(2, "outage"), DRAWS)
    outages = np.mean(rate_bit_s(1.0, mean_snr * gains) < needed)
    assert abs(outages - exact) < 4.5 * np.sqrt(exact * (1.0 - exact) / DRAWS)


def test_block_fading_delay_quantiles() -> None:
    # Quantiles, because the mean is infinite. A sample quantile q deviates in probability by at
    # most √(q(1−q)/n) per standard error, so the closed-form CDF is evaluated at it.
    bits, bandwidth, mean_snr = 3e6, 1e6, 5.0
    gains = block_power_gain(stream(3, "delay"), DRAWS)
    delays = bits / rate_bit_s(bandwidth, mean_snr * gains)
    median = bits / (bandwidth * np.log2(1.0 + mean_snr * np.log(2.0)))
    for level in (0.1, 0.5, 0.9):
        t = np.quantile(delays, level)
        cdf = np.exp(-(2.0 ** (bits / (bandwidth * t)) - 1.0) / mean_snr)
        assert abs(cdf - level) < 4.5 * np.sqrt(level * (1.0 - level) / DRAWS)
    assert abs(np.mean(delays <= median) - 0.5) < 4.5 * 0.5 / np.sqrt(DRAWS)


def test_scaling_distance_power_and_noise_together_leaves_the_rate() -> None:
    distance, exponent, scale = np.array([3.0, 40.0, 180.0]), 3.2, 7.0

    def rate(stretch: float, power_w: float) -> np.ndarray:
        gain = paper_gain(stretch * distance, exponent=exponent)
        return rate_bit_s(1e6, power_w * gain / noise_w(1e6))

    np.testing.assert_allclose(rate(scale, 0.1 * scale**exponent), rate(1.0, 0.1), rtol=1e-12)
