"""A run is not resumed by another scenario, code, package, format, rows or learner than it had."""

import json
from importlib import metadata
from typing import Any

import pytest

from cosim.errors import RunDirectoryError, ScenarioError
from cosim.lifecycle import provenance
from cosim.lifecycle.journal import Journal
from cosim.lifecycle.play import resume
from tests.lifecycle.runs_cut_off import everything, index_of, refused


def test_a_checkpoint_of_another_format_is_refused(cut: Any) -> None:
    run, _ = cut
    last = index_of(run)
    index = json.loads(last.read_bytes())
    assert index["format"] == 2
    last.write_text(json.dumps(index | {"format": 1}), encoding="utf-8")
    refused(run, "its checkpoint has format 1, and this version of cosim reads format 2")


@pytest.mark.slow
def test_what_has_changed_is_refused_by_name(cut: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, whole = cut
    path = run / "scenario.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("learning_rate: 0.02", "learning_rate: 0.03"), encoding="utf-8")
    refused(run, r"training\.learning_rate is 0\.02 there and 0\.03 here")
    path.write_text("rounds: none", encoding="utf-8")
    refused(run, "rounds", ScenarioError)
    path.write_text(text, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "code", lambda: {"learning": "another digest"})
        refused(run, r"the code of cosim\.learning has changed")
    with monkeypatch.context() as patch:
        patch.setattr(
            provenance, "version", lambda of: "9.9" if of == "numpy" else metadata.version(of)
        )
        refused(run, rf"numpy was {metadata.version('numpy')} and is 9\.9")
    resume(run)
    assert everything(run) == whole
    refused(run, "is completed: there is nothing to resume")


def test_rows_that_have_changed_are_refused(cut: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = cut
    from cosim.learning import prepare

    pools = prepare.read_tasks

    def other(*said: Any) -> Any:
        found = pools(*said)
        first = found["sums"]
        object.__setattr__(first, "train", first.train[::-1])
        return found

    monkeypatch.setattr(prepare, "read_tasks", other)
    refused(run, "the tasks' rows have changed")


def test_a_run_that_goes_another_way_is_refused() -> None:
    told = Journal(iter(()), 0)
    told.answer([0.5, "submit", 1, 2], lambda: [1, 2.5])
    line = "".join(told.fresh)
    again = Journal(iter([line]), 1)
    with pytest.raises(RunDirectoryError, match=r'asks its learner \[0\.5,"submit",1,3\], and bef'):
        again.answer([0.5, "submit", 1, 3], lambda: 0)
    with pytest.raises(RunDirectoryError, match="it ends, and before, 1 calls"):
        Journal(iter([line]), 1).refuse_early_end()
    assert Journal(iter([line]), 1).answer([0.5, "submit", 1, 2], lambda: 0) == [1, 2.5]
