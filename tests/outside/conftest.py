"""Packages that Python finds while a test lasts, and the command line in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cosim.cli import app as cli
from tests.outside.air_package import install, site_packages


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of packages that Python finds; nothing is installed there yet."""
    folder = tmp_path / "site"
    folder.mkdir()
    with site_packages(folder):
        yield folder


@pytest.fixture
def air(site: Path) -> Path:
    """The module of the installed package."""
    return install(site)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a scenario and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def cosim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Calls `cosim` as from a shell in a new directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call
