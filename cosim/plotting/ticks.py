"""An axis of the numbers that were played, linear or logarithmic as they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from cosim.plotting.style import wide
from cosim.scenario.reading.one_line import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# An axis of more values than this has its ticks where Matplotlib puts them.
_MOST_TICKS = 8
# Share of an axis between two values that their ticks need.
_LEAST_GAP = 0.1
# Share of an axis beyond its first and last value.
_ROOM = 0.08


def number_axis(panel: Axes, values: Sequence[float], texts: Sequence[str] | None = None) -> None:
    """Rising values with room at both ends and, where they are few, a tick at each.

    Marks beside their value do not count for Matplotlib's own limits, so that these are set here.
    texts: of the ticks; the numbers themselves unless given.
    """
    from matplotlib.ticker import NullLocator

    if not len(values):
        return
    first, last = float(values[0]), float(values[-1])
    if first > 0 and (wide([first, last]) or _crowded(values)):
        panel.set_xscale("log")
        ratio = (last / first) ** _ROOM
        panel.set_xlim(first / ratio, last * ratio)
    else:
        room = _ROOM * (last - first) or 0.5
        panel.set_xlim(first - room, last + room)
    if len(values) <= _MOST_TICKS:
        panel.set_xticks(values, texts or [number_text(value) for value in values])
        panel.xaxis.set_minor_locator(NullLocator())


def _crowded(values: Sequence[float]) -> bool:
    """Whether rising positive values lie so close together somewhere on a linear axis that their
    ticks run into each other, and less so on a logarithmic one."""
    if len(values) < 3:
        return False
    linear, logarithmic = (
        min(b - a for a, b in pairwise(places)) / (places[-1] - places[0])
        for places in (values, [math.log(value) for value in values])
    )
    return linear < _LEAST_GAP and logarithmic > linear
