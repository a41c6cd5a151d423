"""Learners over a tiny model, for tests of whole rounds without a network."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cosim.learning.base.base_model import load
from cosim.learning.data.pool import TaskPool, load_pool
from cosim.learning.federation.aggregation import Update
from cosim.learning.learner import Learner
from cosim.methods.recipe import Recipe
from cosim.scenario.learning import Adapter, Task, Training

TASKS = {
    "sums": Task(dataset="chain_sum", samples=60, parameters={"max_terms": 2, "max_digits": 1}),
    "times": Task(dataset="products", samples=30, parameters={"max_digits": 1}),
}
DEVICES = ["sums", "times", "sums"]
ADAPTER = Adapter(rank=2, alpha=4, density=0.1)
TRAINING = Training(steps=2, batch_size=3, learning_rate=1e-2, max_tokens=200)


def small_pools(folder: Path) -> dict[str, TaskPool]:
    tokenizer = load(f"path:{folder}", "float32").tokenizer
    return {
        name: load_pool(name, task, tokenizer, seed=1, test_samples=5, max_tokens=200)
        for name, task in TASKS.items()
    }


def small_learner(
    folder: Path,
    pools: dict[str, TaskPool],
    recipe: Recipe,
    devices: Sequence[str] = DEVICES,
    densities: Sequence[float] | None = None,
    **adapter: Any,
) -> Learner:
    base = load(f"path:{folder}", "float32")
    choice = ADAPTER.model_copy(update=adapter)
    return Learner(base, recipe, choice, TRAINING, pools, devices, seed=1, densities=densities)


def one_round(
    learner: Learner, number: int = 1, arrives: Callable[[int, int], bool] = lambda src, dst: True
) -> list[Update]:
    """All devices fine-tune, then exchange with all others as far as `arrives` lets them."""
    jobs = [learner.submit(device, number) for device in range(len(learner.tasks))]
    updates = [job.result().update for job in jobs]
    for device in range(len(jobs)):
        inbox = {
            update.device: update
            for update in updates
            if update.device != device and arrives(update.device, device)
        }
        if learner.recipe.aggregation != "none":
            for update in inbox.values():
                learner.hear(device, update)
            learner.aggregate(device, inbox, dict.fromkeys(inbox, 0))
    return updates
