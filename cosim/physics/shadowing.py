"""Log-normal shadowing of a link, correlated over the ground that both ends cover."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative, positive

# Cosines in a field: its kurtosis is 3 − 1.5/N.
FEATURES = 64

# Features times samples evaluated at once: 2 MiB of float64, which stays in the cache.
_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class ShadowingField:
    """The shadowing of one link in dB, a pure function of where its two ends are.

    S(p_i, p_j) = σ·√(2/N)·Σ_n cos(u_n·p_i + v_n·p_j + φ_n): a stationary field of random Fourier
    features (Rahimi and Recht, 2007). u_n and v_n are independent draws of the bivariate Cauchy
    law of scale 1/d_corr, which is the spectral density of e^(−Δ/d_corr) in the plane. Over the
    ensemble the mean is 0, the variance σ² and the autocorrelation
    e^(−Δ_i/d_corr)·e^(−Δ_j/d_corr) exactly, for every N: Gudmundson's law (Electron. Lett. 27,
    1991) for each end, and their product when both move (Wang, Tameh and Nix, IEEE Trans. Veh.
    Technol. 57(1), 2008). It can be read at any moment in any order, and comes back to the same
    value at the same places. Links are independent, also those that share an end.

    `toward_i` u, `toward_j` v: (2, N) rad/m; `phase` φ: (N,) rad; `sigma_db` σ in dB.
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
        scale = 1.0 / float(positive(decorrelation_m, "decorrelation_m"))
        sigma = float(non_negative(sigma_db, "sigma_db"))
        # A Gaussian vector over an independent |Gaussian| is multivariate Cauchy.
        direction = rng.standard_normal((2, 2, features))
        stretch = np.abs(rng.standard_normal((2, 1, features)))
        toward_i, toward_j = scale * direction / stretch
        return cls(toward_i, toward_j, rng.uniform(0.0, 2.0 * math.pi, features), sigma)

    def loss_db(self, position_i_m: ArrayLike, position_j_m: ArrayLike) -> FloatArray:
        """The loss in dB on top of the path loss, negative half of the time.

        Positions (…, 2) in m of the ends i and j, which broadcast; returns (…).
        """
        here, there = np.broadcast_arrays(
            np.asarray(position_i_m, dtype=np.float64), np.asarray(position_j_m, dtype=np.float64)
        )
        shape = here.shape[:-1]
        here, there = here.reshape(-1, 2, 1), there.reshape(-1, 2, 1)
        loss = np.empty(len(here))
        samples = max(1, _BLOCK // len(self.phase))
        for start in range(0, len(here), samples):
            part = slice(start, start + samples)
            # Summed by axes, because a matrix product's digits depend on how many rows it has.
            angle = self.phase + sum(
                positions[part, axis] * toward[axis]
                for positions, toward in ((here, self.toward_i), (there, self.toward_j))
                for axis in (0, 1)
            )
            loss[part] = np.cos(angle).sum(axis=-1)
        scale = self.sigma_db * math.sqrt(2.0 / len(self.phase))
        return np.asarray(scale * loss.reshape(shape))[()]
