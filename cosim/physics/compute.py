"""How long a computation takes on a simulated device, never on the host."""

from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, fraction, non_negative, positive


def compute_time_flop_s(
    flop: ArrayLike, peak_flop_s: ArrayLike, utilisation: ArrayLike
) -> FloatArray:
    """Duration FLOP/(peak·utilisation) in s, from a device profile.

    `flop` in FLOP, `peak_flop_s` in FLOP/s, `utilisation` in (0, 1] the part of the peak that
    training sustains (MFU; Chowdhery et al., PaLM, 2022, appendix B); broadcast. ValueError for a
    negative FLOP count, a peak that is not positive, or a utilisation out of range.
    """
    speed = positive(peak_flop_s, "peak_flop_s") * fraction(utilisation, "utilisation")
    return non_negative(flop, "flop") / speed


def compute_time_paper_s(
    epsilon: ArrayLike, parameters: ArrayLike, samples: ArrayLike, batch_size: ArrayLike
) -> FloatArray:
    """Duration c = ε·Q·N/B in s of one local round (arXiv 2602.20492, eq. 7).

    `epsilon` ε in s per parameter and batch, `parameters` Q, `samples` N, `batch_size` B;
    broadcast. ValueError for negatives or a batch that is not positive.
    """
    batches = non_negative(samples, "samples") / positive(batch_size, "batch_size")
    return non_negative(epsilon, "epsilon") * non_negative(parameters, "parameters") * batches


def compute_overhead_s(
    passes: ArrayLike,
    pass_overhead_s: ArrayLike,
    updates: ArrayLike,
    value_update_s: ArrayLike,
    ranked: ArrayLike,
    value_ranking_s: ArrayLike,
) -> FloatArray:
    """Duration in s of what training does beside its FLOP, n_p·t_p + n_u·t_u + n_r·t_r.

    `passes` n_p forward and backward passes, each `pass_overhead_s` for weights read and kernels
    launched; `updates` n_u optimiser updates of one value; `ranked` n_r gradients compared to
    choose a mask; broadcast. The terms of a profile measured on hardware. ValueError for
    negatives.
    """
    return (
        non_negative(passes, "passes") * non_negative(pass_overhead_s, "pass_overhead_s")
        + non_negative(updates, "updates") * non_negative(value_update_s, "value_update_s")
        + non_negative(ranked, "ranked") * non_negative(value_ranking_s, "value_ranking_s")
    )
