"""Log-normal shadowing of a link, correlated over the ground that both ends cover."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive

# Cosines in a field: its kurtosis is 3 − 1.5/N. On a way of 400 decorrelations, the correlation of
# one link over one decorrelation scatters 1.01 ± 0.03 times as much as that of a Gaussian field,
# 1.10 ± 0.03 times where both ends move; with 64 independent frequencies it was 2.5 times.
FEATURES = 320

# The lattice's steps in radius and angle of u, then of v, are powers of this modulo N: among 90
# the one with the least scatter at 0.2 to 2 decorrelations.
_GENERATOR = 37

# Features times samples evaluated at once: 256 KiB of float64, which stay in the cache.
_BLOCK = 1 << 15


@dataclass(frozen=True, eq=False)
class ShadowingField:
    """A shadowing field is the shadowing of one link in dB, a pure function of where its two ends
    are.

    S(p_i, p_j) = σ·√(2/N)·Σ_n cos 2π(u_n·p_i + v_n·p_j + φ_n): a stationary field of random
    Fourier features (Rahimi and Recht, 2007). u_n and v_n each have the bivariate Cauchy law of
    scale 1/(2π·d_corr), which is the spectral density of e^(−Δ/d_corr) in the plane, φ_n are
    uniform and independent. Over the ensemble the mean is 0, the variance σ² and the
    autocorrelation e^(−Δ_i/d_corr)·e^(−Δ_j/d_corr) exactly, for every N: Gudmundson's law
    (Electron. Lett. 27, 1991) for each end, and their product when both move (Wang, Tameh and Nix,
    IEEE Trans. Veh. Technol. 57(1), 2008). Radii and angles of (u_n, v_n) are a lattice in four
    dimensions with a random shift (Cranley and Patterson, SIAM J. Numer. Anal. 13, 1976): they
    cover the spectrum evenly, so that along its way one link decorrelates as the ensemble does.
    It can be read at any moment in any order, and comes back to the same value at the same places.
    Links are independent, also those that share an end.

    toward_i: u (2, N), cycles/m, of the end i.
    toward_j: v (2, N), cycles/m, of the end j.
    phase: φ (N,), cycles.
    sigma_db: σ, dB.
    """

    toward_i: FloatArray
    toward_j: FloatArray
    phase: FloatArray
    sigma_db: float

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        *,
        sigma_db: float,
        decorrelation_m: float,
        features: int = FEATURES,
    ) -> "ShadowingField":
        """One link's frequencies and phases; `decorrelation_m` d_corr is where e^(−1) is left.

        ValueError for a negative σ, a d_corr that is not positive, or fewer than one feature.
        """
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        sigma = float(non_negative(sigma_db, "sigma_db"))
        toward_i, toward_j, phase = _drawn([rng], decorrelation_m, features)
        return cls(toward_i[:, 0], toward_j[:, 0], phase[0], sigma)

    def loss_db(self, position_i_m: ArrayLike, position_j_m: ArrayLike) -> FloatArray:
        """The loss in dB on top of the path loss, negative half of the time.

        Positions (…, 2) in m of the ends i and j, which broadcast; returns (…).
        """
        here, there = np.broadcast_arrays(
            np.asarray(position_i_m, dtype=np.float64), np.asarray(position_j_m, dtype=np.float64)
        )
        shape = here.shape[:-1]
        here, there = here.reshape(-1, 2), there.reshape(-1, 2)
        toward_i, toward_j = self.toward_i[:, None], self.toward_j[:, None]
        total = _summed(here, there, toward_i, toward_j, self.phase[None])
        return np.asarray(_scaled_db(total, self.sigma_db, len(self.phase)).reshape(shape))[()]


def losses_db(
    rngs: Sequence[np.random.Generator],
    position_i_m: FloatArray,
    position_j_m: FloatArray,
    *,
    sigma_db: float,
    decorrelation_m: float,
) -> FloatArray:
    """The losses (L,) in dB of links at one pair of places (L, 2) in m each: to the bit what the
    fields drawn from `rngs` (L) tell there, without keeping the fields."""
    toward_i, toward_j, phase = _drawn(rngs, decorrelation_m, FEATURES)
    total = _summed(position_i_m, position_j_m, toward_i, toward_j, phase)
    return _scaled_db(total, float(non_negative(sigma_db, "sigma_db")), FEATURES)


def _drawn(
    rngs: Sequence[np.random.Generator], decorrelation_m: float, features: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """u and v (2, L, N) and φ (L, N) of links: four shifts and the phases from each stream."""
    scale = 1.0 / (2.0 * math.pi * float(positive(decorrelation_m, "decorrelation_m")))
    draws = np.empty((len(rngs), 4 + features))
    for row, rng in zip(draws, rngs, strict=True):
        rng.random(out=row)
    ends = []
    for end, (along, east, north) in zip((0, 2), _lattice(features), strict=True):
        moved = along + draws[:, [end]]
        moved -= np.floor(moved)
        # 1/√(1 + r²) of a bivariate Cauchy radius is uniform on (0, 1].
        level = np.subtract(1.0, moved, out=moved)
        radius = np.sqrt((1.0 - level) * (1.0 + level))
        radius *= scale / level
        # The shift turns the lattice's directions: two sines a link instead of two a feature.
        turn = 2.0 * math.pi * draws[:, [end + 1]]
        cos, sin = np.cos(turn), np.sin(turn)
        ends.append(radius * np.stack([east * cos - north * sin, north * cos + east * sin]))
    return ends[0], ends[1], draws[:, 4:]


@lru_cache(8)
def _lattice(features: int) -> tuple[tuple[FloatArray, FloatArray, FloatArray], ...]:
    """Of each end the lattice's radii (N,) in [0, 1), and cosines and sines of its angles (N,)."""
    ends = []
    for end in (0, 2):
        radius, angle = (
            np.arange(features) * pow(_GENERATOR, end + k, features) % features / features
            for k in (0, 1)
        )
        ends.append((radius, np.cos(2.0 * math.pi * angle), np.sin(2.0 * math.pi * angle)))
    return tuple(ends)


def _summed(
    here_m: FloatArray,
    there_m: FloatArray,
    toward_i: FloatArray,
    toward_j: FloatArray,
    phase: FloatArray,
) -> FloatArray:
    """Σ_n cos 2π(u_n·p_i + v_n·p_j + φ_n) (S,) at places (S, 2), of one field or of S.

    Only sums and products by elements, because a matrix product's digits depend on how many rows
    it has. Whole cycles are taken off in double precision; the cosine of the rest is a single's,
    20 times as fast and good to 2e-7.
    """
    samples, features = len(here_m), phase.shape[-1]
    rows = max(1, _BLOCK // features)
    # Used again and again, since fresh memory takes longer than what is done with it.
    whole, spare = np.empty((2, min(rows, samples), features))
    angles = np.empty_like(whole, dtype=np.float32)
    total = np.empty(samples)
    for start in range(0, samples, rows):
        part = slice(start, min(start + rows, samples))
        size = part.stop - start
        cycles, other, angle = whole[:size], spare[:size], angles[:size]
        own = slice(None) if toward_i.shape[1] == 1 else part
        np.multiply(here_m[part, :1], toward_i[0, own], out=cycles)
        for place, toward in (
            (here_m[part, 1:], toward_i[1, own]),
            (there_m[part, :1], toward_j[0, own]),
            (there_m[part, 1:], toward_j[1, own]),
        ):
            np.multiply(place, toward, out=other)
            cycles += other
        cycles += phase[own]
        np.rint(cycles, out=other)
        np.subtract(cycles, other, out=angle, casting="same_kind")
        angle *= np.float32(2.0 * math.pi)
        cycles[:] = np.cos(angle, out=angle)
        cycles.sum(axis=-1, out=total[part])
    return total


def _scaled_db(total: FloatArray, sigma_db: float, features: int) -> FloatArray:
    return np.asarray(sigma_db * math.sqrt(2.0 / features) * total)
