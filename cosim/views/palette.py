"""Colours that colour-blind readers tell apart, and a figure that touches no global state.

Palette: Okabe and Ito, Color Universal Design, 2008.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cosim.trace.schema import TransferOutcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#222222"
FAINT = "#8a8a8a"
GRID = "#d5d5d5"
IN_THE_AIR = "#56B4E9"
_SHADES = 12

PHASE: MappingProxyType[str, str] = MappingProxyType(
    {"compute": "#0072B2", "send": "#E69F00", "wait": "#DDDDDD"}
)
OUTCOME: MappingProxyType[str, str] = MappingProxyType(
    {
        TransferOutcome.DELIVERED: "#009E73",
        TransferOutcome.LATE: "#D55E00",
        TransferOutcome.OUTAGE: "#CC79A7",
        TransferOutcome.CANCELLED: "#000000",
    }
)


def new_figure(width_in: float, height_in: float, dpi: int) -> Figure:
    """A white figure with an Agg canvas of its own, known to no window and no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def gif_palette() -> list[int]:
    """Red, green, blue of every colour in use and of its blends with white, for anti-aliasing.

    A palette counted from the first frame would lack what appears in later ones.
    """
    from matplotlib.colors import to_rgb

    flat: list[int] = []
    for colour in (INK, FAINT, GRID, IN_THE_AIR, *OUTCOME.values()):
        for step in range(1, _SHADES + 1):
            share = step / _SHADES
            flat += [round(255 * (1 - share + share * part)) for part in to_rgb(colour)]
    return [255, 255, 255, *flat]


def bare(axes: Axes) -> None:
    """Makes axes quiet: ink for the words, a faint frame, no tick marks."""
    for side in axes.spines.values():
        side.set_color(GRID)
    axes.tick_params(length=0, labelsize=8, labelcolor=INK, pad=4)
