"""What a page says of several runs is what `cosim compare` says of them."""

import re
from collections.abc import Sequence
from pathlib import Path

from cosim.comparison.groups import compare
from cosim.comparison.table import tables
from cosim.reporting.beside import comparison_section
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
