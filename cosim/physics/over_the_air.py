"""Aggregation over the air: who sends at what power, how long it takes, how far the sum is off.

Senders who transmit at once and invert their channels have their values added up by the air. With
s_k of unit power and h_k the amplitude gain towards the receiver,

    y = Σ_k h_k·p_k·s_k + z = √η·Σ_k s_k + z,    p_k = √η·h_k*/|h_k|²,    η = p_max·min_k |h_k|²

over those who take part, z of the power σ_z². A channel so weak that all others would have to turn
themselves down for it is truncated. The receiver divides by √η·n (arXiv 2310.10089).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.physics.checks import FloatArray, non_negative, positive

# One value on the in-phase and one on the quadrature part of every symbol.
VALUES_PER_SYMBOL = 2


def inversion_power(
    gains: ArrayLike, p_max_w: float, threshold: float
) -> tuple[NDArray[np.bool_], float]:
    """Who takes part (n,), |h_k|² ≥ g_th and above 0, and η in W at the receiver; 0 W of nobody.

    gains: power gains |h_k|² (n,), without a unit. ValueError for a negative gain or threshold, or
    a p_max that is not positive.
    """
    gain = np.atleast_1d(non_negative(gains, "gains"))
    p_max = float(positive(p_max_w, "p_max_w"))
    taking_part = (gain >= float(non_negative(threshold, "threshold"))) & (gain > 0.0)
    eta_w = p_max * float(gain[taking_part].min()) if taking_part.any() else 0.0
    return taking_part, eta_w


def inverted_power_w(gains: ArrayLike, eta_w: float, p_max_w: float) -> FloatArray:
    """|p_k|² = η/|h_k|² in W of each who takes part, whose symbols have unit power; broadcast.

    Never above p_max, not by a rounding either. ValueError for a gain or p_max that is not
    positive.
    """
    power = non_negative(eta_w, "eta_w") / positive(gains, "gains")
    return np.asarray(np.minimum(power, positive(p_max_w, "p_max_w")))


def estimate_error(eta_w: ArrayLike, noise_w: ArrayLike, senders: ArrayLike) -> FloatArray:
    """σ_z²/(η·n²), the mean squared error of a value's mean of n senders, for values of unit
    power; broadcast.

    A symbol carries two values of half its power each, and each part half of the noise, so that
    this holds for a value as for a symbol. ValueError for an η or n that is not positive.
    """
    count = positive(senders, "senders")
    return np.asarray(non_negative(noise_w, "noise_w") / (positive(eta_w, "eta_w") * count**2))


def analog_symbols(values: int) -> int:
    """⌈D/2⌉, for D real values: one on I and one on Q."""
    return -(-values // VALUES_PER_SYMBOL)


def symbols_time_s(symbols: ArrayLike, bandwidth_hz: ArrayLike) -> FloatArray:
    """n/W in s: a band of W Hz carries W complex symbols a second (Nyquist); broadcast."""
    return np.asarray(non_negative(symbols, "symbols") / positive(bandwidth_hz, "bandwidth_hz"))
