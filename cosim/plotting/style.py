"""How figures look: six curves a panel, told apart by colour, mark and line, in grey as well.

Colours: Okabe and Ito, Color Universal Design, 2008.
"""

from __future__ import annotations

import math
import textwrap
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cosim.views.palette import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike

MOST_CURVES = 6
WIDTH_IN = 7.2
# Of Matplotlib, while a figure is made and written; the salt makes the names in an SVG repeatable.
SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "svg.hashsalt": "cosim",
    "hatch.linewidth": 0.6,
}
_DPI = 100
_FOOT_IN = 0.35
_FOOT_PT = 7.5
# Of the sheet, from where the foot begins; what is left is for hinting, which moves letters a bit.
_FOOT_BEGINS, _FOOT_SHARE = 0.01, 0.97
_LETTERS_A_TITLE = 36
# Above this ratio of the largest to the smallest, an axis is logarithmic.
_WIDE = 30.0
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"))


class Style(NamedTuple):
    """A style is how one of a panel's curves looks.

    color, marker, linestyle: as Matplotlib takes them.
    """

    color: str
    marker: str
    linestyle: Any


STYLES = (
    Style("#0072B2", "o", "-"),
    Style("#D55E00", "^", (0, (5, 1.5))),
    Style("#000000", "D", (0, (1, 1.2))),
    Style("#E69F00", "s", (0, (6, 1.5, 1, 1.5))),
    Style("#009E73", "v", (0, (2.5, 1))),
    Style("#CC79A7", "X", (0, (4, 1, 1, 1, 1, 1))),
)


def chunks(labels: Sequence[str]) -> list[dict[str, Style]]:
    """What each row of panels shows: at most six curves, as evenly as may be, with their styles."""
    rows = max(1, math.ceil(len(labels) / MOST_CURVES))
    each = math.ceil(len(labels) / rows)
    parts = [labels[k : k + each] for k in range(0, len(labels), each)]
    return [dict(zip(part, STYLES, strict=False)) for part in parts]


class PanelRow(NamedTuple):
    """A panel row is panels side by side, under a legend of their own.

    part: of the figure.
    panels: from left to right.
    """

    part: SubFigure
    panels: Sequence[Axes]

    def legend(self, styles: dict[str, Style]) -> None:
        """Names the curves of the row above it."""
        self.named(legend_lines(styles))

    def named(self, handles: Sequence[Any]) -> None:
        """A legend of whatever is drawn."""
        self.part.legend(
            handles=handles,
            loc="outside upper center",
            ncols=legend_columns([str(one.get_label()) for one in handles]),
            frameon=False,
            columnspacing=1.4,
            handlelength=3.2,
        )


def legend_lines(styles: dict[str, Style]) -> list[Any]:
    """What a legend shows of curves."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], markersize=4.5, linewidth=1.1, label=label, **style._asdict())
        for label, style in styles.items()
    ]


def sheet(
    heights_in: Sequence[float], columns: int, **options: Any
) -> tuple[Figure, list[PanelRow]]:
    """A figure of the common width: a row of panels for each height."""
    figure = new_figure(WIDTH_IN, sum(heights_in) + _FOOT_IN, _DPI)
    figure.set_layout_engine("constrained")
    parts = figure.subfigures(len(heights_in), 1, squeeze=False, height_ratios=heights_in)
    rows = []
    for part in parts[:, 0]:
        panels = part.subplots(1, columns, squeeze=False, **options)[0]
        for panel in panels:
            panel.grid(alpha=0.25, linewidth=0.6)
            panel.set_axisbelow(True)
            panel.spines[["top", "right"]].set_visible(False)
        rows.append(PanelRow(part, list(panels)))
    return figure, rows


def legend_columns(labels: Sequence[str]) -> int:
    """How many entries fit into a line of a legend, as evenly as may be."""
    widest = max(map(len, labels), default=1) + 9
    fit = max(1, min(len(labels), 112 // widest))
    return math.ceil(len(labels) / math.ceil(len(labels) / fit))


def foot(figure: Figure, words: str, warning: str = "") -> None:
    """What was drawn and of how many, below the panels; what is missing, on lines of its own."""
    widest_pt = _FOOT_SHARE * 72.0 * WIDTH_IN
    lines = [line for text in (words, warning) for line in wrapped(text, widest_pt, _FOOT_PT)]
    figure.supxlabel("\n".join(lines), fontsize=_FOOT_PT, color=INK, x=_FOOT_BEGINS, ha="left")


def wrapped(text: str, widest_pt: float, size_pt: float) -> list[str]:
    """The lines of a text of a size that are no wider than so much; a word that is, is broken."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font, measured = FontProperties(family=SETTINGS["font.family"], size=size_pt), TextToPath()

    def fits(line: str) -> bool:
        return bool(measured.get_text_width_height_descent(line, font, False)[0] <= widest_pt)

    lines: list[str] = []
    for word in text.split():
        rest = word
        if lines and fits(f"{lines[-1]} {rest}"):
            lines[-1] += f" {rest}"
            continue
        while not fits(rest) and len(rest) > 1:
            fitting = bisect_left(range(1, len(rest)), True, key=lambda n: not fits(rest[:n]))
            most = max(1, fitting)
            lines.append(rest[:most])
            rest = rest[most:]
        lines.append(rest)
    return lines


def difference_to(head: str, label: str) -> str:
    """The title of an axis of differences, on as many lines as it needs."""
    return textwrap.fill(f"{head}, difference to {label}", _LETTERS_A_TITLE)


def prefixed(values: Iterable[float], unit: str) -> tuple[float, str]:
    """The factor and the unit, with a prefix, in which the largest value reads well."""
    most = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    for size, prefix in _PREFIXES:
        if most >= size:
            return 1.0 / size, prefix + unit
    return 1.0, unit


def wide(values: Iterable[float]) -> bool:
    """Whether positive values differ so much that a logarithmic axis shows them better."""
    positive = [value for value in values if value > 0]
    return bool(positive) and max(positive) > _WIDE * min(positive)


def lengths(means: ArrayLike, lows: ArrayLike, highs: ArrayLike) -> Any:
    """Lengths (2, n) of intervals below and above their means; 0 where there is no interval."""
    import numpy as np

    mean, low, high = (np.asarray(part, dtype=float) for part in (means, lows, highs))
    return np.nan_to_num(np.stack([mean - low, high - mean]))


def limits(lows: Iterable[float], highs: Iterable[float], least: float, most: float) -> Any:
    """Ends of an axis that hold all intervals, and at most a mark's room beyond a bound."""
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    room = 0.06 * (high - low) or 0.05 * (abs(high) or 1.0)
    edge = 0.25 * room
    return max(low - room, least - edge), min(high + room, most + edge)
