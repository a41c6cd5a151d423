"""Decibels, for the places where a person reads or writes; everything inside is linear SI."""

import math
from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative

DBM_OF_ONE_WATT = 30.0

# Of one positive number, which needs no guard against the logarithm of 0.
_log10_of_one = cast(Callable[[float], FloatArray], np.log10)


def db_to_ratio(value_db: ArrayLike) -> FloatArray:
    """Power ratio of a level: 10^(dB/10).

    Any shape; dimensionless. −inf dB is the ratio 0.
    """
    return np.power(10.0, np.asarray(value_db, dtype=np.float64) / 10.0)


def ratio_to_db(ratio: ArrayLike) -> FloatArray:
    """Level of a power ratio: 10·log10(ratio), in dB.

    Any shape; the ratio 0 (no signal at all) is −inf dB. ValueError if negative or not finite.
    """
    if isinstance(ratio, float) and 0.0 < ratio < math.inf:
        return 10.0 * _log10_of_one(ratio)
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(non_negative(ratio, "ratio"))


def dbm_to_w(power_dbm: ArrayLike) -> FloatArray:
    """Power in W of a level relative to one milliwatt: 10^((dBm − 30)/10).

    Any shape; −inf dBm is 0 W.
    """
    return db_to_ratio(np.asarray(power_dbm, dtype=np.float64) - DBM_OF_ONE_WATT)


def w_to_dbm(power_w: ArrayLike) -> FloatArray:
    """Level relative to one milliwatt of a power in W: 10·log10(P) + 30, in dBm.

    Any shape; 0 W is −inf dBm. ValueError if negative or not finite.
    """
    return ratio_to_db(power_w) + DBM_OF_ONE_WATT
