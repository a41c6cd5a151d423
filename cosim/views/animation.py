"""The whole run as an animated GIF: a frame a position sample, links while they are in the air."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from cosim.errors import ViewError
from cosim.trace.reader import Run
from cosim.trace.schema import EventKind, TransferOutcome
from cosim.views.canvas import Canvas
from cosim.views.map import draw_ended, marks
from cosim.views.palette import FAINT, IN_THE_AIR, OUTCOME, gif_palette
from cosim.views.places import Places, places_of
from cosim.views.spans import away_at

# A longer run is thinned evenly: an animation of more frames is no longer small.
MOST_FRAMES = 240
_DPI = 80
# An animation plays for about so long, in ms, with frames in these bounds.
_PLAY_MS, _FRAME_MS = 15_000, (70, 500)


def write_animation(run: Run, file: Path) -> str | None:
    """Writes the whole run as an animated GIF; returns a sentence where samples are left out."""
    places = places_of(run)
    times = sorted(run.positions["time_s"].unique())
    if not times:
        raise ViewError(f"{run.directory} has no sampled positions yet: there is nothing to move.")
    step = -(-len(times) // MOST_FRAMES)
    samples_s = times[::step]
    frames = _frames(places, samples_s)
    shortest, longest = _FRAME_MS
    next(frames).save(
        file,
        format="GIF",
        save_all=True,
        append_images=frames,
        duration=min(max(_PLAY_MS // len(samples_s), shortest), longest) // 10 * 10,
        loop=0,
    )
    if step > 1:
        return f"The animation shows one in {step} of the {len(times)} position samples."
    return None


def _frames(places: Places, times: list[float]) -> Iterator[Image.Image]:
    """A frame a time: links in the air then, and those that ended since the frame before."""
    palette = Image.new("P", (1, 1))
    palette.putpalette(gif_palette())
    transfers = places.run.transfers
    rounds = places.run.rounds
    colours = [(o.value, OUTCOME[o], o is not TransferOutcome.DELIVERED) for o in TransferOutcome
               if (transfers["outcome"] == o).any()]  # fmt: skip
    leaves = bool((places.run.events["kind"] == EventKind.LEAVE).any())
    before = -np.inf
    for time_s in times:
        canvas = Canvas(places.area, places.points_m, transfers["mean_snr_db"], _DPI)
        here = {device: path.at(time_s) for device, path in places.paths.items()}
        walked = (path.between(path.times_s[0], time_s) for path in places.paths.values())
        canvas.draw_lines(walked, FAINT, 1.6)
        started = transfers["start_s"] <= time_s
        flying = transfers[started & (transfers["end_s"] > time_s)]
        ended = transfers[(transfers["end_s"] <= time_s) & (transfers["end_s"] > before)]
        canvas.draw_links(flying, here, IN_THE_AIR, len(flying) + len(ended))
        draw_ended(canvas, ended, here)
        missed = ended[ended["outcome"] != TransferOutcome.DELIVERED]
        canvas.draw_devices(here, set(missed["dst"]), away_at(places.run, time_s))
        number = int((rounds["end_s"] <= time_s).groupby(rounds["round"]).all().sum()) + 1
        last = int(rounds["round"].max())
        canvas.title(
            f"{places.run.manifest.get('name')} · {places.run.manifest.get('method')}",
            f"{time_s:.2f} s, round {min(number, last)}: {len(flying)} transfers in the air",
        )
        canvas.legend(
            [("in the air", IN_THE_AIR, False), *((f"{w} just now", c, m) for w, c, m in colours)],
            marks(bool(len(colours) > 1), paths=False, away=leaves),
        )
        canvas.figure.canvas.draw()
        buffer = np.asarray(canvas.figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
        frame = Image.fromarray(buffer[..., :3].copy())
        # One palette and no dithering: what stands still costs nothing in the next frame.
        yield frame.quantize(palette=palette, dither=Image.Dither.NONE)
        before = time_s
