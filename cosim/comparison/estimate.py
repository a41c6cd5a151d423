"""A mean over seeds and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple


class Estimate(NamedTuple):
    """An estimate is a mean over seeds.

    mean: the mean.
    half_width: of its 95 % interval (Student's t); None for one seed.
    n: seeds.
    """

    mean: float
    half_width: float | None
    n: int

    def interval(self, least: float = -math.inf, most: float = math.inf) -> tuple[float, float]:
        """The 95 % interval as far as it lies in a range; all of that for one seed."""
        width = math.inf if self.half_width is None else self.half_width
        return max(least, self.mean - width), min(most, self.mean + width)

    def numbers(self, least: float = -math.inf, most: float = math.inf) -> dict[str, Any]:
        """Mean, low and high end of its interval within a range, and n; no ends for one seed."""
        known = self.half_width is not None and math.isfinite(self.half_width)
        low, high = self.interval(least, most) if known else (None, None)
        return {"mean": self.mean, "low": low, "high": high, "n": self.n}


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Mean and 95 % interval of what each seed gave; None where any or all of them are missing."""
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    n = len(present)
    if n == 1:
        return Estimate(present[0], None, 1)
    from scipy.stats import t

    return Estimate(fmean(present), float(t.ppf(0.975, n - 1)) * stdev(present) / math.sqrt(n), n)
