"""Playing from Python: what is played, what it gives back, and who sees it."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import cosim
from tests.calls.conftest import NETWORK


def test_a_file_a_mapping_and_a_scenario_are_played_alike(folder: Path, still: cosim.Run) -> None:
    YAML().dump(NETWORK, folder / "still.yaml")
    runs = [
        cosim.run(folder / "still.yaml"),
        cosim.run("still.yaml", "here"),
        cosim.run(cosim.Scenario.from_yaml("still.yaml"), out="there"),
    ]
    assert [run.directory for run in runs] == [
        Path("runs/still-001"),
        Path("here"),
        Path("there"),
    ]
    assert {run.manifest["results_sha256"] for run in [*runs, still]} == {
        still.manifest["results_sha256"]
    }


@pytest.mark.parametrize("changes", [{"rounds": 2, "seed": 3}, ["rounds=2", "seed=3"]])
def test_values_are_set_on_the_way(folder: Path, changes: Any) -> None:
    set_, again = cosim.run(NETWORK, set=changes), cosim.run(NETWORK, seed=3, set="rounds=2")
    assert (set_.manifest["seed"], set_.manifest["rounds"]) == (3, 2)
    assert set_.manifest["results_sha256"] == again.manifest["results_sha256"]


def test_what_fails_while_it_is_set_up_is_told_with_its_line(folder: Path) -> None:
    walk = {"count": 1, "mobility": {"model": "trace", "path": "none.csv"}}
    YAML().dump({**NETWORK, "devices": [walk]}, folder / "s.yaml")
    with pytest.raises(cosim.CosimError, match=r"s\.yaml:\d+: devices\.0\.mobility"):
        cosim.run("s.yaml")
    assert not (folder / "runs" / "still-001").exists()


class Broken(cosim.Observer):
    """Fails in the second round."""

    def closed(self, round_: int, time_s: float) -> None:
        """Divides by what is left until the second."""
        print(1 / (2 - round_))


def test_a_run_that_was_cut_off_is_resumed(folder: Path, still: cosim.Run) -> None:
    with pytest.raises(cosim.CosimError, match="ZeroDivisionError"):
        cosim.run(NETWORK, "cut", observers=[Broken()])
    cut = cosim.read_run("cut")
    assert repr(cut) == "Run(cut: proposed_single_cluster, seed 7, failed, 3 rounds)"
    whole = cosim.resume(cut)
    assert whole.manifest["results_sha256"] == still.manifest["results_sha256"]
    with pytest.raises(cosim.CosimError, match="nothing to resume"):
        cosim.resume("cut")


def test_nothing_is_printed_where_nobody_sees_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cosim.run(NETWORK)
    cosim.run(NETWORK, progress=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_sweep_is_played_and_compared(folder: Path) -> None:
    YAML().dump(NETWORK, folder / "still.yaml")
    grid = {"scenario": "still.yaml", "seeds": [1, 2], "grid": {"radio.deadline_s": [0.5, 2.0]}}
    YAML().dump(grid, folder / "deadlines.yaml")
    swept = cosim.sweep("deadlines.yaml", jobs=2)
    assert repr(swept) == "Swept(runs/deadlines: 4 runs, 4 completed)"
    assert swept.table["radio.deadline_s"].tolist() == [0.5, 0.5, 2.0, 2.0]
    assert [run.manifest["seed"] for run in swept.runs] == [1, 2, 1, 2]
    compared = cosim.compare(swept.directory)
    assert compared.table["seeds"].tolist() == [2, 2]
    again = cosim.sweep(Path("deadlines.yaml"))
    assert again.table["seconds"].tolist() == swept.table["seconds"].tolist()


def test_the_package_is_imported_in_a_tenth_of_a_second_and_knows_its_names() -> None:
    """In processor time, without what Python itself takes."""
    code = (
        "import sys, time; begun = time.process_time(); import cosim\n"
        "spent = time.process_time() - begun\n"
        "heavy = {'torch', 'simpy', 'numpy', 'pyarrow', 'pandas', 'pydantic'} & set(sys.modules)\n"
        "lacking = [name for name in cosim.__all__ if getattr(cosim, name, None) is None]\n"
        "named = set(cosim.__all__) <= set(dir(cosim))\n"
        "sys.exit(f'{heavy} {spent} {lacking}' if heavy or spent > 0.1 or lacking or not named "
        "else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_room_has_the_name_of_a_call() -> None:
    """To import a room makes it an attribute of the package, in the place of the call."""
    rooms = {path.stem for path in Path(str(cosim.__file__)).parent.iterdir()}
    assert not rooms & set(cosim.__all__)


def test_type_checkers_see_what_is_there() -> None:
    text = inspect.getsource(cosim)
    for name in cosim.__all__:
        place = cosim._PLACES[name]
        assert f"    from {place} import {name} as {name}\n" in text, name
