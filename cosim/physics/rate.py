"""Noise and the Shannon rate of a link, and the mean rate of a Rayleigh-faded one."""

import math

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive
from cosim.physics.decibel import db_to_ratio

BOLTZMANN_J_K = 1.380649e-23


def noise_w(
    bandwidth_hz: ArrayLike, noise_figure_db: ArrayLike = 0.0, temperature_k: ArrayLike = 290.0
) -> FloatArray:
    """Thermal noise power σ² = k·T0·B·F in W, with F = 10^(NF/10).

    B is the band that the receiver listens to: its share W/‖u‖ under OFDMA (the whole W is the
    paper's reading, pessimistic by ‖u‖). −104.975 dBm at 1 MHz and NF 9 dB. `bandwidth_hz` in
    Hz, `noise_figure_db` in dB, `temperature_k` in K; broadcast. ValueError unless bandwidth and
    temperature are positive.
    """
    temperature = positive(temperature_k, "temperature_k")
    band = positive(bandwidth_hz, "bandwidth_hz")
    return BOLTZMANN_J_K * temperature * band * db_to_ratio(noise_figure_db)


def rate_bit_s(bandwidth_hz: ArrayLike, snr: ArrayLike) -> FloatArray:
    """Shannon rate R = B·log2(1 + SNR) in bit/s (arXiv 2602.20492 eq. 8).

    Written with log1p, so that a weak link keeps its digits. `bandwidth_hz` the receiver's share
    in Hz, `snr` linear; broadcast. ValueError for a negative SNR or a bandwidth that is not
    positive.
    """
    band = positive(bandwidth_hz, "bandwidth_hz")
    return band * np.log1p(non_negative(snr, "snr")) / math.log(2.0)


def ergodic_efficiency_bit_s_hz(mean_snr: ArrayLike) -> FloatArray:
    """Mean spectral efficiency of a Rayleigh link: e^(1/γ)·E1(1/γ)/ln 2 = U(1, 1, 1/γ)/ln 2.

    The expectation of log2(1 + γ|z|²) over |z|² ~ Exp(1), bit/s/Hz; DLMF 13.6.6 turns the
    product, whose factors overflow and underflow at low SNR, into Tricomi's U. `mean_snr` γ
    linear, any shape. ValueError if negative.
    """
    from scipy.special import hyperu  # a tenth of a second, for one law that few ask for

    snr = non_negative(mean_snr, "mean_snr")
    # Without any signal 1/γ would be infinite, where U is not defined; its limit is γ = 0.
    argument = 1.0 / np.maximum(snr, 1e-300)
    efficiency = np.where(snr > 0.0, hyperu(1.0, 1.0, argument), 0.0) / math.log(2.0)
    return np.asarray(efficiency, dtype=np.float64)[()]
