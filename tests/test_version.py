"""The version stands in one place, from which an installation has its own."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import cosim

ROOT = Path(__file__).parent.parent


def test_the_package_says_the_version_and_the_project_file_asks_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in settings["project"]
    assert settings["project"]["dynamic"] == ["version"]
    source = (ROOT / settings["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE) == [cosim.__version__]


def test_an_installation_has_the_version_of_the_package() -> None:
    """Where it is an older one: `pip install -e .` once more."""
    assert version("cosim") == cosim.__version__
