"""Which fine-tuning jobs are timed: they differ in all that a job's duration depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.learning.data.encoding import Encoded
from cosim.randomness import stream

STEPS = 2
# Of a job's mean length, either way: mini-batches are padded, as those of real rows are.
_SPREAD = 0.25
# One token in so many is scored.
_SCORED = 8


@dataclass(frozen=True)
class ProfilingJob:
    """A profiling job is one device's local round, of a size that is timed.

    batch_size: rows of a mini-batch.
    tokens: that the model reads of a row, on average.
    rank: r of the adapter.
    density: share of B that a mask keeps; None: B is dense and A is trained too.
    """

    batch_size: int
    tokens: int
    rank: int
    density: float | None

    @property
    def masked(self) -> bool:
        """Whether a first gradient chooses the positions of B that are trained."""
        return self.density is not None


# Factors of the scenario's batch size, its rows' typical length and its rank; the density.
_DESIGN: tuple[tuple[float, float, float, float | None], ...] = (
    (0.125, 0.5, 1, 0.1),
    (1, 0.5, 0.5, 0.02),
    (1, 1, 1, 0.1),
    (1, 2, 0.5, 0.3),
    (0.125, 2, 1, 0.5),
    (0.5, 1, 2, 0.3),
    (2, 0.5, 1, 0.02),
    (0.25, 1, 0.5, 0.5),
    (0.125, 0.5, 0.5, None),
    (1, 1, 1, None),
    (0.5, 2, 0.5, None),
    (0.5, 0.5, 1, None),
)


def profiling_jobs(batch_size: int, tokens: int, rank: int) -> list[ProfilingJob]:
    """Jobs around a scenario's own: an eighth to twice its batch, half to twice length and rank."""
    scaled = (
        ProfilingJob(
            max(1, round(batches * batch_size)),
            max(2, round(lengths * tokens)),
            max(1, round(ranks * rank)),
            density,
        )
        for batches, lengths, ranks, density in _DESIGN
    )
    return list(dict.fromkeys(scaled))


def batches_of(
    job: ProfilingJob, vocabulary: int, seed: int, longest: int
) -> tuple[tuple[Encoded, ...], ...]:
    """Mini-batches of made-up tokens, rows within a quarter of the job's length.

    What the tokens are changes no duration. Drawn from the stream (seed, "calibration", job…).
    """
    ids = (job.batch_size, job.tokens, job.rank, str(job.density))
    random = stream(seed, "calibration", *ids)
    spread = round(_SPREAD * job.tokens)
    return tuple(
        tuple(
            _row(
                random,
                min(job.tokens + int(random.integers(-spread, spread + 1)), longest),
                vocabulary,
            )
            for _ in range(job.batch_size)
        )
        for _ in range(STEPS)
    )


def _row(random: np.random.Generator, tokens: int, vocabulary: int) -> Encoded:
    """A row that the model reads in `tokens` positions; the last token is only predicted."""
    ids = tuple(random.integers(vocabulary, size=tokens + 1).tolist())
    scored = max(1, tokens // _SCORED)
    return Encoded(ids[:-scored], ids[-scored:])
