"""Room on disk: what is said before a run against what lies there, and what is refused."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import app as cli
from cosim.errors import RunDirectoryError
from cosim.lifecycle.play import play, resume
from cosim.preflight.disk import DiskEstimate, disk_of, free_bytes
from cosim.scenario.load import load

NETWORK = """\
rounds: {rounds}
learning: none
method: {{name: lora, topology: {{graph: random, degree: 3}}}}
devices: [{{count: {count}}}]
"""
LEARNING = """\
seed: 3
rounds: 2
method: {method}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 4, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 3, profile: flagship_phone}}]
radio: {{bandwidth_hz: 1.0e+6}}
"""
Usage = namedtuple("Usage", "total used free")


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[DiskEstimate, int, int]]:
    """The estimate of a scenario, and the bytes of its run when parts and tables lie there both,
    and at its end."""

    def play_it(text: str) -> tuple[DiskEstimate, int, int]:
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        most: list[int] = []
        found: list[DiskEstimate] = []
        remove = shutil.rmtree

        def noted(path: Any, **how: Any) -> None:
            most.append(size_of(Path(path).parent))
            remove(path, **how)

        def kept(*of: Any) -> DiskEstimate:
            found.append(disk_of(*of))
            return found[-1]

        monkeypatch.setattr("cosim.trace.writer.shutil.rmtree", noted)
        monkeypatch.setattr("cosim.lifecycle.play.disk_of", kept)
        run = play(load(tmp_path / "s.yaml"), out=tmp_path / "run", spacing=0).directory
        return found[0], max(most), size_of(run)

    return play_it


@pytest.mark.slow
@pytest.mark.parametrize(("count", "rounds"), [(4, 3), (60, 10)])
def test_traces_take_what_was_said(measured: Any, count: int, rounds: int) -> None:
    said, most, left = measured(NETWORK.format(count=count, rounds=rounds))
    assert said.checkpoints == said.adapters == 0
    assert most < said.total < 4 * most
    assert 0 < said.surely < left


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "proposed", "lori", "hard_moe", "full_finetune"])
def test_learning_takes_no_more_than_was_said(measured: Any, tiny_llama: Path, method: str) -> None:
    said, most, left = measured(LEARNING.format(method=method, model=tiny_llama))
    assert said.checkpoints > 0
    assert (said.adapters > 0) == (method != "full_finetune")
    assert most < said.total < 6 * most
    assert 0 < said.surely < left


@pytest.mark.slow
@pytest.mark.parametrize(
    ("radio", "stay"),
    [
        ("{fading: {model: none}}", "always"),  # every round is like the one before
        ("{bandwidth_hz: 1.0e+5}", "always"),  # nothing arrives
        ("{}", "{model: exponential, mean_on_s: 1.0, mean_off_s: 50.0}"),
    ],
)
def test_rows_that_are_alike_or_never_written_are_not_sure(
    measured: Any, radio: str, stay: str
) -> None:
    own = f"count: 30, mobility: {{model: static}}, availability: {stay}"
    text = NETWORK.format(count=30, rounds=8).replace("count: 30", own)
    said, _, left = measured(f"{text}radio: {radio}\n")
    assert said.surely < left
    assert (said.surely == 0) == (stay != "always")


def test_a_folder_that_is_not_there_yet_has_the_room_of_the_one_above(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.1)
    assert free_bytes(Path("runs-of-this-name") / "x") > 0


@pytest.mark.slow
def test_what_has_surely_no_room_is_refused_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(NETWORK.format(count=60, rounds=10), encoding="utf-8")
    room = {"free": 2_000}
    monkeypatch.setattr(
        "cosim.preflight.disk.shutil.disk_usage", lambda _: Usage(10**9, 10**9, room["free"])
    )
    monkeypatch.chdir(tmp_path)
    for command in (["run", "--out", "run"], ["check"]):
        monkeypatch.setattr("sys.argv", ["cosim", command[0], str(path), *command[1:]])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        if command == ["check"]:
            assert end.value.code in (None, 0)
            assert "warning: disk: the run may find no room left" in " ".join(out.split())
            assert "2 kB free in runs" in " ".join(out.split())
        else:
            assert end.value.code == 2
            assert err.startswith("cosim: run: the run writes about ")
            assert "and 2 kB are free there" in err
            assert err.count("\n") == 1
    assert not (tmp_path / "run").exists(), "the directory is as it was"
    room["free"] = 400_000  # less than the estimate, and enough for what is sure
    assert play(load(path), out=tmp_path / "run").manifest["status"] == "completed"
    with pytest.raises(RunDirectoryError, match="is completed"):
        resume(tmp_path / "run")
