"""A method on trial: learners of it over a tiny model, each as a process of its own has it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.contract.tiny_model import save_tiny_model
from cosim.methods.method import Method
from cosim.methods.outside import forget
from cosim.scenario.method import read_method
from cosim.scenario.model import Scenario
from cosim.simulation.agreement import settled

if TYPE_CHECKING:
    from cosim.learning.base.base_model import BaseModel
    from cosim.learning.data.pool import TaskPool
    from cosim.learning.learner import ModelLearner

# Three devices of two tasks: the fewest with an inbox that has a middle.
TASKS = ("sums", "products", "sums")
DEVICES = tuple(range(len(TASKS)))
# Each is the neighbour of all others.
GRAPH = {device: tuple(other for other in DEVICES if other != device) for device in DEVICES}


@dataclass(frozen=True)
class MethodUnderTest:
    """A method under test is what the checks try, with what they try it on.

    written: the method as it was asked for, `path:my_method.py`.
    scenario: a tiny one that plays it.
    base, pools: what its devices learn from.
    folder: a temporary one, for whatever a check writes.
    ranks: of the devices, by id; None: all have the scenario's.
    """

    written: str
    scenario: Scenario
    base: BaseModel
    pools: dict[str, TaskPool]
    folder: Path
    ranks: tuple[int, ...] | None = None

    @property
    def method(self) -> Method:
        """The method that is tried."""
        return self.scenario.method

    def learner(self, *, anew: bool = False, steps: int = 2) -> ModelLearner:
        """A learner of three devices at the start.

        anew: the method's file, or its package, is executed again, as another process would do it;
        steps: of a local fine-tuning.
        """
        from cosim.learning.learner import ModelLearner

        method = self.method
        if anew and method.origin is not None:
            forget(method.origin)
            method = read_method(self.written)
        training = self.scenario.training.model_copy(update={"steps": steps})
        seed, adapter = self.scenario.seed, self.scenario.adapter
        method = settled(self.scenario.model_copy(update={"method": method}))[0].method
        # A learner wraps the modules of its model.
        base = replace(self.base, model=copy.deepcopy(self.base.model))
        parts = base, method, adapter, training, self.pools, TASKS, seed
        return ModelLearner(*parts, ranks=self.ranks)


@contextmanager
def on_trial(written: str) -> Iterator[MethodUnderTest]:
    """The subject of a method as a scenario names it, with files that are gone afterwards.

    Raises MethodError for one that cannot be used.
    """
    method = read_method(written)

    import torch

    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory(prefix="cosim-contract-") as folder:
        torch.set_num_threads(1)  # threads cost more than they save on a model this small
        try:
            yield _subject(written, method, Path(folder))
        finally:
            torch.set_num_threads(threads)


def _subject(written: str, method: Method, folder: Path) -> MethodUnderTest:
    from cosim.learning.base.base_model import load
    from cosim.learning.prepare import read_tasks, refuse_unplayable

    (folder / "model").mkdir()
    save_tiny_model(folder / "model")
    scenario = _scenario(method, folder / "model")
    base = load(scenario.base_model.source, scenario.base_model.dtype)
    pools = read_tasks(scenario, base.tokenizer)
    refuse_unplayable(scenario, base.model, base.tokenizer, pools)
    return MethodUnderTest(written, scenario, base, pools, folder)


def _scenario(method: Method, model: Path) -> Scenario:
    """Four phones on a square of 50 m, so near that hardly a message is lost."""
    # Rates at which the loss of so small a model falls within some steps.
    steps: dict[str, Any] = {"learning_rate": 0.01}
    if method.needs_sgd:
        steps = {"learning_rate": 0.3, "optimizer": "sgd"}
    return Scenario.model_validate(
        {
            "name": "contract",
            "seed": 1,
            "rounds": 3,
            "method": method,
            "base_model": {"source": f"path:{model}", "dtype": "float32"},
            "adapter": {"rank": 2, "alpha": 4, "density": 0.1},
            "tasks": {
                "sums": {
                    "dataset": "chain_sum",
                    "samples": 60,
                    "parameters": {"max_terms": 2, "max_digits": 1},
                },
                "products": {
                    "dataset": "products",
                    "samples": 60,
                    "parameters": {"max_digits": 1},
                },
            },
            "training": {"steps": 2, "batch_size": 3, "max_tokens": 200, **steps},
            "evaluation": {"samples": 3},
            "devices": [{"count": 4, "profile": "flagship_phone", "mobility": "static"}],
            "area": {"shape": "square", "side_m": 50},
            "trace": {"diagnostics": True},
        }
    )
