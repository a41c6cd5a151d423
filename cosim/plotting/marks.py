"""Marks with their intervals, side by side where several belong to one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosim.plotting.style import Style, lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

# Marks at the same value stand this many points beside each other.
_APART_PT = 3.4


def aside_pt(place: int, curves: int) -> float:
    """How far beside its value the mark of one curve of several stands."""
    return _APART_PT * (place - (curves - 1) / 2)


def draw_marks(
    panel: Axes,
    at: ArrayLike,
    means: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    style: Style,
    beside_pt: float = 0.0,
    **options: Any,
) -> None:
    """One curve's marks and intervals; `options` go to Matplotlib's `errorbar`.

    lows, highs: the ends of the intervals; NaN where there is none.
    beside_pt: the distance of all marks from their value, in points whatever the axis.
    """
    import numpy as np
    from matplotlib.transforms import ScaledTranslation

    figure = panel.get_figure(root=True)
    assert figure is not None
    shift = ScaledTranslation(beside_pt / 72, 0.0, figure.dpi_scale_trans)
    shape = {"markersize": 4.2, "linewidth": 0.8, "elinewidth": 0.8, "capsize": 2.0}
    panel.errorbar(
        at,
        means,
        yerr=lengths(means, lows, highs),
        transform=panel.transData + shift,
        **{**shape, **style._asdict(), **options},
    )
    # Matplotlib's limits know nothing of marks beside their values.
    places = np.asarray(at, dtype=float)
    below, above = lengths(means, lows, highs)
    for ends in (np.asarray(means, dtype=float) - below, np.asarray(means, dtype=float) + above):
        panel.update_datalim(np.column_stack([places, ends]))
    panel.autoscale_view()
