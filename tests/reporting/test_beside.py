"""What a page says of several runs is what `cosim compare` says of them."""

import re
from collections.abc import Sequence
from pathlib import Path

from cosim.comparison.groups import compare
from cosim.comparison.table import tables
from cosim.reporting.beside import comparison_section
from cosim.reporting.head import head, verification_note
from cosim.trace.lock import LOCK_FILE, held
from cosim.trace.reader import Run
from tests.comparison.by_hand import write_run


def told(runs: Sequence[Run]) -> str:
    """The section about the runs, as it is read."""
    text = re.sub(r"<[^>]+>", "", str(comparison_section(compare(runs))))
    return text.replace("−", "-")


def test_an_interval_ends_where_its_share_does(tmp_path: Path) -> None:
    reached = {("lora", 1): 0.02, ("lora", 2): 0.11, ("local", 1): 0.97, ("local", 2): 0.5}
    runs = [
        write_run(tmp_path, [accuracy], seed=seed, method=method)
        for (method, seed), accuracy in reached.items()
    ]
    of_groups, differences = tables(compare(runs))
    text = told(runs)
    for table in (of_groups, differences):
        for row in table.rows:
            cell = row[list(table.heads).index("accuracy")].text
            assert " to " in cell
            assert cell in text


def test_a_run_whose_process_was_killed_has_stopped(tmp_path: Path) -> None:
    whole, cut = write_run(tmp_path, [0.5]), write_run(tmp_path, [0.5], seed=2, status="running")
    with held(cut.directory):
        assert compare([whole, cut]).notes == [f"left out, running: {cut.directory}"]
        assert "status is running" in verification_note(cut, verified=True).sentence
        claim = (cut.directory / LOCK_FILE).read_text("utf-8")
    dead = claim.replace('"started_s": ', '"started_s": 1').replace('"since_boot": "', '"s": "')
    (cut.directory / LOCK_FILE).write_text(dead, "utf-8")
    (note,) = compare([whole, cut]).notes
    assert note.startswith(f"left out, stopped: {cut.directory} ")
    assert f"cosim resume {cut.directory}" in note
    verification = verification_note(cut, verified=True)
    assert "status is stopped" in verification.sentence
    assert f"cosim resume {cut.directory}" in str(head(cut, verification))
