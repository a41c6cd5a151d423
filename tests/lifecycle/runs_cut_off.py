"""What a run ends with, and how one that was cut off is damaged, resumed or refused."""

from pathlib import Path
from typing import Any

import pytest

from cosim.errors import RunDirectoryError
from cosim.lifecycle.play import resume
from cosim.trace.manifest import read_manifest


def everything(run: Path) -> dict[str, Any]:
    """What two runs must have in common."""
    manifest = read_manifest(run)
    assert not (run / "checkpoint").exists()
    assert not (run / ".lock").exists()
    folder = run / "adapters"
    adapters = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else 0
    names = ("status", "results_sha256", "simulated_s")
    return {**{name: manifest[name] for name in names}, "adapters": adapters}


def resumes_to(before: list[Path], whole: dict[str, Any]) -> None:
    for number, run in enumerate(before):
        resume(run, spacing=[0.0, 1e9][number % 2])
        assert everything(run) == whole, run.name
        assert read_manifest(run)["resumed"] == 1


def index_of(run: Path) -> Path:
    return max((run / "checkpoint").glob("0*.json"))


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def listing(run: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def refused(run: Path, match: str, error: type[Exception] = RunDirectoryError) -> None:
    """And it is as it was."""
    before = listing(run)
    with pytest.raises(error, match=match):
        resume(run)
    assert listing(run) == before
