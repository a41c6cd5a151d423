"""Runs written by hand: two methods over two probabilities and two seeds, and seven methods."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cosim.trace.reader import Run
from tests.comparison.by_hand import write_run

# By method and probability, what two seeds end with; the first accuracy is 0.1.
ENDS = {
    ("lora", 0.05): (0.5, 0.51),
    ("lora", 0.5): (0.6, 0.7),
    ("decaf", 0.05): (0.45, 0.48),
    ("decaf", 0.5): (0.65, 0.86),
}
SEVEN = ("lora", "decaf", "rolora", "ffa_lora", "tad_lora", "local", "proposed")


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Eight runs, of which each evaluates three rounds; read-only."""
    folder = tmp_path_factory.mktemp("swept")
    return [
        write_run(
            folder,
            [0.1, 0.3, end],
            seed=seed,
            method=method,
            graph=f"erdos_renyi, probability: {probability}",
            name=f"{method}-{probability}-{seed}",
        )
        for (method, probability), ends in ENDS.items()
        for seed, end in enumerate(ends, start=1)
    ]


@pytest.fixture(scope="session")
def seven(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A run of each of seven methods; read-only."""
    folder = tmp_path_factory.mktemp("seven")
    return [write_run(folder, [0.0, 0.4, 0.3], method=method) for method in SEVEN]


@pytest.fixture
def by_hand(tmp_path: Path) -> Callable[..., Run]:
    """Writes a run of given accuracies, as `write_run` does."""
    return partial(write_run, tmp_path)
