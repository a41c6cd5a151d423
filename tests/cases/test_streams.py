"""A command's output may have another encoding, a full disk, or no reader any more."""

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import app as cli
from cosim.errors import ObserverError
from cosim.host.streams import lasting_streams
from cosim.learning.records import Measurement
from cosim.lifecycle.play import play
from cosim.scenario.load import load
from tests.cases.at_a_shell import Command, environment

FULL = Path("/dev/full")
full_disk = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def status(run: Path) -> str:
    return str(json.loads((run / "manifest.json").read_text(encoding="utf-8"))["status"])


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_what_an_encoding_lacks_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    """The Greek letter of the deadline is in every description of a scenario."""
    monkeypatch.setattr("sys.argv", ["cosim", "schema"])
    with (tmp_path / "out").open("w", encoding=encoding) as out:
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.__stdout__", out)
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert end.value.code == 0
    assert b"deadline_s" in (tmp_path / "out").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["check", "net.yaml"], ["run", "net.yaml"], ["check", "Γ"]])
def test_commands_and_their_errors_print_in_cp1252(
    command: Command, network: Path, arguments: list[str]
) -> None:
    done = command(*arguments, env=environment(PYTHONIOENCODING="cp1252"))
    assert done.returncode == (2 if "Γ" in arguments else 0)
    assert b"Traceback" not in done.stderr
    assert b"?: no such file" in done.stderr if "Γ" in arguments else done.stderr == b""


@pytest.mark.slow
@full_disk
def test_a_run_outlives_the_disk_of_its_log(
    command: Command, network: Path, tmp_path: Path
) -> None:
    with FULL.open("wb") as full:
        done = command("run", network, "--out", "run", stdout=full)
    assert done.returncode == 0
    assert status(tmp_path / "run") == "completed"
    told = b"cosim: standard output cannot be written to: no space left on device; going on"
    assert done.stderr.count(told) == 1


@pytest.mark.slow
@full_disk
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_answer_that_nobody_could_get_is_an_error(command: Command, unbuffered: str) -> None:
    with FULL.open("wb") as full:
        done = command("methods", stdout=full, env=environment(PYTHONUNBUFFERED=unbuffered))
    assert done.returncode == 1
    assert done.stderr.startswith(b"cosim: standard output cannot be written to: no space left")
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_a_run_outlives_the_reader_of_its_log(network: Path, tmp_path: Path) -> None:
    """As `| head -n 1` leaves it, long before the last round."""
    read, write = os.pipe()
    os.close(read)
    arguments = [sys.executable, "-m", "cosim", "run", str(network), "--out", "run"]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment(), stdout=write, stderr=write, check=False
    )
    os.close(write)
    assert done.returncode == 0
    assert status(tmp_path / "run") == "completed"


class Broken(io.FileIO):
    """A file whose every write fails."""

    def __init__(self, path: Path, number: int) -> None:
        super().__init__(path, "w")
        self.number = number

    def write(self, data: Any) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "lost"), [(errno.EPIPE, False), (errno.ENOSPC, True), (errno.EIO, True)]
)
def test_only_a_reader_that_left_has_lost_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    number: int,
    lost: bool,
) -> None:
    stream = io.TextIOWrapper(io.BufferedWriter(Broken(tmp_path / "out", number)))
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        patch.setattr("sys.__stdout__", stream)
        with lasting_streams() as streams:
            print("x" * 100_000, flush=True)
            print("and more", flush=True)
        assert sys.stdout is stream
    stream.close()
    assert (streams.lost is not None) == lost
    assert capsys.readouterr().err.count("standard output") == lost


class Deaf:
    """An observer whose own disk is full."""

    def saw(self, row: Any) -> None:
        """Writes nothing."""

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Writes nothing."""

    def closed(self, round_: int, time_s: float) -> None:
        """Fails."""
        raise OSError(errno.ENOSPC, "No space left on device", "my.log")


def test_an_observers_disk_is_not_taken_for_the_runs(network: Path, tmp_path: Path) -> None:
    with pytest.raises(ObserverError, match=r"could not write: .*my\.log"):
        play(load(network), out=tmp_path / "run", observers=[Deaf()])
    assert status(tmp_path / "run") == "failed"
