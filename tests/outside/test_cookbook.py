"""The methods that the README of the methods shows: each keeps the contract."""

from pathlib import Path

import pytest

from cosim.contract.contract import CHECKS, verdict
from cosim.contract.subject import on_trial
from cosim.methods import Heard, Message
from cosim.methods.outside import method_of_file
from cosim.methods.part import Part
from tests.readme_commands import blocks
from tests.readme_tables import ROOT

SHOWN = {
    block.file: block.text
    for block in blocks((ROOT / "cosim/methods/README.md").read_text(encoding="utf-8"))
    if block.language == "python" and block.file is not None
}


QUICK = ("learns", "bits", "foreseen", "memory", "in place", "empty", "graphs")


def written(name: str, folder: Path) -> Path:
    (folder / name).write_text(SHOWN[name], encoding="utf-8")
    return folder / name


def test_there_is_one_for_each_slot_that_mixes(tmp_path: Path) -> None:
    slots = set()
    for name in SHOWN:
        method = method_of_file(written(name, tmp_path))
        assert f"{method.name}.py" == name
        own = (part for part in method.parts() if not part.__module__.startswith("cosim."))
        slots |= {part.slot for part in own}
    assert slots == {"aggregation", "topology", "weights", "codec", "sending", "schedule"}
    assert {one.slot for one in Part.__subclasses__()} - slots == {
        *("projection", "expansion", "composition", "data")  # the README names a file of each
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_it_keeps_the_contract(name: str, tmp_path: Path) -> None:
    """In full where a part remembers something; of the others, what takes no more than a second."""
    checks = list(CHECKS) if "remember" in SHOWN[name] or "memory" in SHOWN[name] else QUICK
    with on_trial(f"path:{written(name, tmp_path)}") as subject:
        verdicts = [verdict(subject, check, CHECKS[check]) for check in checks]
    assert [str(found) for found in verdicts if not found.holds] == []


def test_weights_of_the_largest_degree_sum_to_one(tmp_path: Path) -> None:
    weights = method_of_file(written("max_degree.py", tmp_path)).weighing
    heard = [Heard(Message(sender, 1, (), 1.0)) for sender in (0, 1)]
    assert weights.of(0, heard, {0: 2, 1: 1, 2: 3}) == [0.75, 0.25]
    late = [heard[0], Heard(heard[1].message, age=1, freshness=0.5)]
    assert weights.of(0, late, {0: 2, 1: 1, 2: 3}) == [0.875, 0.125]
