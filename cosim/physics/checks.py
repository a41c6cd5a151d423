"""Argument checks that every formula shares: a bad number is refused where it enters."""

import math
from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_NUMBER = (float, int)

# One number, as events ask for: a scalar, with which numpy reckons ten times as fast as with an
# array without dimensions, and by the same rules.
_one = cast(Callable[[float], FloatArray], np.float64)


def non_negative(value: ArrayLike, name: str) -> FloatArray:
    """`value` as float64 of the same shape; ValueError naming `name` unless finite and ≥ 0."""
    if isinstance(value, _NUMBER) and 0.0 <= value < math.inf:
        return _one(value)
    array = np.asarray(value, dtype=np.float64)
    # The least and the largest are found quicker than what is wrong with each; NaN is both.
    if array.size and not (array.min() >= 0.0 and array.max() < math.inf):
        raise ValueError(f"{name} must be finite and not negative, got {value!r}")
    return array


def positive(value: ArrayLike, name: str) -> FloatArray:
    """`value` as float64 of the same shape; ValueError naming `name` unless finite and > 0."""
    if isinstance(value, _NUMBER) and 0.0 < value < math.inf:
        return _one(value)
    array = np.asarray(value, dtype=np.float64)
    if array.size and not (array.min() > 0.0 and array.max() < math.inf):
        raise ValueError(f"{name} must be finite and positive, got {value!r}")
    return array


def fraction(value: ArrayLike, name: str) -> FloatArray:
    """`value` as float64 of the same shape; ValueError naming `name` unless in (0, 1]."""
    if isinstance(value, _NUMBER) and 0.0 < value <= 1.0:
        return _one(value)
    array = np.asarray(value, dtype=np.float64)
    if array.size and not (array.min() > 0.0 and array.max() <= 1.0):
        raise ValueError(f"{name} must be above 0 and at most 1, got {value!r}")
    return array
