"""Pictures: what they leave out is said, they come out the same twice, and nothing global moves."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cosim
from cosim.trace.reader import Run
from cosim.trace.schema import PositionRow, TransferOutcome
from cosim.views import animation, gantt
from cosim.views.animation import write_animation
from cosim.views.arrows import curves
from cosim.views.gantt import MOST_DEVICES, write_gantt
from cosim.views.map import write_map
from cosim.views.palette import OUTCOME, PHASE, gif_palette, new_figure
from cosim.views.places import area_of, paths_of


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def shows(path: Path, colour: str, tolerance: int = 2) -> bool:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((abs(pixels(path).astype(int) - wanted).max(axis=-1) <= tolerance).any())


@pytest.mark.slow
def test_a_chart_shows_all_phases_and_outcomes(played: Run, tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    assert write_gantt(played, [1, 2, 3], path) is None
    outcomes = TransferOutcome.DELIVERED, TransferOutcome.LATE
    for colour in (*PHASE.values(), *(OUTCOME[outcome] for outcome in outcomes)):
        assert shows(path, colour)


@pytest.mark.slow
def test_pictures_come_out_the_same_to_the_byte(played: Run, tmp_path: Path) -> None:
    for number in (1, 2):
        write_gantt(played, [1, 2], tmp_path / f"chart-{number}")
        write_map(played, 2, tmp_path / f"map-{number}")
        write_animation(played, tmp_path / f"moving-{number}")
    for name in ("chart", "map", "moving"):
        first, second = (tmp_path / f"{name}-{number}" for number in (1, 2))
        assert first.read_bytes() == second.read_bytes()


def test_views_draw_a_run_that_crashed(crashed: Run, tmp_path: Path) -> None:
    write_gantt(crashed, [1, 2], tmp_path / "chart.png")
    write_map(crashed, 1, tmp_path / "map.png")
    write_animation(crashed, tmp_path / "map.gif")
    for outcome in (TransferOutcome.LATE, TransferOutcome.OUTAGE):
        assert shows(tmp_path / "chart.png", OUTCOME[outcome])
        assert shows(tmp_path / "map.png", OUTCOME[outcome], tolerance=60)


def test_a_chart_shows_when_a_device_is_off(
    played: Run, crashed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Device 1 is cut off after 1.5 s; nobody ever leaves in the other run."""
    made: list[Any] = []

    def kept(*size: Any) -> Any:
        made.append(new_figure(*size))
        return made[-1]

    monkeypatch.setattr(gantt, "new_figure", kept)
    write_gantt(crashed, [1, 2], tmp_path / "chart.png")
    write_gantt(played, [1, 2], tmp_path / "other.png")
    names = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in made]
    assert "off" in names[0]
    assert "off" not in names[1]
    bars = [[bar for bar in figure.axes[0].patches if bar.get_hatch()] for figure in made]
    assert [(int(bar.get_y()), bar.get_x(), bar.get_width()) for bar in bars[0]] == [(1, 1.5, 4.0)]
    assert bars[1] == []


def test_a_chart_of_many_devices_says_that_it_shows_the_first(
    written: Callable[..., Run], transfer: Any, ended_round: Any, tmp_path: Path
) -> None:
    rows = [transfer(src, src + 1, 1.0, 2.0, TransferOutcome.DELIVERED) for src in range(60)]
    rows += [PositionRow(0.0, device, float(device), 0.0) for device in range(110)]
    run = written([*rows, *map(ended_round, range(60))])
    assert write_gantt(run, [1], tmp_path / "a.png") == (
        f"The chart shows the first {MOST_DEVICES} of 60 devices."
    )
    note = write_map(run, 1, tmp_path / "b.png")
    assert note == "The map shows no numbers: there are 110 devices, above 100."


@pytest.mark.slow
def test_an_animation_has_a_frame_a_sample_and_stays_small(played: Run, tmp_path: Path) -> None:
    path = tmp_path / "map.gif"
    assert write_animation(played, path) is None
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == played.positions["time_s"].nunique()
        assert image.info["loop"] == 0
    assert path.stat().st_size < 2_000_000


def test_a_long_animation_is_thinned_and_says_so(
    played: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(animation, "MOST_FRAMES", 2)
    samples = played.positions["time_s"].nunique()
    step = -(-samples // 2)
    note = write_animation(played, tmp_path / "map.gif")
    assert note == f"The animation shows one in {step} of the {samples} position samples."
    with Image.open(tmp_path / "map.gif") as image:
        assert getattr(image, "n_frames", 1) == -(-samples // step)


def test_paths_pass_through_samples_and_ends_of_rounds(played: Run) -> None:
    paths = paths_of(played)
    assert len(paths) == 7
    for row in played.rounds.itertuples():
        assert paths[row.device].at(row.end_s).tolist() == [row.x_m, row.y_m]
    first = paths[0]
    walked = first.between(1.5, 3.5)
    assert walked[0] == pytest.approx(first.at(1.5))
    assert walked[-1] == pytest.approx(first.at(3.5))
    assert len(walked) == 2 + ((first.times_s > 1.5) & (first.times_s < 3.5)).sum()
    assert first.at(1e9).tolist() == first.points_m[-1].tolist()


def test_the_area_is_the_scenarios_or_left_out(played: Run, crashed: Run) -> None:
    disc, square = area_of(played), area_of(crashed)
    assert disc is not None
    assert square is not None
    assert (disc.radius_m, square.side_m) == (150, 20)
    for text in ("rounds: 1\n", "area: {shape: heptagon}\n", "area: [\n"):
        (crashed.directory / "scenario.yaml").write_text(text, encoding="utf-8")
        assert area_of(crashed) is None


def test_arrows_leave_a_gap_and_bend_to_their_own_side() -> None:
    ends = np.array([[0.0, 0.0], [10.0, 0.0]])
    shafts, heads = curves(ends, ends[::-1], gap_m=1.0, head_m=0.5)
    there, back = shafts
    assert there[:, 1].max() <= 0.0 <= back[:, 1].min()
    assert there == pytest.approx([10.0, 0.0] - back)
    assert np.hypot(*(heads[:, 0] - ends[::-1]).T) == pytest.approx([1.0, 1.0], rel=0.05)
    short, _ = curves(ends / 1000, ends[::-1] / 1000, gap_m=1.0, head_m=0.5)
    assert (np.diff(short[0, :, 0]) > 0).all(), "a short link keeps its direction"


def test_the_palette_of_the_animation_fits_into_a_gif() -> None:
    colours = np.array(gif_palette()).reshape(-1, 3)
    assert len(colours) <= 256
    assert colours[0].tolist() == [255, 255, 255]


@pytest.mark.slow
def test_no_global_state_of_matplotlib_is_touched(played: Run, tmp_path: Path) -> None:
    code = f"""
import matplotlib, sys
from pathlib import Path
before = matplotlib.rcParams.copy()
from cosim.trace.reader import read_run
from cosim.views.make import make_map, make_timeline
run = read_run({str(played.directory)!r})
for line in [*make_timeline(run, "1", Path({str(tmp_path)!r})),
             *make_map(run, 1, False, Path({str(tmp_path)!r}))]:
    assert Path(line.text).exists()
assert "matplotlib.pyplot" not in sys.modules and "torch" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_a_run_without_transfers_is_drawn_and_moves(tmp_path: Path) -> None:
    path = tmp_path / "alone.yaml"
    path.write_text(
        "rounds: 2\nlearning: {model: none}\nmethod: local\ndevices: [{count: 2}]\n",
        encoding="utf-8",
    )
    run = cosim.run(path, out=tmp_path / "run")
    assert run.transfers.empty
    write_map(run, 2, tmp_path / "map.png")
    write_animation(run, tmp_path / "map.gif")
    assert (tmp_path / "map.gif").stat().st_size > 0
