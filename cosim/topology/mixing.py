"""What matrices of mixing weights do to disagreement, and the spectrum of a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def contraction(weights: Sequence[FloatArray]) -> float:
    """ρ = λmax(E[Wᵀ(I − 11ᵀ/m)W]) of the mixing matrices (m, m) of some rounds.

    Where the shares of each device sum to 1 the squared distance from the mean of the moment
    shrinks by ρ a round at least: 0 is agreement at once, 1 where some devices never hear of
    others. Where W is doubly stochastic, as in arXiv 2602.00451, it is λmax(E[WᵀW] − 11ᵀ/m).
    ValueError for no matrices or unequal shapes.
    """
    if not weights:
        raise ValueError("a contraction needs the weights of at least one round")
    devices = len(weights[0])
    if any(np.shape(W) != (devices, devices) for W in weights):
        raise ValueError(f"every round's weights must be ({devices}, {devices})")
    second: FloatArray = np.zeros((devices, devices))
    for W in weights:
        second += disagreement_of(W)
    return contraction_of(second, len(weights))


def disagreement_of(W: FloatArray) -> FloatArray:
    """Wᵀ(I − 11ᵀ/m)W (m, m): what x ↦ W·x makes of squared distances from the mean."""
    apart = W - W.mean(axis=0)
    second: FloatArray = apart.T @ apart
    return second


def contraction_of(second: FloatArray, rounds: int) -> float:
    """ρ of so many rounds by the sum of their `disagreement_of` (m, m)."""
    return max(0.0, float(np.linalg.eigvalsh(second / rounds)[-1]))


def best_interval(contraction_: float, scale: float = 1.0) -> int:
    """max(1, round(scale/√(1 − ρ))) rounds: the order Θ(1/√(1 − ρ)) in which the best interval of
    alternating factors grows (arXiv 2602.00451); the constant is the caller's.

    ValueError for ρ outside [0, 1): devices that never agree have no such interval.
    """
    if not 0.0 <= contraction_ < 1.0:
        raise ValueError(f"a contraction of {contraction_} gives no interval")
    return max(1, round(scale / math.sqrt(1.0 - contraction_)))


def largest_laplacian_eigenvalue(graph: Mapping[int, Sequence[int]]) -> float:
    """λmax of L = D − A of a graph given by the neighbours of each device; 0 without edges."""
    place = {device: number for number, device in enumerate(graph)}
    L = np.zeros((len(place), len(place)))
    for device, others in graph.items():
        L[place[device], place[device]] = len(others)
        for other in others:
            L[place[device], place[other]] = -1.0
    return float(np.linalg.eigvalsh(L)[-1]) if L.any() else 0.0
