"""How much memory this process may have: the machine's, and what limits it to less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

_SELF = Path("/proc/self")


class Memory(NamedTuple):
    """The memory is what this process may have, and what limits it.

    bytes: those that it holds included.
    limit: the option or the control group that sets the limit; empty where the machine itself does.
    """

    bytes: float
    limit: str


def available_bytes() -> float:
    """Memory that this process may have: what it holds, and what it can still get.

    A process that has played a run before holds freed memory that the next run uses again.
    """
    return available().bytes


def available(proc: Path = _SELF) -> Memory:
    """The least of what the machine, the resource limits and the control groups leave."""
    process = psutil.Process()
    resident = float(process.memory_info().rss)
    margins = [Memory(float(psutil.virtual_memory().available), "")]
    margins += _resource_limits(process)
    margins += _group_limits(proc)
    least = min(margins, key=lambda margin: margin.bytes)
    return Memory(max(least.bytes, 0.0) + resident, least.limit)


def _resource_limits(process: psutil.Process) -> Iterator[Memory]:
    """RLIMIT_AS counts addresses, RLIMIT_DATA private memory that can be written."""
    try:
        import resource
    except ImportError:  # not on every system
        return
    info = process.memory_info()
    for name, limit, usage in (
        ("ulimit -v", resource.RLIMIT_AS, info.vms),
        ("ulimit -d", resource.RLIMIT_DATA, getattr(info, "data", info.vms)),
    ):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield Memory(float(soft - usage), name)


def _group_limits(proc: Path) -> Iterator[Memory]:
    """What each of the control groups that hold this process leaves, from the innermost out.

    v2: the lower of memory.max and memory.high; v1: memory.limit_in_bytes. What a group's files
    take in memory and nobody uses counts as free. Sources: admin-guide/cgroup-v2.rst and
    cgroup-v1/memory.rst of the Linux kernel.
    """
    for folder, version in _groups(proc):
        limits = ("memory.max", "memory.high") if version == 2 else ("memory.limit_in_bytes",)
        usage = _number(folder / ("memory.current" if version == 2 else "memory.usage_in_bytes"))
        bounds = [value for name in limits if (value := _number(folder / name)) is not None]
        if bounds and usage is not None:
            idle = _stat(folder, "inactive_file" if version == 2 else "total_inactive_file")
            yield Memory(min(bounds) - max(usage - idle, 0.0), f"the memory limit of {folder}")


def _groups(proc: Path) -> Iterator[tuple[Path, int]]:
    for line in _lines(proc / "cgroup"):
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        version = 2 if number == "0" and not controllers else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        for root, mount in _mounts(proc, version):
            # Inside a container the mount shows a part of the tree, and the path may lie outside.
            inner = path.removeprefix(root.rstrip("/")) if path.startswith(root) else "/"
            steps = [step for step in inner.split("/") if step]
            if ".." in steps:
                steps = []
            for depth in range(len(steps), -1, -1):
                yield mount.joinpath(*steps[:depth]), version


def _mounts(proc: Path, version: int) -> Iterator[tuple[str, Path]]:
    """The root and the mount point of each tree of control groups that counts memory."""
    for line in _lines(proc / "mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        tree_version = {"cgroup2": 2, "cgroup": 1}.get(kind[0])
        if tree_version == version and (version == 2 or "memory" in kind[2].split(",")):
            yield fields[3], Path(fields[4].replace("\\040", " "))


def _stat(folder: Path, name: str) -> float:
    for line in _lines(folder / "memory.stat"):
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return float(value)
    return 0.0


def _number(file: Path) -> float | None:
    """A file's number; None where it says `max`, or is not there."""
    text = next(iter(_lines(file)), "")
    return float(text) if text.isdecimal() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux, or not to be seen
        return []
