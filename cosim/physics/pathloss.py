"""Mean channel gain over distance: the part of the channel that does not fade."""

import math

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive
from cosim.physics.decibel import db_to_ratio

SPEED_OF_LIGHT_M_S = 299_792_458.0


def wavelength_m(carrier_hz: ArrayLike) -> FloatArray:
    """Wavelength λ = c/f_c in m, of a carrier in Hz.

    Any shape. ValueError unless positive.
    """
    return SPEED_OF_LIGHT_M_S / positive(carrier_hz, "carrier_hz")


def reference_loss_db(carrier_hz: ArrayLike, reference_m: ArrayLike = 1.0) -> FloatArray:
    """Free-space loss at the reference distance: PL0 = 20·log10(4π·d0·f_c/c), in dB (Friis).

    `carrier_hz` (Hz) and `reference_m` d0 (m) broadcast; 43.3 dB at 3.5 GHz and 1 m.
    ValueError unless both are positive.
    """
    distance = positive(reference_m, "reference_m")
    return 20.0 * np.log10(4.0 * math.pi * distance / wavelength_m(carrier_hz))


def log_distance_gain(
    distance_m: ArrayLike,
    *,
    exponent: ArrayLike,
    carrier_hz: ArrayLike,
    reference_m: ArrayLike = 1.0,
    minimum_m: ArrayLike = 1.0,
) -> FloatArray:
    """Mean power gain ḡ(d) = 10^(−PL0/10)·(max(d, d_min)/d0)^(−α): log-distance path loss.

    Near-field policy: the model says nothing below d_min, so every distance below it counts as
    d_min. Rappaport, "Wireless Communications", section 4.9. `distance_m` d, `reference_m` d0,
    `minimum_m` d_min in m, `carrier_hz` in Hz, `exponent` α; all broadcast; dimensionless.
    ValueError for a negative distance, any other argument that is not positive, or a d_min so
    small that the passive channel would amplify.
    """
    nearest = positive(minimum_m, "minimum_m")
    distance = np.maximum(non_negative(distance_m, "distance_m"), nearest)
    at_reference = db_to_ratio(-reference_loss_db(carrier_hz, reference_m))
    slope = positive(exponent, "exponent")
    reference = positive(reference_m, "reference_m")
    if np.any(at_reference * np.power(nearest / reference, -slope) > 1.0):
        raise ValueError(f"minimum_m = {minimum_m!r} m is so near that the gain exceeds 1")
    return at_reference * np.power(distance / reference, -slope)


def paper_gain(
    distance_m: ArrayLike, *, exponent: ArrayLike, minimum_m: ArrayLike = 1.0
) -> FloatArray:
    """Mean power gain h = max(d, d_min)^(−α) of arXiv 2602.20492, that is 0 dB loss at 1 m.

    Some 40 dB more optimistic than a real link at GHz carriers: kept to reproduce the paper.
    `distance_m` d and `minimum_m` d_min in m and `exponent` α broadcast; dimensionless.
    ValueError for a negative distance or any other argument that is not positive.
    """
    nearest = positive(minimum_m, "minimum_m")
    distance = np.maximum(non_negative(distance_m, "distance_m"), nearest)
    return np.power(distance, -positive(exponent, "exponent"))
