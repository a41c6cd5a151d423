"""A checkpoint or a journal that is damaged costs time and no result."""

from pathlib import Path
from typing import Any

import pytest

from cosim.lifecycle.play import resume
from tests.lifecycle.runs_cut_off import everything, index_of, shorten, spoil


@pytest.mark.slow
@pytest.mark.parametrize("damage", [shorten, spoil, Path.unlink])
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_where_the_last_checkpoint_is_damaged_the_one_before_is_used(
    cut: Any, caplog: pytest.LogCaptureFixture, damage: Any, suffix: str
) -> None:
    run, whole = cut
    if (damage, suffix) == (spoil, ".json"):
        damage = shorten
    last = index_of(run)
    damage(last.with_suffix(suffix))
    with caplog.at_level("INFO", "cosim"):
        resume(run, spacing=0)
    assert f"resuming {run} from checkpoint {int(last.stem) - 1}" in caplog.text
    assert everything(run) == whole


@pytest.mark.slow
def test_a_torn_end_of_the_journal_is_cut_off(cut: Any) -> None:
    run, whole = cut
    with (run / "checkpoint" / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('[[3.2,"submit",1')
    resume(run, spacing=0)
    assert everything(run) == whole


@pytest.mark.slow
def test_without_a_whole_checkpoint_a_run_begins_anew(cut: Any) -> None:
    run, whole = cut
    spoil(run / "checkpoint" / "journal.jsonl")
    resume(run, spacing=0)
    assert everything(run) == whole
