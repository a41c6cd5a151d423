"""From timings to a model of compute time: seconds for each thing that is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from cosim.errors import ProfileError
from cosim.profiling.measure import Timing
from cosim.scenario.profile import FlopTime


@dataclass(frozen=True)
class Fitted:
    """A fitted model of compute time holds what training takes on the machine that was timed.

    flop_s: FLOP/s that training attains beside its overheads.
    compute: the overheads, in seconds for each pass and value.
    """

    flop_s: float
    compute: FlopTime


def fit(timings: Sequence[Timing]) -> Fitted:
    """Least squares of relative errors over seconds that are not negative.

    min Σ((c·x − y)/y)², c ≥ 0, with y the durations and x the counts of a job: FLOP, passes,
    values updated, values ranked (Lawson & Hanson, Solving Least Squares Problems, 1974, ch. 23).
    Raises ProfileError where the durations do not grow with the FLOP.
    """
    durations = np.array([timing.measured_s for timing in timings])
    counts = np.array(
        [
            (work.flop, work.passes, work.trained * work.steps, work.ranked)
            for work in (timing.work for timing in timings)
        ],
        dtype=np.float64,
    )
    scale = np.maximum(counts.max(axis=0), 1.0)
    scaled_s, _ = nnls(counts / scale / durations[:, None], np.ones(len(durations)))
    flop_second, pass_s, update_s, ranking_s = (
        float(f"{coefficient:.4g}") for coefficient in (scaled_s / scale).tolist()
    )
    if flop_second <= 0:
        raise ProfileError(
            "the durations do not grow with the FLOP: either something else kept the machine "
            "busy, or the model is so small that its arithmetic takes no time"
        )
    overheads = FlopTime(pass_overhead_s=pass_s, value_update_s=update_s, value_ranking_s=ranking_s)
    return Fitted(float(f"{1 / flop_second:.4g}"), overheads)
