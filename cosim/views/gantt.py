"""A Gantt chart of some rounds: a row a device, its phases, and its transfers as thin bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.trace.reader import Run
from cosim.trace.schema import TransferOutcome
from cosim.views.palette import FAINT, GRID, INK, OUTCOME, PHASE, bare, new_figure
from cosim.views.selection import in_words
from cosim.views.spans import DeviceRound, RoundPhase, device_rounds, lanes, off_spells, phases

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More rows than this are no longer legible on one page.
MOST_DEVICES = 40
# Transfers are named where a row has at most this many at once and the chart at most these rows.
_NAMED_LANES, _NAMED_ROWS = 8, 20

# How being off looks, in the chart and in its legend.
_OFF: Any = {"facecolor": "white", "edgecolor": FAINT, "hatch": "////", "linewidth": 0.5}

_DPI = 130
_WIDTH_IN = 15.0
# Heights in inches: of a row's phases and of a lane below them; of a row and of all rows at most.
_PHASES_IN, _LANE_IN, _ROW_IN, _ROWS_IN = 0.24, 0.095, 1.1, 26.0


def write_gantt(run: Run, rounds: Sequence[int], path: Path) -> str | None:
    """Writes the chart as PNG; returns a sentence where not every device has a row."""
    spans = device_rounds(run, rounds)
    devices = sorted({span.device for span in spans})
    rows = devices[:MOST_DEVICES]
    row_spans = [span for span in spans if span.device in set(rows)]
    transfers = run.transfers[run.transfers["round"].isin(rounds)]
    note = None
    if len(devices) > len(rows):
        note = f"The chart shows the first {len(rows)} of {len(devices)} devices."
    figure = _draw(run, rounds, row_spans, transfers[transfers["src"].isin(rows)], note)
    figure.savefig(path, format="png")
    return note


def _draw(
    run: Run, rounds: Sequence[int], spans: list[DeviceRound], transfers: Any, note: str | None
) -> Figure:
    devices = sorted({span.device for span in spans})
    lane_of = lanes(transfers)
    count = max(lane_of, default=-1) + 1
    full_in = _PHASES_IN + _LANE_IN * count + 0.12
    row_in = min(full_in, _ROW_IN, _ROWS_IN / max(len(devices), 1))
    height_in = row_in * len(devices) + 1.55
    figure = new_figure(_WIDTH_IN, height_in, _DPI)
    left, bottom = 0.85 / _WIDTH_IN, 0.5 / height_in
    axes = figure.add_axes(
        (left, bottom, 1 - left - 0.2 / _WIDTH_IN, row_in * len(devices) / height_in)
    )
    bare(axes)
    rows = {device: place for place, device in enumerate(devices)}
    # In units of a row: where the phases end, and how high a lane is.
    deep = min(_PHASES_IN / row_in, 0.45) if count else 0.8
    lane = (0.94 - deep) / max(count, 1)
    _draw_phases(axes, phases(run, spans), rows, deep)
    ends = [span.end_s for span in spans]
    starts = [span.start_s for span in spans]
    off = _draw_off(axes, run, rows, deep, (min(starts), max(ends)))
    named = count <= _NAMED_LANES and len(devices) <= _NAMED_ROWS
    mark_pt2 = min(max((80 * lane * row_in) ** 2, 8.0), 34.0)
    _draw_transfers(axes, transfers, lane_of, rows, deep, lane, named, mark_pt2)
    _draw_rounds(axes, spans, rows)
    margin = 0.004 * (max(ends) - min(starts)) or 1e-9
    axes.set_xlim(min(starts) - margin, max(ends) + 4 * margin)
    axes.set_ylim(len(devices), 0)
    axes.set_yticks(
        [place + 0.5 for place in rows.values()], [f"device {device}" for device in rows]
    )
    axes.set_xlabel("simulated time in s", fontsize=9, color=INK)
    for place in range(1, len(devices)):
        axes.axhline(place, color=GRID, linewidth=0.8, zorder=0)
    _words(figure, run, rounds, transfers, note, height_in, off=off)
    return figure


def _draw_phases(axes: Axes, found: list[RoundPhase], rows: dict[int, int], deep: float) -> None:
    for kind, colour in PHASE.items():
        parts = [phase for phase in found if phase.kind == kind]
        axes.barh(
            [rows[phase.device] + 0.06 for phase in parts],
            [phase.end_s - phase.start_s for phase in parts],
            left=[phase.start_s for phase in parts],
            height=deep - 0.06,
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=0.4,
        )


def _draw_off(
    axes: Axes, run: Run, rows: dict[int, int], deep: float, shown_s: tuple[float, float]
) -> bool:
    """An empty, hatched bar where a device is off; whether there is any."""
    first_s, last_s = shown_s
    spells = [
        (rows[device], max(start_s, first_s), min(end_s, last_s))
        for device, own in off_spells(run).items()
        for start_s, end_s in own
        if device in rows and start_s < last_s and end_s > first_s
    ]
    axes.barh(
        [row + 0.06 for row, _, _ in spells],
        [end_s - start_s for _, start_s, end_s in spells],
        left=[start_s for _, start_s, _ in spells],
        height=deep - 0.06,
        align="edge",
        **_OFF,
    )
    return bool(spells)


def _draw_transfers(
    axes: Axes,
    transfers: Any,
    lane_of: Sequence[int],
    rows: dict[int, int],
    deep: float,
    lane: float,
    named: bool,
    mark_pt2: float,
) -> None:
    """A bar from the first bit to the end, a mark where it missed, a line at its deadline."""
    placed = [
        (row, rows[row.src] + deep + lane * (number + 0.5))
        for row, number in zip(transfers.itertuples(index=False), lane_of, strict=True)
    ]
    for outcome, colour in OUTCOME.items():
        some = [(row, y) for row, y in placed if row.outcome == outcome]
        axes.barh(
            [y for _, y in some],
            [row.end_s - row.start_s for row, _ in some],
            left=[row.start_s for row, _ in some],
            height=lane * 0.68,
            color=colour,
            linewidth=0,
        )
        if outcome != TransferOutcome.DELIVERED:
            axes.scatter(
                [row.end_s for row, _ in some],
                [y for _, y in some],
                s=mark_pt2,
                marker="X",
                color=colour,
                edgecolors="white",
                linewidths=0.7,
                zorder=5,
            )
    if named:
        for row, y in placed:
            axes.annotate(
                f"→{row.dst}",
                (row.end_s, y),
                xytext=(6 if row.outcome != TransferOutcome.DELIVERED else 2, 0),
                textcoords="offset points",
                fontsize=5.5,
                color=INK,
                va="center_baseline",
                annotation_clip=True,
            )
    deadlines = sorted({(row.src, row.deadline_at_s) for row, _ in placed})
    axes.vlines(
        [time_s for _, time_s in deadlines],
        [rows[device] + deep for device, _ in deadlines],
        [rows[device] + 0.97 for device, _ in deadlines],
        colors=INK,
        linewidth=1.0,
        linestyles=(0, (2.5, 1.5)),
        zorder=4,
    )


def _draw_rounds(axes: Axes, spans: list[DeviceRound], rows: dict[int, int]) -> None:
    """A line through all rows where they begin a round together, else a stroke in each row."""
    by_round: dict[int, list[DeviceRound]] = {}
    for span in spans:
        by_round.setdefault(span.round, []).append(span)
    for number, some in by_round.items():
        start_s = some[0].start_s
        if len(some) == len(rows) and all(span.start_s == start_s for span in some):
            axes.axvline(start_s, color=FAINT, linewidth=0.9, zorder=3)
            axes.annotate(
                f"round {number}",
                (start_s, 0),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=8,
                color=INK,
            )
            continue
        axes.vlines(
            [span.start_s for span in some],
            [rows[span.device] for span in some],
            [rows[span.device] + 1 for span in some],
            colors=INK,
            linewidth=1.2,
            zorder=3,
        )
        for span in some if len(rows) <= _NAMED_ROWS else ():
            axes.annotate(
                f"round {number}",
                (span.start_s, rows[span.device] + 1),
                xytext=(3, 2),
                textcoords="offset points",
                fontsize=6,
                color=INK,
                zorder=6,
            )


def _words(
    figure: Figure,
    run: Run,
    rounds: Sequence[int],
    transfers: Any,
    note: str | None,
    height_in: float,
    *,
    off: bool,
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    title = f"{run.manifest.get('name')} · {run.manifest.get('method')} · {in_words(rounds)}"
    x, top = 0.85 / _WIDTH_IN, 1 - 0.2 / height_in
    figure.text(x, top, title, fontsize=12, color=INK, va="top", parse_math=False)
    if note is not None:
        right = 1 - 0.2 / _WIDTH_IN
        figure.text(right, top, note, fontsize=9, color=INK, va="top", ha="right")
    counts = transfers["outcome"].value_counts()
    handles: list[Any] = [Patch(color=colour, label=kind) for kind, colour in PHASE.items()]
    if off:
        handles.append(Patch(label="off", **_OFF))
    for outcome, colour in OUTCOME.items():
        if outcome in counts.index:
            missed: Any = (
                {} if outcome == TransferOutcome.DELIVERED else {"marker": "X", "markersize": 7}
            )
            label = f"transfer {outcome} ({counts[outcome]})"
            handles.append(Line2D([], [], color=colour, linewidth=2.5, label=label, **missed))
    handles.append(
        Line2D([], [], color=INK, linewidth=1.0, linestyle=(0, (2.5, 1.5)), label="deadline Γ")
    )
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(x - 0.1 / _WIDTH_IN, 1 - 0.47 / height_in),
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        handlelength=1.6,
        borderaxespad=0,
    )
