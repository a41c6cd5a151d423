"""Lemma 1: the least power that brings the bits through by the deadline, and its allocation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive

Fallback = Literal["scale", "drop_weakest", "max_power"]


@dataclass(frozen=True, eq=False)
class Allocation:
    """An allocation divides the power of one device over its n receivers.

    power_w: what is radiated (n,), in W.
    feasible: whether Lemma 1's demands fit into p_max.
    whole_margin: whether they fit with the margin on top.
    """

    power_w: FloatArray
    feasible: bool
    whole_margin: bool = True


def spectral_efficiency_needed(
    bits: ArrayLike, receivers: ArrayLike, bandwidth_hz: ArrayLike, deadline_s: ArrayLike
) -> FloatArray:
    """Spectral efficiency x = Q·n/(W·Γ) in bit/s/Hz that a receiver's share W/n must carry.

    `bits` Q in bit, `receivers` n, `bandwidth_hz` W in Hz, `deadline_s` Γ in s; broadcast. Above
    about 4 a scenario asks too much of a faded link. ValueError for negative bits or receivers,
    or a bandwidth or deadline that is not positive.
    """
    total_bits = non_negative(bits, "bits") * non_negative(receivers, "receivers")
    room = positive(bandwidth_hz, "bandwidth_hz") * positive(deadline_s, "deadline_s")
    with np.errstate(over="ignore", divide="ignore"):  # of next to no band: infinitely many
        return total_bits / room


def lemma1_power_w(
    bits: ArrayLike,
    *,
    receivers: ArrayLike,
    bandwidth_hz: ArrayLike,
    deadline_s: ArrayLike,
    gain: ArrayLike,
    noise_w: ArrayLike,
) -> FloatArray:
    """Least power p* = (σ²/h)·(2^x − 1) in W, x = Q·n/(W·Γ) (arXiv 2602.20492, Lemma 1).

    With expm1(x·ln 2), so that a small x keeps its digits; beyond the range of floats, or over a
    gain of 0, the power is inf: infeasible. Nothing to send needs 0 W. `bits` Q per receiver in
    bit, `receivers` n, `bandwidth_hz` W (all of it) in Hz, `deadline_s` Γ in s, `gain` h,
    `noise_w` σ² in W; all broadcast, usually `bits` and `gain` as (n,). ValueError for negative
    bits, receivers or gain, or another argument that is not positive.
    """
    x = spectral_efficiency_needed(bits, receivers, bandwidth_hz, deadline_s)
    sigma2, h = positive(noise_w, "noise_w"), non_negative(gain, "gain")
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        power = (sigma2 / h) * np.expm1(math.log(2.0) * x)
    return np.where(x > 0.0, power, 0.0)[()]


def lemma1_bits(
    p_max_w: float,
    *,
    gains: ArrayLike,
    bandwidth_hz: float,
    deadline_s: float,
    noise_w: float,
    margin_ratio: float = 1.0,
) -> float:
    """Most bits Q that p_max brings to each of n receivers by Γ, Lemma 1 turned round.

    Σ_j m·(σ²/h_j)·(2^x − 1) = p_max gives x = log2(1 + p_max/(m·Σ_j σ²/h_j)) and Q = x·W·Γ/n.
    `gains` h (n,), `bandwidth_hz` W (all of it), `deadline_s` Γ, `noise_w` σ² of a share W/n,
    `margin_ratio` m. 0 bit where a receiver's gain is 0, inf without receivers. ValueError for a
    negative power or gain, or another argument that is not positive.
    """
    h = non_negative(gains, "gains")
    p_max, sigma2 = float(non_negative(p_max_w, "p_max_w")), float(positive(noise_w, "noise_w"))
    margin = float(positive(margin_ratio, "margin_ratio"))
    room = float(positive(bandwidth_hz, "bandwidth_hz")) * float(positive(deadline_s, "deadline_s"))
    if h.size == 0:
        return math.inf
    with np.errstate(divide="ignore", over="ignore"):
        weakest = float(np.sum(margin * sigma2 / h))
    return math.log1p(p_max / weakest) / math.log(2.0) * room / h.size


def allocate(
    required_w: ArrayLike,
    p_max_w: float,
    margin_ratio: float = 1.0,
    fallback: Fallback = "scale",
) -> Allocation:
    """Give every receiver its demand p_j = m·p*_j if Σ_j p_j ≤ p_max, else fall back.

    Lemma 1 leaves nothing for a channel that moves during the transfer: `margin_ratio` m is the
    factor on top. Where Σ_j p*_j fits and the margin does not, all get the margin that p_max
    leaves, the same for each. Where Lemma 1 itself does not fit, no fallback radiates more than
    p_max:

    - `scale` gives a receiver with an infinite demand 0 W (it is in outage), and multiplies the
      finite ones by min(1, p_max/Σ): a dead link never makes a device radiate more to the others.
    - `drop_weakest` gives 0 W to the receiver with the largest demand, and again, until Lemma 1's
      demands of the others fit: no way to fit drops fewer, and the margin drops nobody. The others
      get the margin that p_max leaves then, up to m, the same for each.
    - `max_power` gives every receiver p_max/n, whatever its demand.

    `required_w` (n,) in W, inf where infeasible, n = 0 legal; `p_max_w` in W. ValueError for NaN
    or negative demands, a negative p_max, a margin that is not positive, or another fallback.
    """
    required = np.asarray(required_w, dtype=np.float64)
    if required.ndim != 1 or not np.all(required >= 0.0):
        raise ValueError(f"required_w must be (n,) without NaN or negatives, got {required_w!r}")
    if fallback not in _FALLBACKS:
        raise ValueError(f"fallback must be one of {', '.join(_FALLBACKS)}, got {fallback!r}")
    p_max = float(non_negative(p_max_w, "p_max_w"))
    margin = float(positive(margin_ratio, "margin_ratio"))
    if required.size == 0:
        return Allocation(required, feasible=True)
    with np.errstate(over="ignore"):
        demand = margin * required
        needed = float(required.sum())
        fits = p_max - float(demand.sum()) >= 0.0
    if fits:
        return Allocation(demand, feasible=True)
    if needed <= p_max:
        return Allocation(required * (p_max / needed), feasible=True, whole_margin=False)
    power = _FALLBACKS[fallback](required, margin, p_max)
    return Allocation(power, feasible=False, whole_margin=False)


def _scaled(required: FloatArray, margin: float, p_max: float) -> FloatArray:
    """The finite demands, scaled down together to p_max if they exceed it; 0 for the others."""
    with np.errstate(over="ignore"):
        demand = margin * required
    finite = np.where(np.isfinite(demand), demand, 0.0)
    largest = float(finite.max())
    if largest == 0.0:
        return finite
    # Relative to the largest, because the sum of huge finite demands may itself overflow.
    shares = finite / largest
    total = float(shares.sum())
    return finite if largest <= p_max / total else shares * (p_max / total)


def _without_weakest(required: FloatArray, margin: float, p_max: float) -> FloatArray:
    """The smallest demands that fit together, with the margin that fits; 0 for the others."""
    powers = required.copy()
    for weakest in np.argsort(-required, kind="stable"):
        with np.errstate(over="ignore"):
            if powers.sum() <= p_max:
                break
        powers[weakest] = 0.0
    needed = float(powers.sum())
    return powers * (min(margin, p_max / needed) if needed > 0.0 else 1.0)


def _equal(required: FloatArray, margin: float, p_max: float) -> FloatArray:
    """p_max shared equally."""
    return np.full_like(required, p_max / required.size)


_FALLBACKS: dict[str, Callable[[FloatArray, float, float], FloatArray]] = {
    "scale": _scaled,
    "drop_weakest": _without_weakest,
    "max_power": _equal,
}
