"""One process at a time writes a run directory, and a dead one holds nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cosim.errors import RunDirectoryError
from cosim.trace.lock import LOCK_FILE, held, holder


def lock(folder: Path, **changes: object) -> None:
    import platform

    own = psutil.Process()
    said = {"pid": own.pid, "started_s": own.create_time(), "host": platform.node()} | changes
    (folder / LOCK_FILE).write_text(json.dumps(said), encoding="utf-8")


def test_a_lock_says_who_holds_it_and_is_gone_afterwards(tmp_path: Path) -> None:
    with held(tmp_path):
        said = json.loads((tmp_path / LOCK_FILE).read_text(encoding="utf-8"))
        assert said["pid"] == os.getpid()
        assert said["started_s"] == pytest.approx(psutil.Process().create_time())
        with (
            pytest.raises(RunDirectoryError, match=f"written by process {os.getpid()}, which is"),
            held(tmp_path),
        ):
            pass
        assert (tmp_path / LOCK_FILE).exists()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), held(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_lock_of_another_live_process_is_respected(tmp_path: Path) -> None:
    command = "import sys, time; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        lock(tmp_path, pid=other.pid, started_s=psutil.Process(other.pid).create_time())
        with pytest.raises(RunDirectoryError, match=str(other.pid)), held(tmp_path):
            pass
        other.kill()
        other.wait()
    with held(tmp_path):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("changes", [{"pid": 2**22 + 1}, {"started_s": 1.0}, {"pid": "none"}])
def test_a_stale_lock_is_taken_over(tmp_path: Path, changes: dict[str, object]) -> None:
    """Its process is gone, or has the number of an older one, or died while it wrote."""
    lock(tmp_path, **changes)
    with held(tmp_path):
        pass
    (tmp_path / LOCK_FILE).write_text('{"pid": 1', encoding="utf-8")
    with held(tmp_path):
        pass


def test_a_lock_of_another_machine_is_not_judged(tmp_path: Path) -> None:
    lock(tmp_path, host="elsewhere")
    with (
        pytest.raises(RunDirectoryError, match=r"on elsewhere, as its \.lock says; delete"),
        held(tmp_path),
    ):
        pass


def test_a_clock_that_is_set_does_not_free_a_lock(tmp_path: Path) -> None:
    """Where the kernel counts since its start, a living process is known whatever the time is."""
    with held(tmp_path):
        said = json.loads((tmp_path / LOCK_FILE).read_text(encoding="utf-8"))
        said["started_s"] -= 3600.0
        (tmp_path / LOCK_FILE).write_text(json.dumps(said), encoding="utf-8")
        assert holder(tmp_path) == f"process {os.getpid()}, which is still at work"
        boot, ticks = said["since_boot"].split()
        for since in (f"{boot} {int(ticks) - 1}", f"another {ticks}"):
            said["since_boot"] = since
            (tmp_path / LOCK_FILE).write_text(json.dumps(said), encoding="utf-8")
            assert holder(tmp_path) is None


def test_a_lock_is_called_by_its_own_name(tmp_path: Path) -> None:
    lock(tmp_path, host="elsewhere")
    (tmp_path / LOCK_FILE).rename(tmp_path / ".owner")
    with (
        pytest.raises(RunDirectoryError, match=r"on elsewhere, as its \.owner says; delete"),
        held(tmp_path, ".owner"),
    ):
        pass
