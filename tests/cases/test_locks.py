"""File systems without flock, and sweeps whose main process is killed."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cosim.errors import RunDirectoryError, SweepError
from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.sweeping import state
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.index import OWNER_FILE, holding
from cosim.sweeping.run import play_sweep
from cosim.sweeping.state import State, move_aside
from cosim.sweeping.watch import Watch
from cosim.trace.lock import LOCK_FILE, held, holder
from cosim.trace.manifest import read_manifest
from tests.cases.at_a_shell import environment

SWEEP = "scenario: net.yaml\nseeds: [1]\n"


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def no_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that answers as Lustre without its flock option, or an NFS without lockd."""

    def refuse(*_: Any) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.fixture
def sweep_file(network: Path) -> Path:
    path = network.with_name("one.yaml")
    path.write_text(SWEEP, encoding="utf-8")
    return path


def owner(**changes: object) -> str:
    own = psutil.Process()
    said = {"pid": own.pid, "started_s": own.create_time(), "host": os.uname().nodename}
    return json.dumps(said | changes)


@pytest.mark.usefixtures("no_flock")
def test_a_run_is_played_and_held_without_flock(network: Path, tmp_path: Path) -> None:
    assert play(load(network), out=tmp_path / "run").manifest["status"] == "completed"
    assert not (tmp_path / "run" / LOCK_FILE).exists()
    with held(tmp_path):
        assert holder(tmp_path) == f"process {os.getpid()}, which is still at work"
        with pytest.raises(RunDirectoryError, match="which is still at work"), held(tmp_path):
            pass
    (tmp_path / LOCK_FILE).write_text(owner(started_s=1.0), encoding="utf-8")
    with held(tmp_path):  # whoever wrote it is gone
        assert holder(tmp_path) is not None
    assert [path.name for path in tmp_path.iterdir() if "lock" in path.name] == []
    (tmp_path / LOCK_FILE).touch()
    with pytest.raises(RunDirectoryError, match="does not say which process"), held(tmp_path):
        pass


@pytest.mark.usefixtures("no_flock")
def test_a_sweep_is_held_without_flock_and_only_a_rival_is_called_one(
    sweep_file: Path, tmp_path: Path
) -> None:
    sweep = read_sweep(sweep_file)
    with holding(tmp_path / "s", sweep):
        assert (tmp_path / "s" / OWNER_FILE).exists()
        with (
            pytest.raises(SweepError, match=r"another sweep is at work in it: .*still at work"),
            holding(tmp_path / "s", sweep),
        ):
            pass
    with holding(tmp_path / "s", sweep):
        pass


def test_a_refused_run_gives_its_directory_back(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "empty").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("cosim.trace.lock.os.fsync", full)
        for name in ("new", "empty"):
            with pytest.raises(RunDirectoryError, match=r"\.lock cannot be written: No space"):
                play(load(network), out=tmp_path / name)
    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "empty").iterdir())


def test_a_directory_is_held_while_the_model_is_loaded(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(scenario: Any) -> Any:
        seen.append(holder(tmp_path / "run"))
        raise RunDirectoryError("enough")

    monkeypatch.setattr("cosim.lifecycle.play.build_learner", look)
    with pytest.raises(RunDirectoryError, match="enough"):
        play(load(network), out=tmp_path / "run")
    assert seen == [f"process {os.getpid()}, which is still at work"]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_held_directory_is_neither_moved_nor_written_to(
    sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_PATIENCE", 2)
    run = tmp_path / "s" / "seed-1"
    with holding(tmp_path / "s", read_sweep(sweep_file)):
        pass
    (run / "parts").mkdir(parents=True)
    (run / LOCK_FILE).write_text(owner(), encoding="utf-8")
    with pytest.raises(RunDirectoryError, match="still at work"):
        move_aside(run, State.FAILED)
    (entry,) = play_sweep(read_sweep(sweep_file), tmp_path / "s", 1, Watch())
    assert entry.state == "failed"
    assert (
        entry.error == f"{run} is being written by process {os.getpid()}, which is still at work."
    )
    assert sorted(path.name for path in run.iterdir()) == [LOCK_FILE, "parts"]
    (run / LOCK_FILE).unlink()
    (entry,) = play_sweep(read_sweep(sweep_file), tmp_path / "s", 1, Watch())
    assert entry.state == "completed"


@pytest.mark.slow
def test_workers_end_with_a_sweep_that_is_killed(sweep_file: Path, tmp_path: Path) -> None:
    sweep_file.write_text(f"{SWEEP}set: {{rounds: 1000000}}\n", encoding="utf-8")
    arguments = [sys.executable, "-m", "cosim", "sweep", str(sweep_file), "--out", "s"]
    run = tmp_path / "s" / "seed-1"
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment()) as process:
        wait_for(lambda: (run / "manifest.json").exists())
        worker = psutil.Process(json.loads((run / LOCK_FILE).read_text(encoding="utf-8"))["pid"])
        assert worker.pid != process.pid
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert read_manifest(run)["status"] == "interrupted"
    assert not (run / LOCK_FILE).exists()


def wait_for(met: Any) -> None:
    deadline = time.monotonic() + 120
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_a_sweep_as_ctrl_c_does(
    sweep_file: Path, tmp_path: Path
) -> None:
    """The terminal tells every process of its group, workers included."""
    sweep_file.write_text(f"{SWEEP}set: {{rounds: 1000000}}\n", encoding="utf-8")
    arguments = [sys.executable, "-m", "cosim", "sweep", str(sweep_file), "--out", "s"]
    run = tmp_path / "s" / "seed-1"
    # These tests may themselves be run by what ignores the signal.
    with subprocess.Popen(
        arguments,
        cwd=tmp_path,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        wait_for(lambda: (run / "manifest.json").exists())
        os.killpg(process.pid, signal.SIGHUP)
        process.wait(timeout=120)
    assert process.returncode == 130
    assert read_manifest(run)["status"] == "interrupted"
    assert not (run / LOCK_FILE).exists()


@pytest.mark.slow
@pytest.mark.parametrize("ignored", [False, True], ids=["as it is", "under nohup"])
def test_a_terminal_that_is_closed_leaves_what_ctrl_c_leaves(
    network: Path, tmp_path: Path, ignored: bool
) -> None:
    text = network.read_text(encoding="utf-8").replace("rounds: 2", "rounds: 1000000")
    network.write_text(text, encoding="utf-8")
    arguments = [sys.executable, "-m", "cosim", "run", str(network), "--out", "run", "--quiet"]
    run = tmp_path / "run"
    with subprocess.Popen(
        arguments,
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(
            signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL
        ),
    ) as process:
        wait_for(lambda: any((run / "parts").rglob("000002.parquet")))
        process.send_signal(signal.SIGHUP)
        if ignored:
            seen = len(list((run / "parts").rglob("*.parquet")))
            wait_for(lambda: len(list((run / "parts").rglob("*.parquet"))) > seen)
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"go on with: cosim resume run" in err
    assert read_manifest(run)["status"] == "interrupted"
    assert not (run / LOCK_FILE).exists()
