"""Means over seeds with 95 % intervals, and differences paired by seed.

Two methods on one seed see the same paths, fades and batches, so that their difference often
varies less than either: intervals of differences are Student's t over the seeds' own differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cosim.comparison.estimate import estimate
from cosim.plotting.wording import span


def half_width(values: Sequence[float]) -> float:
    """Half of the interval that `cosim compare` tells; NaN for fewer than two values, or where one
    is no finite number."""
    if not np.isfinite(list(values)).all():
        return float("nan")
    mean = estimate([float(value) for value in values])
    return float("nan") if mean is None or mean.half_width is None else mean.half_width


def over_seeds(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """One row a group: its keys, the mean of `value` over seeds, `<value>_half`, `seeds`.

    Rows of one seed in one group are averaged first: they are no independent trials.
    """
    each = frame.groupby([*by, "seed"], sort=False)[value].mean()
    groups = each.groupby(level=list(by), sort=False)
    columns = {value: groups.mean(), f"{value}_half": groups.agg(half_width)}
    return pd.DataFrame({**columns, "seeds": groups.size()}).reset_index()


def ends(
    frame: pd.DataFrame, value: str, least: float = -np.inf, most: float = np.inf
) -> tuple[pd.Series, pd.Series]:
    """The lower and upper ends of `value`'s intervals, within what it may be; NaN without one."""
    low = (frame[value] - frame[f"{value}_half"]).clip(lower=least)
    return low, (frame[value] + frame[f"{value}_half"]).clip(upper=most)


def over_how_many(seeds: pd.Series) -> str:
    """What a figure's marks and intervals are, for its foot; `seeds`: how many each has."""
    if seeds.max() < 2:
        return "One run each: no interval."
    alone = ", no bar where there is one" if seeds.min() < 2 else ""
    return f"Mean and 95 % interval (Student's t) over n = {span(seeds)} seeds{alone}."


def paired(
    frame: pd.DataFrame, reference: str, value: str, axes: Sequence[str] = ()
) -> pd.DataFrame:
    """One row a label and point of the axes: its mean difference to the reference's value.

    Over the seeds that both have there; columns label, axes, `gain`, `gain_half`, `pairs`.
    """
    keys = [*axes, "seed"]
    each = frame.groupby(["label", *keys], sort=False)[value].mean().reset_index()
    other = each.loc[each["label"] == reference, [*keys, value]]
    both = each.merge(other, on=keys, suffixes=("", "_reference"))
    both["gain"] = both[value] - both[f"{value}_reference"]
    found = over_seeds(both, ["label", *axes], "gain")
    return found.rename(columns={"seeds": "pairs"})
