"""A map: where the devices were in a round, which links they used and what was missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.lines import Line2D

from cosim.trace.reader import Run
from cosim.trace.schema import TransferOutcome
from cosim.views.canvas import MOST_NUMBERED, Canvas
from cosim.views.palette import FAINT, GRID, INK, OUTCOME
from cosim.views.places import FloatArray, places_of
from cosim.views.spans import away_at, device_rounds

_DPI = 140


def write_map(run: Run, number: int, file: Path) -> str | None:
    """Writes the map of a round as PNG; returns a sentence where devices go unnumbered."""
    places = places_of(run)
    spans = device_rounds(run, [number])
    transfers = run.transfers[run.transfers["round"] == number]
    start_s = min([span.start_s for span in spans] or [transfers["start_s"].min()])
    end_s = max([span.end_s for span in spans] or [transfers["end_s"].max()])
    canvas = Canvas(places.area, places.points_m, run.transfers["mean_snr_db"], _DPI)
    here = {device: path.at(end_s) for device, path in places.paths.items()}
    since = min(path.times_s[0] for path in places.paths.values())
    walked = list(places.paths.values())
    canvas.draw_lines((path.between(since, end_s) for path in walked), GRID, 1.6)
    canvas.draw_lines((path.between(start_s, end_s) for path in walked), FAINT, 2.4)
    counts = draw_ended(canvas, transfers, here)
    late = transfers[transfers["outcome"] != TransferOutcome.DELIVERED]
    away = away_at(run, end_s)
    canvas.draw_devices(here, set(late["dst"]), away)
    canvas.title(
        f"{run.manifest.get('name')} · {run.manifest.get('method')} · round {number}",
        f"{start_s:.2f} s to {end_s:.2f} s; devices and links as they lay at its end",
    )
    labels = [(f"{o} ({counts[o]})", colour, o != TransferOutcome.DELIVERED)
              for o, colour in OUTCOME.items() if counts[o]]  # fmt: skip
    canvas.legend(labels, marks(bool(len(late)), paths=True, away=bool(away)))
    canvas.figure.savefig(file, format="png")
    if len(here) > MOST_NUMBERED:
        return f"The map shows no numbers: there are {len(here)} devices, above {MOST_NUMBERED}."
    return None


def draw_ended(canvas: Canvas, transfers: Any, here: dict[int, FloatArray]) -> dict[str, int]:
    """Draws links that have ended, the rarest outcome on top; returns how many there are of
    each."""
    counts = {outcome: int((transfers["outcome"] == outcome).sum()) for outcome in OUTCOME}
    for outcome in sorted(OUTCOME, key=lambda outcome: -counts[outcome]):
        some = transfers[transfers["outcome"] == outcome]
        missed = outcome != TransferOutcome.DELIVERED
        canvas.draw_links(some, here, OUTCOME[outcome], len(transfers), missed=missed)
    return counts


def marks(missed: bool, *, paths: bool, away: bool = False) -> list[Line2D]:
    """The legend of rings, pale discs and paths; with `paths`, of this round and before."""
    ring = Line2D([], [], linestyle="", marker="o", markersize=10, color=INK)
    ring.set_markeredgecolor(OUTCOME[TransferOutcome.LATE])
    ring.set_markeredgewidth(2.0)
    ring.set_label("device that missed an update")
    walked = Line2D([], [], color=FAINT, linewidth=2.4, label="path in this round")
    earlier = Line2D([], [], color=GRID, linewidth=1.6, label="path before")
    path = Line2D([], [], color=FAINT, linewidth=1.6, label="path so far")
    pale = Line2D([], [], linestyle="", marker="o", markersize=10, color=FAINT, label="away")
    discs = [*([ring] if missed else []), *([pale] if away else [])]
    return [*discs, *([walked, earlier] if paths else [path])]
