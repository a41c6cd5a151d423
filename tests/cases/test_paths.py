"""Directories that cannot be used, and what lies about in the current one."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from cosim.errors import RunDirectoryError, SweepError
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.index import holding, refuse_foreign
from cosim.trace.directory import claim_run_directory
from tests.cases.at_a_shell import Command, environment


@pytest.mark.slow
def test_a_directory_whose_name_is_no_text_is_refused_before_anything_is_simulated(
    command: Command, network: Path, tmp_path: Path
) -> None:
    latin = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(latin)
    for arguments, folder in ((("--out", latin + b"/run"), tmp_path), ((), os.fsdecode(latin))):
        done = command("run", network, *arguments, cwd=folder)
        assert done.returncode == 2
        assert done.stderr.startswith(b"cosim: /")
        assert b"caf\\xe9" in done.stderr
        assert b"is not UTF-8 text" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not os.listdir(latin)
    done = command("check", latin + b"/none.yaml")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"no such file" in done.stderr


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("a/b/" + 300 * "n", "file name too long"),
        ("/".join(20 * [240 * "n"]), "file name too long"),
        ("file/run", "lies under, a file"),
        ("a/nul\0byte", "null (byte|character)"),
        ("loop/run", "symbolic links|under, a file"),
        ("/proc/none/run", "cannot hold a run"),
        ("/dev/null/run", "lies under, a file"),
    ],
)
def test_an_out_that_cannot_be_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    with pytest.raises(RunDirectoryError, match=why):
        claim_run_directory(Path(out), name="run")
    assert sorted(os.listdir()) == ["file", "loop"]


def test_a_directory_that_is_nearly_too_deep_is_refused_before_the_first_file(
    tmp_path: Path,
) -> None:
    """Its own path fits, those of the tables' parts do not."""
    deep = tmp_path
    while len(os.fsencode(deep)) < 4096 - 240:
        deep = deep / ("d" * 200)
    with pytest.raises(RunDirectoryError, match="file name too long"):
        claim_run_directory(deep / ("n" * (4090 - len(os.fsencode(deep)) - 1)), name="run")
    assert not list(tmp_path.iterdir())


def test_a_parent_that_may_not_be_entered_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may enter everything, so that the system's answer is made up."""
    asked = os.lstat

    def closed(path: object, **options: object) -> os.stat_result:
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return asked(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("os.lstat", closed)
    with pytest.raises(RunDirectoryError, match="closed/run cannot hold a run: permission denied"):
        claim_run_directory(tmp_path / "closed" / "run", name="run")


def test_the_directory_of_a_sweep_that_cannot_be_is_one_sentence(
    network: Path, tmp_path: Path
) -> None:
    file = network.with_name("s.yaml")
    file.write_text("scenario: net.yaml\nseeds: [1]\n", encoding="utf-8")
    for out in (network / "s", tmp_path / ("n" * 300), Path("/proc/none")):
        with pytest.raises(SweepError, match=r"cannot be (made|used)"), ExitStack() as stack:
            stack.enter_context(holding(out, read_sweep(file)))
    with pytest.raises(SweepError, match="cannot be used: not a directory"):
        refuse_foreign(network)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["socket", "torch"])
def test_modules_of_the_current_directory_are_not_imported(
    command: Command, network: Path, tmp_path: Path, module: str
) -> None:
    network.with_name("s.yaml").write_text("scenario: net.yaml\nseeds: [1]\n", encoding="utf-8")
    trap = f"raise SystemExit('{module}.py of the current directory was imported')\n"
    (tmp_path / f"{module}.py").write_text(trap, encoding="utf-8")
    commands = [("sweep", "s.yaml", "--out", "s")]
    commands += [("run", "net.yaml", "--out", "r")] if module == "socket" else []
    for arguments in commands:
        done = command(*arguments)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_current_directory_that_was_removed_is_no_fault_of_the_modules(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -m cosim methods'
    ended = subprocess.run(
        ["sh", "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "proposed" in ended.stdout


@pytest.mark.slow
def test_a_locale_that_reads_names_otherwise_is_told(
    command: Command, network: Path, tmp_path: Path
) -> None:
    """Parquet's library takes names as UTF-8 whatever the locale says, Python does not."""
    (tmp_path / "é").mkdir()
    old = environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    done = command("run", network, "--out", "é/run", env=old)
    assert done.returncode == 2
    assert b"file names are read as ascii here" in done.stderr
    assert b"set PYTHONUTF8=1" in done.stderr
    assert not os.listdir(tmp_path / "é")
    assert command("run", network, "--out", "plain", env=old).returncode == 0
    for better in ({"PYTHONUTF8": "1"}, {"LC_ALL": "C.UTF-8"}):
        out = f"é/{next(iter(better))}"
        assert command("run", network, "--out", out, env={**old, **better}).returncode == 0
