"""Rayleigh fading: one draw per block, or correlated through the paths that both ends travel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.physics.checks import FloatArray, non_negative
from cosim.physics.pathloss import wavelength_m

ComplexArray = NDArray[np.complex128]

# Sinusoids times samples evaluated at once: 2 MiB of float64, which stays in the cache.
_BLOCK = 1 << 18

# Phases of the two tables together: 1 MiB of complex128, which stays in the second-level cache.
_TABLES = 1 << 16


def doppler_hz(speed_m_s: ArrayLike, carrier_hz: ArrayLike) -> FloatArray:
    """Largest Doppler shift f_D = v·f_c/c in Hz.

    `speed_m_s` (m/s) and `carrier_hz` (Hz) broadcast. ValueError for a negative speed or a
    carrier that is not positive.
    """
    return non_negative(speed_m_s, "speed_m_s") / wavelength_m(carrier_hz)


def coherence_time_s(doppler_hz: ArrayLike) -> FloatArray:
    """Coherence time T_c = √(9/(16π))/f_D = 0.423/f_D in s; infinite at rest.

    The geometric-mean rule, Rappaport, "Wireless Communications", eq. 5.40c. `doppler_hz` in Hz,
    any shape. ValueError if negative.
    """
    with np.errstate(divide="ignore", over="ignore"):
        return math.sqrt(9.0 / (16.0 * math.pi)) / non_negative(doppler_hz, "doppler_hz")


def effective_doppler_hz(first_hz: ArrayLike, second_hz: ArrayLike) -> FloatArray:
    """Doppler spread √(f1² + f2²) in Hz of a link whose two ends both move.

    Akki and Haber, IEEE Trans. Veh. Technol. 35(1), 1986. Hz, broadcast. ValueError if negative.
    """
    return np.hypot(non_negative(first_hz, "first_hz"), non_negative(second_hz, "second_hz"))


def block_power_gain(
    rng: np.random.Generator, size: int | tuple[int, ...] | None = None
) -> FloatArray:
    """Rayleigh power gains |z|² ~ Exp(1) with z ~ CN(0, 1), independent, mean 1.

    Shape `size` (a scalar if None), dimensionless; one draw holds for one block.
    """
    return np.asarray(rng.standard_exponential(size), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class SumOfSinusoids:
    """A sum of sinusoids is Clarke's correlated Rayleigh fading of one link, a pure function of the
    paths travelled.

    z(s_i, s_j) = N^(−½)·Σ_n exp i[k(s_i·cos α_n + s_j·cos β_n) + φ_n], k = 2π/λ, after
    Clarke (Bell Syst. Tech. J. 47, 1968), with both ends moving after Akki and Haber (1986). It
    can be read at any instant in any order, follows changing speeds, and freezes when both ends
    stop. Over the ensemble the autocorrelation is J0(k·Δs_i)·J0(k·Δs_j) exactly,
    E|z|² = 1 and E|z|⁴ = 2 − 1/N. Reciprocal when both directions use the same object with the
    ends in the same order.

    `waves`: (3, N), the rows k·cos α_n and k·cos β_n in rad/m, and φ_n in rad.
    """

    waves: FloatArray

    @classmethod
    def draw_all(
        cls, rngs: Sequence[np.random.Generator], *, carrier_hz: float, sinusoids: int = 64
    ) -> "list[SumOfSinusoids]":
        """Draws each link's N = `sinusoids` angles and phases, independent and uniform on [0, 2π),
        from its own generator.

        Equally spaced angles would repeat exactly after some distance; random ones never do, and
        make the ensemble autocorrelation exact for every N. `carrier_hz` in Hz. ValueError for a
        carrier that is not positive or fewer than one sinusoid.
        """
        if sinusoids < 1:
            raise ValueError(f"sinusoids must be at least 1, got {sinusoids}")
        waves = np.empty((len(rngs), 3, sinusoids))
        for of_link, rng in zip(waves, rngs, strict=True):
            rng.random(out=of_link)
        waves *= 2.0 * math.pi
        k = float(2.0 * math.pi / wavelength_m(carrier_hz))
        waves[:, :2] = k * np.cos(waves[:, :2])
        return [cls(of_link) for of_link in waves]


def clarke_power_gains(
    fadings: Sequence[SumOfSinusoids], travelled_i_m: ArrayLike, travelled_j_m: ArrayLike
) -> FloatArray:
    """The power gains |z|² of L links at T samples each, in one pass; see `SumOfSinusoids`.

    `travelled_i_m`, `travelled_j_m`: (L, T) path lengths in m; returns (L, T), dimensionless, to
    the bit what each link's own `power_gain` gives. ValueError if the shapes differ or the links
    have different numbers of sinusoids.
    """
    s_i = np.asarray(travelled_i_m, dtype=np.float64)
    s_j = np.asarray(travelled_j_m, dtype=np.float64)
    if s_i.ndim != 2 or s_i.shape != s_j.shape or len(s_i) != len(fadings):
        raise ValueError(
            f"{len(fadings)} links need (links, samples), got {s_i.shape}, {s_j.shape}"
        )
    real, imaginary = _quadratures(fadings, s_i, s_j)
    return real**2 + imaginary**2


def clarke_power_gains_at_even_steps(
    fadings: Sequence[SumOfSinusoids],
    start_i_m: ArrayLike,
    step_i_m: ArrayLike,
    start_j_m: ArrayLike,
    step_j_m: ArrayLike,
    samples: int,
) -> FloatArray:
    """The power gains |z|² of L links whose ends travel evenly over T = `samples` samples.

    Every sinusoid then turns by the same angle ω_n from sample to sample. With t = c·F + f,
    z_t = Σ_n e^{i(θ_n + ω_n·F·c)}·e^{iω_n·f}: a coarse and a fine table of some √T phases each and
    one complex product, instead of N·T cosines. The tables are geometric series, built by
    doubling, which costs √T roundings of a phase. Equal to `clarke_power_gains` up to these and
    to the rounding of the angles.
    `start_*_m`, `step_*_m`: (L,) path length at the first sample and from one to the next, in m;
    returns (L, T), dimensionless. ValueError if the links have different numbers of sinusoids.
    """
    gains = np.empty((len(fadings), samples))
    if gains.size == 0:
        return gains
    waves = _waves(fadings)
    sinusoids = waves.shape[-1]
    fine = math.isqrt(samples)
    coarse = -(-samples // fine)
    # The path lengths of three angles a link: at the first sample, and turned by in a coarse and
    # in a fine step, in which the phase has no part.
    paths = np.zeros((len(fadings), 3, 3))
    paths[:, 0, 0], paths[:, 0, 1], paths[:, 0, 2] = start_i_m, start_j_m, 1.0
    paths[:, 2, 0], paths[:, 2, 1] = step_i_m, step_j_m
    paths[:, 1] = fine * paths[:, 2]
    links = max(1, _TABLES // (sinusoids * (fine + coarse)))
    for start in range(0, len(fadings), links):
        part = slice(start, start + links)
        phasors = _phasors(np.matmul(paths[part], waves[part]))
        rows = _geometric(phasors[:, 0], phasors[:, 1], coarse)
        columns = _geometric(1.0, phasors[:, 2], fine)
        z = np.matmul(rows, columns.transpose(0, 2, 1)).reshape(len(rows), -1)[:, :samples]
        np.add(np.square(z.real), np.square(z.imag), out=gains[part])
    gains /= sinusoids
    return gains


def _phasors(angle: FloatArray) -> ComplexArray:
    """e^{i·angle}: (1 − τ² + 2iτ)/(1 + τ²) with τ = tan(angle/2); numpy's tan is much quicker than
    its cosine and sine together, and exp of a complex number is slower still."""
    tangent = np.tan(0.5 * angle)
    square = np.square(tangent)
    scale = 1.0 / (1.0 + square)
    phasors = np.empty(angle.shape, dtype=np.complex128)
    np.multiply(1.0 - square, scale, out=phasors.real)
    np.multiply(2.0 * tangent, scale, out=phasors.imag)
    return phasors


def _geometric(first: ComplexArray | float, ratio: ComplexArray, count: int) -> ComplexArray:
    """first·ratio^k for k = 0 … count − 1: (L, count, N) from (L, N) each."""
    # In memory k comes first, so that each product runs over all links without a gap.
    terms = np.empty((count, *ratio.shape), dtype=np.complex128)
    terms[0] = first
    filled = 1
    while filled < count:
        more = min(filled, count - filled)
        np.multiply(terms[:more], ratio, out=terms[filled : filled + more])
        ratio = np.square(ratio)
        filled += more
    return terms.transpose(1, 0, 2)


def _waves(fadings: Sequence[SumOfSinusoids]) -> FloatArray:
    """The `waves` of one batch, (L, 3, N)."""
    shapes = {fading.waves.shape for fading in fadings}
    if len(shapes) > 1:
        raise ValueError("links of one batch must have the same number of sinusoids")
    # Joined end to end, because np.array of many small arrays takes several times as long.
    joined = np.concatenate([fading.waves for fading in fadings])
    return joined.reshape(len(fadings), *shapes.pop())


def _quadratures(
    fadings: Sequence[SumOfSinusoids], s_i: FloatArray, s_j: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Real and imaginary part of z, (L, T) each, from path lengths (L, T) in m."""
    real, imaginary = np.zeros_like(s_i), np.zeros_like(s_i)
    if s_i.size == 0:
        return real, imaginary
    toward_i, toward_j, phase = _waves(fadings).transpose(1, 0, 2)[:, :, None]
    sinusoids = phase.shape[-1]
    samples = max(1, _BLOCK // (len(fadings) * sinusoids))
    for start in range(0, s_i.shape[1], samples):
        part = slice(start, start + samples)
        angle = s_i[:, part, None] * toward_i + s_j[:, part, None] * toward_j + phase
        # Summed along the last axis, so that no sample's digits depend on how many are asked for.
        real[:, part] = np.cos(angle).sum(axis=-1)
        imaginary[:, part] = np.sin(angle).sum(axis=-1)
    scale = 1.0 / math.sqrt(sinusoids)
    return real * scale, imaginary * scale
