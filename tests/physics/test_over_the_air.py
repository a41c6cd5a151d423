"""Aggregation over the air against closed forms, and against the signal chain itself."""

import numpy as np
import pytest

from cosim.physics.over_the_air import (
    analog_symbols,
    estimate_error,
    inversion_power,
    inverted_power_w,
    symbols_time_s,
)
from cosim.randomness import stream


def test_the_weakest_of_those_who_take_part_sends_at_p_max() -> None:
    taking_part, eta_w = inversion_power([0.5, 0.04, 2.0, 0.25], 0.2, 0.05)
    assert taking_part.tolist() == [True, False, True, True]
    assert eta_w == pytest.approx(0.2 * 0.25)
    power = inverted_power_w(np.array([0.5, 2.0, 0.25]), eta_w, 0.2)
    assert power == pytest.approx([0.1, 0.025, 0.2])


def test_nobody_takes_part_without_a_channel() -> None:
    taking_part, eta_w = inversion_power([0.0, 0.0], 0.2, 0.0)
    assert not taking_part.any()
    assert eta_w == 0.0
    assert not inversion_power([1e-9, 1e-12], 0.2, 1e-6)[0].any()


def test_power_is_never_above_p_max() -> None:
    random = stream(1, "test")
    for _ in range(300):
        gains = random.exponential(10.0 ** random.uniform(-14, 0), size=6)
        p_max_w = float(10.0 ** random.uniform(-3, 1))
        taking_part, eta_w = inversion_power(gains, p_max_w, 0.0)
        power = inverted_power_w(gains[taking_part], eta_w, p_max_w)
        assert (power <= p_max_w).all()
        assert power.max() == pytest.approx(p_max_w, rel=1e-12)


def estimates(gains: np.ndarray, eta_w: float, noise_w: float, values: int) -> np.ndarray:
    """ŝ − mean of s (values,), of symbols with one value on I and one on Q that go through complex
    channels of these power gains: the chain, step by step."""
    random = stream(2, "chain")
    symbols = values // 2
    n = len(gains)
    phase = random.uniform(0, 2 * np.pi, n)
    h = np.sqrt(gains) * np.exp(1j * phase)
    s = random.standard_normal((n, values))
    sent = (s[:, :symbols] + 1j * s[:, symbols:]) / np.sqrt(2)  # of unit power
    p = np.sqrt(eta_w) * h.conj() / np.abs(h) ** 2
    z = random.standard_normal((2, symbols)) * np.sqrt(noise_w / 2)
    y = ((h * p)[:, None] * sent).sum(axis=0) + z[0] + 1j * z[1]
    found = np.sqrt(2) * np.concatenate([y.real, y.imag]) / (np.sqrt(eta_w) * n)
    return np.asarray(found - s.mean(axis=0))


@pytest.mark.parametrize("gains", [[1.0], [0.5, 2.0], [0.3, 0.7, 1.1, 4.0, 0.35]])
def test_the_error_of_the_chain_is_the_formula_within_5_percent(gains: list[float]) -> None:
    noise_w = 0.03
    taking_part, eta_w = inversion_power(gains, 0.2, 0.0)
    assert taking_part.all()
    error = estimates(np.array(gains), eta_w, noise_w, 40_000)
    assert np.mean(error**2) == pytest.approx(
        float(estimate_error(eta_w, noise_w, len(gains))), rel=0.05
    )


# Mean squared error of the mean of five senders over Rayleigh channels, at signal-to-noise ratios
# of 0, 10, 20 and 30 dB, relative to unit signal: what truncation and noise leave together.
TABLE = {0.05: (0.166, 0.028, 0.015, 0.013), 0.2: (0.158, 0.070, 0.059, 0.060)}


@pytest.mark.slow
@pytest.mark.parametrize(("threshold", "share"), [(0.05, 0.95), (0.2, 0.82)])
def test_the_table_of_errors_under_rayleigh_fading(threshold: float, share: float) -> None:
    """The error of a mean over those who take part as an estimate of the mean of all: for signals
    apart and of unit power, Σ(1/n − 1/5)² over those plus (5 − n)/25, besides the noise.

    The table's signals have unit power on I and on Q, each in half of the noise: a symbol of theirs
    has twice the power that p_max allows one of ours."""
    draws, senders = 20_000, 5
    gains = stream(3, "test", str(threshold)).exponential(size=(draws, senders))
    for snr_db, expected in zip((0, 10, 20, 30), TABLE[threshold], strict=True):
        errors, counted = [], 0
        for gain in gains:
            taking_part, eta_w = inversion_power(gain, 1.0, threshold)
            n = int(taking_part.sum())
            counted += n
            if n == 0:
                errors.append(1 / senders)
                continue
            noise = float(estimate_error(eta_w, 10.0 ** (-snr_db / 10) / 2, n))
            errors.append(n * (1 / n - 1 / senders) ** 2 + (senders - n) / senders**2 + noise)
        # Three deviations of this mean, and what the table's own samples leave open.
        spread = 3 * np.std(errors) / np.sqrt(draws)
        assert np.mean(errors) == pytest.approx(expected, abs=spread + 0.004)
        assert counted / (draws * senders) == pytest.approx(share, abs=0.005)


def test_time_is_that_of_the_values_alone() -> None:
    assert analog_symbols(1_000_000) == 500_000
    assert analog_symbols(7) == 4
    assert symbols_time_s(analog_symbols(1_000_000), 20e6) == pytest.approx(0.025)


@pytest.mark.parametrize("wrong", [(-1.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, -0.1)])
def test_bad_numbers_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        inversion_power([wrong[0]], wrong[1], wrong[2])
