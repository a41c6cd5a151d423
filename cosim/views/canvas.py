"""The sheet that a map is drawn on: the area, devices, links and what the colours mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection, PatchCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from cosim.scenario.devices import Area
from cosim.trace.schema import TransferOutcome
from cosim.views.arrows import crossings, curves
from cosim.views.palette import FAINT, GRID, INK, OUTCOME, bare, new_figure

FloatArray = NDArray[np.float64]

# Above this many devices their numbers would cover the map.
MOST_NUMBERED = 100
_MAP_IN, _LEGEND_IN, _LEFT_IN, _BOTTOM_IN, _TOP_IN = 6.6, 2.35, 0.65, 0.55, 0.6
# A picture with more links than this draws them finer.
_CROWD = 120
# Line widths in points from the weakest to the strongest link.
_WIDTHS = (0.7, 3.2)


class Canvas:
    """A canvas is a square map in metres with a legend beside it."""

    def __init__(self, area: Area | None, points_m: FloatArray, snr_db: Any, dpi: int) -> None:
        self._width_in = _LEFT_IN + _MAP_IN + _LEGEND_IN
        self._height_in = _BOTTOM_IN + _MAP_IN + _TOP_IN
        self.figure = new_figure(self._width_in, self._height_in, dpi)
        w, h = self._width_in, self._height_in
        self.axes = self.figure.add_axes((_LEFT_IN / w, _BOTTOM_IN / h, _MAP_IN / w, _MAP_IN / h))
        bare(self.axes)
        self.axes.grid(color=GRID, linewidth=0.5)
        self.axes.set_axisbelow(True)
        self.axes.set_xlabel("x in m", fontsize=9, color=INK)
        self.axes.set_ylabel("y in m", fontsize=9, color=INK)
        low, high = _bounds(area, points_m)
        self._span_m = float((high - low).max()) * 1.08
        (left, bottom), (right, top) = _square(low, high, self._span_m)
        self.axes.set_xlim(left, right)
        self.axes.set_ylim(bottom, top)
        self._draw_area(area)
        self._links_drawn = 0
        finite = np.asarray(snr_db)[np.isfinite(snr_db)]
        weak, strong = np.quantile(finite, (0.05, 0.95)) if finite.size else (0.0, 0.0)
        # Whole fives, the same for all rounds of a run, so that its maps can be compared.
        self._snr = float(5 * np.floor(weak / 5)), float(5 * np.ceil(strong / 5))

    def node_m(self, count: int) -> float:
        """The radius of a device's disc in metres."""
        return self._span_m * (0.018 if count <= 30 else 0.013 if count <= MOST_NUMBERED else 0.004)

    def draw_lines(self, lines: Iterable[FloatArray], colour: str, width: float) -> None:
        """Draws paths, each (n, 2) in m."""
        self.axes.add_collection(
            LineCollection(
                list(lines), colors=colour, linewidths=width, capstyle="round", zorder=2
            ),
            autolim=False,
        )

    def draw_links(
        self,
        transfers: Any,
        places_m: dict[int, FloatArray],
        colour: str,
        crowd: int,
        *,
        missed: bool = False,
    ) -> None:
        """Arrows between places, the wider the better their SNR; a cross on each miss.

        All of it is finer the more links there are in the picture, which `crowd` says.
        """
        if not len(transfers):
            return
        start_m, end_m = (
            np.array([places_m[device] for device in transfers[end]]) for end in ("src", "dst")
        )
        fine = min(1.0, max(0.3, np.sqrt(_CROWD / crowd)))
        gap_m, head_m = self.node_m(len(places_m)), 0.024 * self._span_m * fine
        shafts, heads = curves(start_m, end_m, gap_m, head_m)
        widths = fine * self._widths(transfers["mean_snr_db"])
        self._links_drawn += 1
        style: Any = {"alpha": 0.45 + 0.4 * fine, "zorder": 3 + 0.1 * self._links_drawn}
        self.axes.add_collection(
            LineCollection(list(shafts), colors=colour, linewidths=widths, **style), autolim=False
        )
        self.axes.add_collection(
            PolyCollection(list(heads), facecolors=colour, edgecolors="none", **style),
            autolim=False,
        )
        if missed:
            at = crossings(shafts)
            self.axes.scatter(
                at[:, 0],
                at[:, 1],
                s=70 * fine**2,
                marker="X",
                color=colour,
                edgecolors="white",
                linewidths=fine,
                zorder=style["zorder"],
            )

    def draw_devices(
        self,
        places_m: dict[int, FloatArray],
        missed_by: Collection[int],
        away: Collection[int] = (),
    ) -> None:
        """Draws numbered discs, a ring around those that missed an update; who is away is pale."""
        radius = self.node_m(len(places_m))
        numbered = len(places_m) <= MOST_NUMBERED
        ringed = [device in missed_by for device in places_m]
        wide, narrow = (2.2, 0.8) if numbered else (0.6, 0.6)
        discs = PatchCollection(
            [Circle((x, y), radius) for x, y in places_m.values()],
            facecolors=[FAINT if device in away else INK for device in places_m],
            edgecolors=[OUTCOME[TransferOutcome.LATE] if ring else "white" for ring in ringed],
            linewidths=[wide if ring else narrow for ring in ringed],
            zorder=7,
        )
        self.axes.add_collection(discs, autolim=False)
        for device, (x, y) in places_m.items() if numbered else ():
            self.axes.text(
                x,
                y,
                str(device),
                color="white",
                fontsize=8 if len(places_m) <= 30 else 5.5,
                ha="center",
                va="center_baseline",
                zorder=8,
            )

    def title(self, text: str, below: str) -> None:
        """The headline, and a line of smaller words under it."""
        x, h = _LEFT_IN / self._width_in, self._height_in
        self.figure.text(x, 1 - 0.14 / h, text, fontsize=12, color=INK, va="top", parse_math=False)
        self.figure.text(x, 1 - 0.38 / h, below, fontsize=8.5, color=INK, va="top")

    def legend(self, colours: Sequence[tuple[str, str, bool]], more: Sequence[Any]) -> None:
        """Draws what the colours mean, (label, colour, crossed out), and the scale of the
        widths."""
        handles: list[Any] = [
            Line2D(
                [], [], color=colour, linewidth=2.2, label=label, marker="X" if missed else "",
                markersize=8, markeredgecolor="white",
            )
            for label, colour, missed in colours
        ]  # fmt: skip
        handles += more
        low, high = self._snr
        scale = {f"≤ {low:g} dB": low, f"≥ {high:g} dB": high} if high > low else {}
        for words, snr in scale.items():
            width = float(self._widths([snr])[0])
            label = f"mean SNR {words}".replace("-", "−")
            handles.append(Line2D([], [], color=FAINT, linewidth=width, label=label))
        self.figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(
                (_LEFT_IN + _MAP_IN + 0.1) / self._width_in,
                1 - _TOP_IN / self._height_in,
            ),
            frameon=False,
            fontsize=8.5,
            labelspacing=0.8,
            borderaxespad=0,
        )

    def _widths(self, snr_db: Any) -> FloatArray:
        low, high = self._snr
        if high <= low:
            return np.full(len(snr_db), 1.5)
        finite_db = np.nan_to_num(np.asarray(snr_db, dtype=float), nan=low, posinf=high, neginf=low)
        return np.asarray(np.interp(finite_db, (low, high), _WIDTHS))

    def _draw_area(self, area: Area | None) -> None:
        style: dict[str, Any] = {
            "fill": False, "edgecolor": FAINT, "linewidth": 1.0, "linestyle": (0, (4, 3)),
        }  # fmt: skip
        if area is not None and area.radius_m is not None:
            self.axes.add_patch(Circle((0, 0), area.radius_m, **style))
        elif area is not None and area.side_m is not None:
            corner = -0.5 * area.side_m
            self.axes.add_patch(Rectangle((corner, corner), area.side_m, area.side_m, **style))


def _bounds(area: Area | None, points_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The least and greatest x and y of the area and of all points."""
    points = [points_m]
    if area is not None and (area.radius_m or area.side_m):
        half = area.radius_m or 0.5 * (area.side_m or 0.0)
        points.append(np.array([[-half, -half], [half, half]]))
    both = np.vstack(points)
    low, high = both.min(axis=0), both.max(axis=0)
    return (low, high) if (high > low).any() else (low - 1.0, high + 1.0)


def _square(low: FloatArray, high: FloatArray, side: float) -> FloatArray:
    """The lower left and upper right corner of a square about the middle of a box."""
    middle = 0.5 * (low + high)
    return np.stack([middle - 0.5 * side, middle + 0.5 * side])
