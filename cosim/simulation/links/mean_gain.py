"""The gain of a link over its length, by the path loss that a scenario names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cosim.errors import OutsideError
from cosim.physics.d2d import MINIMUM_M, d2d_outdoor_gain, los_probability
from cosim.physics.decibel import db_to_ratio
from cosim.physics.pathloss import log_distance_gain, paper_gain
from cosim.scenario.outside.path_loss import PathLoss as OutsidePathLoss
from cosim.scenario.radio import D2dOutdoor, LogDistance, PaperPathLoss, PathLoss

FloatArray = NDArray[np.float64]

# Without a pair to draw for, line of sight is what the greater part of the pairs have.
_MEDIAN_RANK = 0.5
# A loss of 0 dB may be rounded to less.
_ROUNDING_DB = 1e-9


def mean_gain(
    distance_m: FloatArray | float,
    path_loss: PathLoss,
    carrier_hz: float,
    los_rank: FloatArray | float = _MEDIAN_RANK,
) -> FloatArray:
    """ḡ(d) by the scenario's path-loss model, before shadowing; `los_rank` broadcasts to d."""
    match path_loss:
        case PaperPathLoss():
            gain = paper_gain(
                distance_m, exponent=path_loss.exponent, minimum_m=path_loss.minimum_m
            )
        case D2dOutdoor():
            gain = d2d_outdoor_gain(distance_m, los_rank=los_rank, carrier_hz=carrier_hz)
        case LogDistance():
            gain = log_distance_gain(
                distance_m,
                exponent=path_loss.exponent,
                carrier_hz=carrier_hz,
                reference_m=path_loss.reference_m,
                minimum_m=path_loss.minimum_m,
            )
        case OutsidePathLoss():
            gain = _outside_gain(distance_m, path_loss, carrier_hz, los_rank)
    return np.asarray(gain, dtype=float)


def sight_probability(distance_m: FloatArray, path_loss: PathLoss) -> FloatArray | None:
    """The probability of a line of sight at distances in m; None: the path loss knows none."""
    match path_loss:
        case D2dOutdoor():
            return los_probability(distance_m)
        case OutsidePathLoss():
            probability = path_loss.los_probability(np.maximum(distance_m, path_loss.minimum_m))
            return None if probability is None else np.asarray(probability, dtype=np.float64)
        case _:
            return None


def nearest_m(path_loss: PathLoss) -> float:
    """The distance in m below which a path loss depends on it no more."""
    return MINIMUM_M if isinstance(path_loss, D2dOutdoor) else path_loss.minimum_m


def _outside_gain(
    distance_m: FloatArray | float,
    path_loss: OutsidePathLoss,
    carrier_hz: float,
    los_rank: FloatArray | float,
) -> FloatArray:
    """By a path loss from outside; raises OutsideError where its answer is no loss."""
    distance = np.maximum(np.asarray(distance_m, dtype=np.float64), path_loss.minimum_m)
    probability = sight_probability(distance, path_loss)
    sees = np.zeros(distance.shape, dtype=np.bool_)
    if probability is not None:
        sees |= los_rank < probability
    loss = np.asarray(path_loss.loss_db(distance, carrier_hz, sees), dtype=np.float64)
    if loss.shape != distance.shape:
        raise OutsideError(
            f"radio.path_loss: {path_loss} answers {distance.shape} distances with losses of the "
            f"shape {loss.shape}"
        )
    possible = np.isfinite(loss) & (loss >= -_ROUNDING_DB)
    if not possible.all():
        at = int(np.argmin(possible))
        raise OutsideError(
            f"radio.path_loss: {path_loss} has a loss of {loss.flat[at]:g} dB at "
            f"{distance.flat[at]:g} m; expected a finite one, at least 0"
        )
    return np.asarray(db_to_ratio(-loss))
