"""Freed memory stays with the process."""

import subprocess
import sys
from platform import libc_ver
from textwrap import dedent

import pytest

from cosim.host import malloc as freed_memory


def _page_faults(kept: bool) -> int:
    """Pages that a process fetches while it makes and frees the same 64 MiB 16 times, after as
    many times in which its heap takes its shape."""
    program = f"""
        import resource, torch
        from cosim.host.malloc import keep_freed_memory
        if {kept}:
            keep_freed_memory()
        for number in range(32):
            if number == 16:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            torch.ones(16 * 2**20)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.slow
@pytest.mark.skipif(
    not freed_memory._glibc() or libc_ver()[1].split(".") < ["2", "35"],
    reason="the C library is not glibc, or returns tensors of that size all the same",
)
def test_memory_is_fetched_once() -> None:
    # Sixteen times without; hardly once with, however large a page is.
    assert 8 * _page_faults(kept=True) <= _page_faults(kept=False)


@pytest.mark.slow
@pytest.mark.skipif(not freed_memory._glibc(), reason="the C library is not glibc")
def test_it_is_given_back_when_asked() -> None:
    program = """
        import psutil, torch
        from cosim.host.malloc import keep_freed_memory, return_freed_memory
        keep_freed_memory()
        held = [torch.ones(2**20) for _ in range(64)]
        between = held[-1]
        del held
        before = psutil.Process().memory_info().rss
        return_freed_memory()
        print(before - psutil.Process().memory_info().rss)
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True
    )
    # 63 of 64 tensors of 4 MiB lie below one that is still held.
    assert int(run.stdout) > 200 * 2**20


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(freed_memory, "_glibc", lambda: False)
    monkeypatch.setattr("ctypes.CDLL", asked.append)
    freed_memory.keep_freed_memory.__wrapped__()
    freed_memory.return_freed_memory()
    assert asked == []
