"""A directory belongs to one run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from cosim.errors import RunDirectoryError
from cosim.trace.directory import claim_run_directory
from cosim.trace.writer import TraceWriter

Claimed = TypeVar("Claimed")


def test_numbers_go_up_and_are_never_reused_below_the_largest(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "runs"
    names = [claim_run_directory(None, name="ring", root=root).name for _ in range(2)]
    assert names == ["ring-001", "ring-002"]
    (root / "ring-1005").mkdir()
    assert claim_run_directory(None, name="ring", root=root).name == "ring-1006"
    assert claim_run_directory(None, name="rin", root=root).name == "rin-001"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b/c", "a-b-c-001"),
        ("../../etc", "etc-001"),
        ("Zürich", "Z-rich-001"),
        ("", "run-001"),
        ("v1.2_x", "v1.2_x-001"),
    ],
)
def test_names_are_sanitised(tmp_path: Path, name: str, expected: str) -> None:
    assert claim_run_directory(None, name=name, root=tmp_path) == tmp_path / expected


def test_a_named_directory_may_be_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "new" / "run"):
        assert claim_run_directory(out, name="ring") == out
        TraceWriter(out).close()


def test_a_named_directory_is_never_overwritten(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("keep me")
    with pytest.raises(RunDirectoryError, match=r"already holds note\.txt; a run never overwrites"):
        claim_run_directory(tmp_path, name="ring")
    assert note.read_text() == "keep me"


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_in_the_way_is_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(RunDirectoryError, match="under, a file"):
        claim_run_directory(file / below, name="ring")
    with pytest.raises(RunDirectoryError, match="under, a file"):
        claim_run_directory(None, name="ring", root=file / below)


@pytest.mark.parametrize("exists", [True, False])
def test_only_one_of_several_claims_at_once_gets_a_named_directory(
    tmp_path: Path, exists: bool
) -> None:
    out = tmp_path / "run"
    if exists:
        out.mkdir()

    def claim() -> Path | RunDirectoryError:
        try:
            return claim_run_directory(out, name="ring")
        except RunDirectoryError as error:
            return error

    results = at_once(claim)
    assert results.count(out) == 1
    assert all(isinstance(result, RunDirectoryError) for result in results if result != out)


def test_claims_at_once_get_directories_of_their_own(tmp_path: Path) -> None:
    results = at_once(lambda: claim_run_directory(None, name="ring", root=tmp_path))
    assert sorted(path.name for path in results) == [f"ring-{n:03d}" for n in range(1, 9)]


def at_once(claim: Callable[[], Claimed], threads: int = 8) -> list[Claimed]:
    barrier = Barrier(threads)

    def wait_and_claim(_: int) -> Claimed:
        barrier.wait()
        return claim()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_claim, range(threads)))
