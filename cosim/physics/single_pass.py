"""Packets that are sent once: at what rate, which of them get through, and how probably.

Q bits are cut into n = ⌈Q/b⌉ packets of b bits, the last of which is what is left. All are coded at
one spectral efficiency ρ and follow one another, so that the pass takes Q/(B·ρ). A packet is
decoded where the mutual information of its time in the air suffices, log2(1 + SNR) ≥ ρ, the
threshold of `packets`; what is not decoded is lost, since nobody sends it again.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive
from cosim.physics.packets import BoolArray, block_efficiency

# A rate that aims at an SNR exactly must not miss it by the rounding of log1p and expm1.
_ROUNDING = 1e-12


def single_pass_efficiency(
    snr_known: ArrayLike,
    backoff_ratio: ArrayLike,
    bits: ArrayLike,
    bandwidth_hz: ArrayLike,
    deadline_s: ArrayLike,
) -> FloatArray:
    """ρ = max(log2(1 + SNR/m), Q/(B·Γ)) in bit/s/Hz: by the SNR known at the start, less the
    backoff m, but never so slow that the pass outlasts Γ.

    All linear and broadcast. ValueError for a negative SNR or bits, or a backoff, a band or a
    deadline that is not positive.
    """
    band, deadline = positive(bandwidth_hz, "bandwidth_hz"), positive(deadline_s, "deadline_s")
    least = non_negative(bits, "bits") / (band * deadline)
    return np.asarray(np.maximum(block_efficiency(snr_known, backoff_ratio), least))[()]


def decoded(snr: ArrayLike, efficiency_bit_s_hz: ArrayLike) -> BoolArray:
    """Whether packets of these SNR, linear, are decoded at the rate ρ: SNR ≥ 2^ρ − 1; broadcast.

    ValueError for negative numbers.
    """
    least = decoding_snr(efficiency_bit_s_hz) * (1.0 - _ROUNDING)
    return np.asarray(non_negative(snr, "snr") >= least)


def decoding_snr(efficiency_bit_s_hz: ArrayLike) -> FloatArray:
    """2^ρ − 1, the least SNR at which a packet of the rate ρ is decoded; linear."""
    efficiency = non_negative(efficiency_bit_s_hz, "efficiency_bit_s_hz")
    with np.errstate(over="ignore"):
        return np.asarray(np.expm1(efficiency * math.log(2.0)))[()]


def rayleigh_delivery(mean_snr: ArrayLike, efficiency_bit_s_hz: ArrayLike) -> FloatArray:
    """P(log2(1 + SNR̄·|z|²) ≥ ρ) = exp(−(2^ρ − 1)/SNR̄), |z|² exponential of mean 1.

    One minus the outage probability of a packet in which the channel stands still (Ozarow, Shamai
    and Wyner, IEEE Trans. Veh. Technol. 43(2), 1994). Broadcast; 0 without SNR. ValueError for
    negative numbers.
    """
    mean = non_negative(mean_snr, "mean_snr")
    with np.errstate(divide="ignore", invalid="ignore"):
        outage = np.where(mean > 0.0, decoding_snr(efficiency_bit_s_hz) / mean, np.inf)
    return np.asarray(np.exp(-outage))[()]
