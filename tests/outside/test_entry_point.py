"""Methods of installed packages: a package that declares `cosim.methods` is found by its name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.lifecycle.play import play
from cosim.methods import METHODS
from cosim.scenario.load import dump, load
from cosim.trace.manifest import read_manifest
from tests.cli.conftest import Command
from tests.outside.conftest import HERE, Scenario

PACKAGE = "trimming_devices"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages: one whose method is whole, and two that are not."""
    folder = tmp_path / "site"
    info = folder / f"{PACKAGE}-1.0.dist-info"
    info.mkdir(parents=True)
    source = (HERE / "trimmed_mean.py").read_text(encoding="utf-8")
    (folder / f"{PACKAGE}.py").write_text(source, encoding="utf-8")
    (folder / "broken_devices.py").write_text("METHOD = 3\n", encoding="utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        f"[cosim.methods]\ntrim = {PACKAGE}:METHOD\nwhole_module = {PACKAGE}\n"
        "broken = broken_devices\ngone = no_such_module:METHOD\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in (PACKAGE, "broken_devices"):
        sys.modules.pop(name, None)
    from cosim.methods.part import PARTS

    PARTS["aggregation"].pop("trimmed_mean", None)


@pytest.mark.slow
def test_a_scenario_names_it(cosim: Command, scenario: Scenario, site: Path) -> None:
    for name in ("trim", "whole_module"):
        path = scenario(f"{{name: {name}, aggregation: {{name: trimmed_mean, trim: 2}}}}")
        chosen = load(path)
        assert chosen.method.origin is not None
        assert chosen.method.origin.entry_point == name
        run = play(chosen, out=path.with_name(f"run-{name}")).directory
        manifest = read_manifest(run)
        assert manifest["method_sha256"] == chosen.method.origin.sha256
        assert not (run / "method.py").exists()
        assert dump(load(run / "scenario.yaml")) == dump(chosen)
        assert cosim("verify", run).code == 0


def test_another_version_of_the_package_is_refused(
    cosim: Command, scenario: Scenario, site: Path
) -> None:
    path = scenario("trim")
    run = play(load(path), out=path.with_name("run")).directory
    with (site / f"{PACKAGE}.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    ended = cosim("verify", run)
    assert ended.code == 1
    assert "is another than the one that is meant: the SHA-256 of " in ended.out


def test_the_list_has_it_and_says_what_is_broken(cosim: Command, site: Path) -> None:
    ended = cosim("methods")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        *METHODS,
        "broken",
        "gone",
        "trim",
        "whole_module",
    ]
    assert "  aggregation          {name: trimmed_mean, trim: 1}" in lines
    broken = lines[lines.index("broken") + 1]
    assert broken.startswith("  cannot be used: entry point cosim.methods: broken (broken_devices)")
    assert "METHOD is int" in broken
    assert "ModuleNotFoundError" in lines[lines.index("gone") + 1]


def test_one_that_cannot_be_used_is_told_where_it_is_named(
    cosim: Command, scenario: Scenario, site: Path
) -> None:
    for name in ("broken", "gone"):
        ended = cosim("check", path := scenario(name))
        assert ended.code == 2
        (told,) = ended.err.splitlines()
        assert told.startswith(f"cosim: {path}:3: method: entry point cosim.methods: {name} (")
    ended = cosim("check", scenario("trimm"))
    assert "'trimm' is not a method; did you mean 'trim'?" in ended.err


@pytest.mark.slow
def test_it_keeps_the_contract(cosim: Command, site: Path) -> None:
    ended = cosim("methods", "trim", "--check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("trim: 11 of 11 checks made, nothing wrong\n")
