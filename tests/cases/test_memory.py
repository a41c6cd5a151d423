"""Memory that somebody has limited: by ulimit, or by a control group."""

import errno
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cosim.cli.exit_codes import exit_code
from cosim.host.available_memory import available
from tests.cases.at_a_shell import environment

GIB = 2**30
RSS = 3 * GIB


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 GiB, on which this process holds 3."""
    held = psutil.Process().memory_info()._replace(rss=RSS)
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: held)
    virtual = psutil.virtual_memory()._replace(available=64 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: virtual)


def group(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        file = folder / name.replace("__", ".")
        file.write_text(f"{value}\n", encoding="utf-8")
    return folder


def process(tmp_path: Path, cgroup: str, mountinfo: str) -> Path:
    folder = tmp_path / "self"
    folder.mkdir()
    (folder / "cgroup").write_text(cgroup, encoding="utf-8")
    (folder / "mountinfo").write_text(mountinfo, encoding="utf-8")
    return folder


def mount(at: Path, root: str = "/", version: int = 2) -> str:
    kind = "cgroup2 cgroup2 rw" if version == 2 else "cgroup cgroup rw,memory"
    return f"30 23 0:26 {root} {at} rw,nosuid shared:4 - {kind}\n"


def test_the_machine_alone(tmp_path: Path) -> None:
    tree = group(tmp_path / "cg", memory__max="max", memory__current=5 * GIB)
    proc = process(tmp_path, "0::/\n", mount(tree))
    assert available(proc) == (64 * GIB + RSS, "")
    assert available(tmp_path / "no proc") == (64 * GIB + RSS, "")


def test_a_group_leaves_its_limit_less_what_is_used_and_not_idle(tmp_path: Path) -> None:
    tree = tmp_path / "cg"
    own = group(tree / "job", memory__max=8 * GIB, memory__current=5 * GIB)
    group(own, memory__stat=f"anon 1\ninactive_file {GIB}\nactive_file 7")
    proc = process(tmp_path, "0::/job\n", mount(tree))
    assert available(proc) == (4 * GIB + RSS, f"the memory limit of {own}")
    group(own, memory__high=6 * GIB)
    assert available(proc).bytes == 2 * GIB + RSS, "where it is throttled"


def test_the_tightest_of_nested_groups_counts(tmp_path: Path) -> None:
    tree = tmp_path / "cg"
    group(tree / "slurm", memory__max=10 * GIB, memory__current=9 * GIB)
    group(tree / "slurm/job", memory__max="max", memory__current=2 * GIB)
    group(tree / "slurm/job/step", memory__max=8 * GIB, memory__current=2 * GIB)
    found = available(process(tmp_path, "0::/slurm/job/step\n", mount(tree)))
    assert found == (GIB + RSS, f"the memory limit of {tree / 'slurm'}")


def test_the_first_version_and_both_beside_each_other(tmp_path: Path) -> None:
    old, new = tmp_path / "memory", tmp_path / "unified"
    files = {"memory__limit_in_bytes": 4 * GIB, "memory__usage_in_bytes": 3 * GIB}
    own = group(old / "docker/abc", **files, memory__stat=f"total_inactive_file {GIB}")
    group(old, memory__limit_in_bytes=2**63 - 4096, memory__usage_in_bytes=40 * GIB)
    group(new)
    text = "7:cpu,cpuacct:/other\n5:memory:/docker/abc\n0::/docker/abc\n"
    found = available(process(tmp_path, text, mount(old, version=1) + mount(new)))
    assert found == (2 * GIB + RSS, f"the memory limit of {own}")


@pytest.mark.parametrize("inside", ["/docker/abc", "/", "/../elsewhere"])
def test_inside_a_container_the_mount_is_the_groups_own(tmp_path: Path, inside: str) -> None:
    """Its root is the container's group, which the path may name, or not, or lie outside of."""
    tree = group(tmp_path / "cg", memory__max=2 * GIB, memory__current=GIB)
    found = available(process(tmp_path, f"0::{inside}\n", mount(tree, root="/docker/abc")))
    assert found == (GIB + RSS, f"the memory limit of {tree}")


def test_a_group_that_is_over_its_limit_leaves_what_is_held(tmp_path: Path) -> None:
    tree = group(tmp_path / "cg", memory__max=GIB, memory__current=2 * GIB)
    assert available(process(tmp_path, "0::/\n", mount(tree))).bytes == RSS


@pytest.mark.parametrize(
    ("limit", "name"), [("RLIMIT_AS", "ulimit -v"), ("RLIMIT_DATA", "ulimit -d")]
)
def test_resource_limits_count(limit: str, name: str) -> None:
    pytest.importorskip("resource")
    program = (
        "import psutil, resource\n"
        "from cosim.host.available_memory import available\n"
        "before = psutil.Process().memory_info()\n"
        f"resource.setrlimit(resource.{limit}, (before.vms + 2**28, resource.RLIM_INFINITY))\n"
        "found = available()\n"
        f"used = before.vms if '{limit}' == 'RLIMIT_AS' else before.data\n"
        "expected = before.vms + 2**28 - used + before.rss\n"
        "assert abs(found.bytes - expected) < 2**24, (found, expected)\n"
        f"assert found.limit == '{name}', found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("x.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"),
        Exception("Failed to launch worker thread: Resource temporarily unavailable"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_memory_that_is_used_up_is_one_sentence_whoever_says_so(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def starved() -> None:
        raise error

    assert exit_code(starved) == 2
    said = capsys.readouterr().err
    assert said.startswith("cosim: the memory that this process may have is used up")
    assert said.count("\n") == 1


def test_other_errors_stay_what_they_are() -> None:
    def broken() -> None:
        raise ImportError("no module of that name")

    with pytest.raises(ImportError, match="of that name"):
        exit_code(broken)
