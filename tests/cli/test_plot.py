"""`cosim plot`: which figure, which files, and sentences for what cannot be drawn."""

import io
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.plotting.kinds import KINDS


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without learning; read-only."""
    import cosim
    from tests.cli.conftest import SCENARIO

    folder = tmp_path_factory.mktemp("played")
    (folder / "small.yaml").write_text(SCENARIO, encoding="utf-8")
    return cosim.run(folder / "small.yaml", out=folder / "run").directory


@pytest.fixture
def run(played: Path, tmp_path: Path) -> str:
    """A copy of it in the folder that commands are called in."""
    shutil.copytree(played, tmp_path / "run")
    return "run"


def test_help_lists_every_kind(cosim: Any) -> None:
    lines = [line.strip(" │") for line in cosim("plot", "--help").out.splitlines()]
    for word in KINDS:
        assert any(line.startswith(f"{word} –") for line in lines), word


def test_a_run_without_learning_has_pictures(cosim: Any, run: str) -> None:
    ended = cosim("plot", run, "rounds")
    assert (ended.code, ended.out, ended.err) == (0, "written: run/rounds.png\n", "")
    assert Path(run, "rounds.png").read_bytes().startswith(b"\x89PNG")
    assert cosim("verify", run).code == 0, "a picture beside the traces does no harm"


def test_files_are_replaced_and_numbers_printed(cosim: Any, run: str) -> None:
    Path("f.svg").write_text("earlier")
    given = ("--measure", "missed", "--out", "f.svg", "--out", "f.csv", "--out", "-")
    ended = cosim("plot", run, "final", *given)
    assert ended.code == 0
    assert Path("f.svg").read_text().startswith("<?xml")
    assert ended.out == Path("f.csv").read_text()
    assert pd.read_csv(io.StringIO(ended.out))["n"].tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "latncy"), "'latncy' is no kind of figure; did you mean 'latency'?"),
        (("run",), "plot: the last word says which figure: one of accuracy, final"),
        (("latency", "run"), "plot: the last word says which figure: latency, after the runs"),
        (("latency",), "plot: no run is named; expected cosim plot RUN… latency"),
        (("run", "accuracy"), "nothing was learnt in them (learning.model none)"),
        (
            ("run", "final"),
            "rounds can be drawn; final draws the rest: --measure energy_j or",
        ),
        (("run", "budgets"), "say which, with --budget 20s,100J,50Mbit, --target 0.6 or both"),
        (("run", "rounds", "--out", "f.jpg"), "its name ends with none of .png, .svg, .csv"),
        (("run", "rounds", "--out", "run/manifest.json/f.png"), "cannot be written"),
        (("run", "rounds", "--over", "seed"), "--over belongs to final"),
        (("run", "final", "--measure", "missed", "--over", "radio.bandwith_hz"), "did you mean"),
        (("nowhere", "rounds"), "nowhere is not a run"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(
    cosim: Any, run: str, arguments: tuple[str, ...], told: str
) -> None:
    ended = cosim("plot", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert "Traceback" not in ended.err
