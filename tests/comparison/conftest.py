"""Run directories written by hand, in a folder of the test's own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cosim.trace.reader import Run
from tests.comparison.by_hand import write_run


@pytest.fixture
def by_hand(tmp_path: Path) -> Callable[..., Run]:
    """Writes a run of given accuracies, as `write_run` does."""
    return partial(write_run, tmp_path)
