"""Methods of installed packages: a package that declares `cosim.methods` is found by its name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.contract.subject import on_trial
from cosim.learning.learner import ModelLearner
from cosim.lifecycle.play import play
from cosim.methods import METHODS
from cosim.methods.outside import forget as unload
from cosim.methods.part import PARTS
from cosim.scenario.load import dump, load
from cosim.trace.manifest import read_manifest
from tests.cli.conftest import Command
from tests.outside.air_package import forget
from tests.outside.conftest import HERE, Scenario

PACKAGE = "trimming_devices"


def declare(site: Path, distribution: str, methods: str) -> None:
    """Leaves the entry points of a distribution, as pip does."""
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(f"[cosim.methods]\n{methods}", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages: one whose method is whole, and two that are not."""
    folder = tmp_path / "site"
    declare(
        folder,
        PACKAGE,
        f"trim = {PACKAGE}:METHOD\nwhole_module = {PACKAGE}\n"
        "broken = broken_devices\ngone = no_such_module:METHOD\n",
    )
    source = (HERE / "trimmed_mean.py").read_text(encoding="utf-8")
    (folder / f"{PACKAGE}.py").write_text(source, encoding="utf-8")
    (folder / "broken_devices.py").write_text("METHOD = 3\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    before = {slot: dict(parts) for slot, parts in PARTS.items()}
    yield folder
    forget(folder)
    PARTS.clear()
    PARTS.update(before)


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


@pytest.mark.slow
def test_another_version_of_the_package_is_refused_by_another_process(
    cosim: Command, scenario: Scenario, site: Path
) -> None:
    path = scenario("trim")
    chosen = load(path)
    run = play(chosen, out=path.with_name("run")).directory
    with (site / f"{PACKAGE}.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    assert load(path).method.origin == chosen.method.origin, "what was loaded stays as it was"
    assert cosim("verify", run).code == 0
    assert chosen.method.origin is not None
    unload(chosen.method.origin)
    ended = cosim("verify", run)
    assert ended.code == 1
    assert "is another than the one that is meant: the SHA-256 of " in ended.out


def test_the_list_has_it_and_says_what_is_broken(cosim: Command, site: Path) -> None:
    ended = cosim("methods")
    assert ended.code == 0
    rows = [line.split("│")[1].strip() for line in ended.out.splitlines() if "│" in line]
    assert rows == [*METHODS, "trim", "whole_module"]
    broken, gone = ended.err.splitlines()
    assert broken.startswith("cosim: broken cannot be used: entry point cosim.methods: broken (")
    assert "METHOD is int" in broken
    assert gone.startswith("cosim: gone cannot be used: ")
    assert "ModuleNotFoundError" in gone
    assert "  aggregation          {name: trimmed_mean, trim: 1}" in cosim("methods", "trim").out


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
    assert ended.out.endswith("trim: 13 of 13 checks made, nothing wrong\n")


REMEMBERING = """\
from typing import ClassVar, Literal
from cosim.methods import LORA
from cosim.methods.aggregation.mean import Mean
from remembering_devices.shelf import shelf
class Remembering(Mean):
    name: Literal["remembering"] = "remembering"
    seen: ClassVar[list[int]] = []
METHOD = LORA.with_(name="remembering", reference="nobody", aggregation=Remembering())
"""


def test_another_learner_meets_nothing_that_a_package_keeps(
    site: Path,
) -> None:
    package = site / "remembering_devices"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shelf.py").write_text("shelf = []\n", encoding="utf-8")
    (package / "method.py").write_text(REMEMBERING, encoding="utf-8")
    declare(site, "remembering_devices", "remembering = remembering_devices.method:METHOD\n")

    def kept(learner: ModelLearner) -> tuple[list[int], list[int]]:
        """What lies on the part's class, and in another module of the package."""
        kind = type(learner.method.aggregation)
        return vars(kind)["seen"], vars(sys.modules[kind.__module__])["shelf"]

    with on_trial("remembering") as subject:
        for _ in range(2):
            on_class, on_module = kept(subject.learner(anew=True))
            assert (on_class, on_module) == ([], [])
            on_class.append(1)
            on_module.append(1)


FAILING = """\
from typing import Literal
from cosim.methods import LORA, Sending
from failing_devices.threshold import threshold
class Failing(Sending):
    name: Literal["failing"] = "failing"
    def speaks(self, own, at):
        return own, threshold(at.turn.round) > 0
METHOD = LORA.with_(name="failing", reference="nobody", sending=Failing())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "source", "line"),
    [
        ("threshold", "def threshold(round_):\n    return 1 / (2 - round_)\n", 2),
        ("method", FAILING.replace("threshold(at.turn.round)", "1 / (2 - at.turn.round)"), 7),
    ],
)
def test_a_part_that_fails_in_a_run_is_told_by_its_line(
    cosim: Command, scenario: Scenario, site: Path, module: str, source: str, line: int
) -> None:
    package = site / "failing_devices"
    package.mkdir()
    (package / "method.py").write_text(FAILING, encoding="utf-8")
    (package / "threshold.py").write_text("def threshold(round_):\n    pass\n", encoding="utf-8")
    (package / "__init__.py").touch()
    (package / f"{module}.py").write_text(source, encoding="utf-8")
    declare(site, "failing_devices", "failing = failing_devices.method:METHOD\n")
    ended = cosim("run", scenario("failing"))
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        f"cosim: {package / module}.py:{line}: ZeroDivisionError: division by zero"
    )
