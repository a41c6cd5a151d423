"""Outdoor device-to-device path loss of 3GPP TR 36.843, which is WINNER+ B1 at 1.5 m antennas.

PL(d) = max(PL_freespace(d), PL_B1(d)) (TR 36.843 V12.0.1, clause A.2.1.2, outdoor to outdoor),
with PL_B1 of the urban microcell B1, hexagonal layout (WINNER+ D5.3, table 4-1) at antenna heights
h = 1.5 m, effective heights h' = 0.8 m (where D5.3 itself has h' = h − 1 m), an offset of 0 dB in
line of sight (LOS) and of −5 dB without it (NLOS). Logarithms of f are of the carrier in GHz.

Near-field policy: B1 says nothing below 3 m, so every distance below it counts as 3 m. Beyond the
5 km (LOS) and 2 km (NLOS) that B1 covers, the last branch is extrapolated.
"""

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive
from cosim.physics.decibel import db_to_ratio

ANTENNA_M = 1.5
EFFECTIVE_ANTENNA_M = 0.8
MINIMUM_M = 3.0
CARRIERS_HZ = (0.45e9, 6.0e9)
LOS_OFFSET_DB = 0.0
NLOS_OFFSET_DB = -5.0

# WINNER's rounded speed of light, part of the break point's definition.
_LIGHT_M_S = 3.0e8


def los_probability(distance_m: ArrayLike) -> FloatArray:
    """Probability of line of sight: min(18/d, 1)·(1 − e^(−d/36)) + e^(−d/36).

    WINNER+ D5.3, table 4-1 (B1), the same as ITU-R M.2135 UMi outdoors; 1 up to 18 m, then
    falling. `distance_m` d in m, any shape. ValueError if negative.
    """
    distance = np.maximum(non_negative(distance_m, "distance_m"), MINIMUM_M)
    near = np.exp(-distance / 36.0)
    return np.asarray(np.minimum(18.0 / distance, 1.0) * (1.0 - near) + near)[()]


def free_space_loss_db(distance_m: ArrayLike, carrier_hz: ArrayLike) -> FloatArray:
    """PL_freespace = 20·log10(d) + 46.4 + 20·log10(f/5), in dB (WINNER II D1.1.2, eq. 4.24).

    Friis with its constant rounded to 0.1 dB. `distance_m` in m and `carrier_hz` in Hz broadcast.
    ValueError for a negative distance or a carrier outside 0.45 to 6 GHz.
    """
    distance, f_ghz = _checked(distance_m, carrier_hz)
    return 20.0 * np.log10(distance) + 46.4 + 20.0 * np.log10(f_ghz / 5.0)


def los_loss_db(distance_m: ArrayLike, carrier_hz: ArrayLike) -> FloatArray:
    """PL_B1 in line of sight, in dB, with a break point at d_BP = 4·h'·h'·f_c/c.

    22.7·log10(d) + 27 + 20·log10(f) up to d_BP, and beyond
    40·log10(d) + 7.56 − 17.3·log10(h') − 17.3·log10(h') + 2.7·log10(f) (WINNER+ D5.3, table 4-1).
    Arguments and errors as `free_space_loss_db`.
    """
    distance, f_ghz = _checked(distance_m, carrier_hz)
    break_m = 4.0 * EFFECTIVE_ANTENNA_M**2 * f_ghz * 1e9 / _LIGHT_M_S
    before = 22.7 * np.log10(distance) + 27.0 + 20.0 * np.log10(f_ghz)
    heights = 2.0 * 17.3 * np.log10(EFFECTIVE_ANTENNA_M)
    beyond = 40.0 * np.log10(distance) + 7.56 - heights + 2.7 * np.log10(f_ghz)
    return np.where(distance <= break_m, before, beyond)[()] + LOS_OFFSET_DB


def nlos_loss_db(distance_m: ArrayLike, carrier_hz: ArrayLike) -> FloatArray:
    """PL_B1 without line of sight, in dB, the offset of −5 dB included.

    (44.9 − 6.55·log10(h))·log10(d) + 5.83·log10(h) + a + b·log10(f), with (a, b) =
    (16.33, 26.16) below 1.5 GHz, (14.78, 34.97) below 2 GHz and (18.38, 23) up to 6 GHz
    (WINNER+ D5.3, table 4-1; −5 dB from TR 36.843). Arguments and errors as `free_space_loss_db`.
    """
    distance, f_ghz = _checked(distance_m, carrier_hz)
    height = np.log10(ANTENNA_M)
    over_frequency = np.select(
        [f_ghz < 1.5, f_ghz < 2.0],
        [16.33 + 26.16 * np.log10(f_ghz), 14.78 + 34.97 * np.log10(f_ghz)],
        18.38 + 23.0 * np.log10(f_ghz),
    )
    slope = 44.9 - 6.55 * height
    loss = slope * np.log10(distance) + 5.83 * height + over_frequency + NLOS_OFFSET_DB
    return np.asarray(loss)[()]


def d2d_outdoor_gain(
    distance_m: ArrayLike, *, los_rank: ArrayLike, carrier_hz: ArrayLike
) -> FloatArray:
    """Mean power gain 10^(−max(PL_freespace, PL_B1)/10), in line of sight where rank < P_LOS(d).

    `los_rank` in [0, 1) is one uniform draw of the pair, kept for good: the state is then a pure
    function of the distance, LOS with probability P_LOS(d) over pairs at every d, and a pair loses
    its line of sight once while its ends part and finds it again where it lost it. `distance_m` in
    m, `carrier_hz` in Hz; all broadcast; dimensionless. ValueError for a negative distance, a rank
    outside [0, 1), or a carrier outside 0.45 to 6 GHz.
    """
    rank = np.asarray(los_rank, dtype=np.float64)
    if not np.all((rank >= 0.0) & (rank < 1.0)):
        raise ValueError(f"los_rank must be in [0, 1), got {los_rank!r}")
    sees = rank < los_probability(distance_m)
    b1 = np.where(sees, los_loss_db(distance_m, carrier_hz), nlos_loss_db(distance_m, carrier_hz))
    return db_to_ratio(-np.maximum(free_space_loss_db(distance_m, carrier_hz), b1))


def _checked(distance_m: ArrayLike, carrier_hz: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Distances in m, at least 3 m, and carriers in GHz."""
    carrier = positive(carrier_hz, "carrier_hz")
    lowest, highest = CARRIERS_HZ
    if np.any((carrier < lowest) | (carrier > highest)):
        raise ValueError(f"carrier_hz must be 0.45 to 6 GHz for WINNER+ B1, got {carrier_hz!r}")
    return np.maximum(non_negative(distance_m, "distance_m"), MINIMUM_M), carrier / 1e9
