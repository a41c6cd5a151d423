"""A scenario of a tiny model, made ready once."""

from pathlib import Path

import pytest

from cosim.profiling import measure
from cosim.profiling.bench import Bench, Exercise
from cosim.scenario.model import Scenario
from tests.profiling.lawful import lawful_s


@pytest.fixture(scope="session")
def chosen(tiny_llama: Path) -> Scenario:
    """Additions, at rank 4 and four rows a step."""
    return Scenario.model_validate(
        {
            "name": "tiny",
            "rounds": 1,
            "method": "proposed_single_cluster",
            "base_model": {"source": f"path:{tiny_llama}", "dtype": "float32"},
            "adapter": {"rank": 4},
            "tasks": {"sums": {"dataset": "chain_sum", "samples": 40}},
            "training": {"batch_size": 4},
            "devices": [{"count": 1}],
            "evaluation": {"samples": 8},
        }
    )


@pytest.fixture(scope="session")
def bench(chosen: Scenario) -> Bench:
    """The tiny model made ready."""
    return Bench(chosen)


@pytest.fixture
def lawful_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job takes as long as the law says, and is not trained."""

    def seconds_of(exercise: Exercise) -> float:
        return lawful_s(exercise.work)

    monkeypatch.setattr(measure, "seconds_of", seconds_of)
