"""`cosim timeline` and `cosim map`: files and their paths, or one sentence and code 2."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cosim
from cosim.errors import ViewError
from cosim.trace.lock import held
from cosim.trace.reader import Run
from cosim.views.selection import choose_rounds, in_words

Call = Callable[..., tuple[int, list[str], str]]


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_views_lie_beside_the_traces_and_leave_them_alone(call: Call, played: Run) -> None:
    directory, before = played.directory, contents(played.directory)
    names = {
        ("timeline", directory): ["timeline.json", "timeline.png"],
        ("map", directory): ["map-round-5.png"],
        ("map", directory, "--round", 2, "--animate"): ["map-round-2.png", "map.gif"],
    }
    made = []
    for arguments, expected in names.items():
        paths = [str(directory / name) for name in expected]
        assert call(*arguments) == (0, paths, "")
        made += paths
    assert call("map", directory)[0] == 0, "a view may be made again"
    after = contents(directory)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == set(made)
    for path in made:
        Path(path).unlink()


@pytest.mark.slow
def test_out_is_a_folder_of_its_own(call: Call, played: Run, tmp_path: Path) -> None:
    before = contents(played.directory)
    out = tmp_path / "a" / "b"
    code, lines, err = call("timeline", played.directory, "--rounds", "2,4-5", "--out", out)
    assert (code, err) == (0, "")
    assert lines == [str(out / "timeline.json"), str(out / "timeline.png")]
    found = json.loads((out / "timeline.json").read_text(encoding="utf-8"))["traceEvents"]
    assert {event["args"]["round"] for event in found if event["ph"] == "X"} == {2, 4, 5}
    with Image.open(out / "timeline.png") as image:
        assert image.width == 1950
    assert contents(played.directory) == before


def test_a_note_goes_where_errors_go(call: Call, crashed: Run) -> None:
    code, lines, err = call("map", crashed.directory)
    assert (code, err) == (0, "")
    assert [Path(line).name for line in lines] == ["map-round-2.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("timeline", "--rounds", "6"), "has no round 6; it has rounds 1–5."),
        (("timeline", "--rounds", "4-7"), "has no round 7; it has rounds 1–5."),
        (("timeline", "--rounds", "3-2"), "runs backwards"),
        (("timeline", "--rounds", "1-"), "is no choice of rounds; write 2, 1-3 or 1,4-6."),
        (("timeline", "--rounds", ""), "is no choice of rounds"),
        (("map", "--round", 0), "has no round 0; it has rounds 1–5."),
        (("map", "--round", -1), "has no round -1"),
    ],
)
def test_a_round_that_there_is_not(
    call: Call, played: Run, tmp_path: Path, arguments: tuple[Any, ...], said: str
) -> None:
    command, *options = arguments
    code, lines, err = call(command, played.directory, *options, "--out", tmp_path / "out")
    assert (code, lines) == (2, [])
    assert err.startswith("cosim: ")
    assert said in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["timeline", "map"])
def test_what_cannot_be_looked_at(
    call: Call, written: Callable[..., Run], played: Run, tmp_path: Path, command: str
) -> None:
    empty, silent = tmp_path / "empty", written([], "silent", "running").directory
    empty.mkdir()
    (tmp_path / "file").touch()
    for arguments, said in {
        (empty,): "is not a run",
        (tmp_path / "nowhere",): "is not a run",
        (silent,): "has no rounds, so there is nothing to draw: status 'stopped'",
        (played.directory, "--out", tmp_path / "file"): "cannot be written",
    }.items():
        code, lines, err = call(command, *arguments)
        assert (code, lines) == (2, [])
        assert said in err
        assert "Traceback" not in err
    assert contents(empty) == {}
    with held(silent):
        _, _, err = call(command, silent)
    assert "has no rounds yet, so there is nothing to draw: status 'running'" in err


def test_a_map_needs_positions(call: Call, written: Callable[..., Run], transfer: Any) -> None:
    run = written([transfer(0, 1, 1.0, 2.0, "delivered")])
    code, lines, err = call("map", run.directory)
    assert (code, lines) == (2, [])
    assert "does not say where device 0 was" in err
    assert sorted(path.name for path in run.directory.iterdir()) == [
        "manifest.json",
        "parts",
        "scenario.yaml",
    ], "a view that failed leaves nothing behind"


def test_rounds_in_words_and_back(played: Run) -> None:
    assert in_words([2]) == "round 2"
    assert in_words([3, 1, 2, 7]) == "rounds 1–3, 7"
    assert choose_rounds(" 1, 3-4 ", [1, 2, 3, 4], played) == [1, 3, 4]
    with pytest.raises(ViewError, match="no round 2"):
        choose_rounds("1-2", [1, 3], played)


def test_a_run_that_sends_nothing_is_drawn_too(call: Call, tmp_path: Path) -> None:
    scenario = tmp_path / "alone.yaml"
    scenario.write_text(
        "rounds: 2\nlearning: none\nmethod: local\ndevices: [{count: 2}]\n", encoding="utf-8"
    )
    run = cosim.run(scenario, out=tmp_path / "alone")
    assert run.transfers.empty
    for command, picture in (("timeline", "timeline.png"), ("map", "map-round-2.png")):
        code, lines, err = call(command, run.directory)
        assert (code, err) == (0, "")
        assert str(run.directory / picture) in "".join(lines)
        assert (run.directory / picture).stat().st_size > 5000
