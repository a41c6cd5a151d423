"""Learners over a tiny model, for tests of whole rounds without a network."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cosim.learning.base.base_model import load
from cosim.learning.data.device_rows import CALIBRATION_ROUND
from cosim.learning.data.pool import TaskPool, load_pools
from cosim.learning.jobs import CalibrationJob, FineTuningJob
from cosim.learning.learner import ModelLearner
from cosim.methods.message import Message, Turn
from cosim.methods.method import Method
from cosim.scenario.learning import AdapterChoice, TaskChoice, Training

TASKS = {
    "sums": TaskChoice(
        dataset="chain_sum", samples=60, parameters={"max_terms": 2, "max_digits": 1}
    ),
    "times": TaskChoice(dataset="products", samples=30, parameters={"max_digits": 1}),
}
DEVICES = ["sums", "times", "sums"]
ADAPTER = AdapterChoice(rank=2, alpha=4, density=0.1)
TRAINING = Training(steps=2, batch_size=3, learning_rate=1e-2, max_tokens=200)
# For methods whose steps must be along the gradient.
PLAIN = TRAINING.model_copy(update={"optimizer": "sgd", "learning_rate": 0.3})


def load_pool(
    name: str, task: TaskChoice, tokenizer: Any, *, shares: int = 1, **settings: int
) -> TaskPool:
    """The pool of a task that is alone."""
    return load_pools({name: task}, tokenizer, shares={name: shares}, **settings)[name]


def small_pools(folder: Path) -> dict[str, TaskPool]:
    tokenizer = load(f"path:{folder}", "float32").tokenizer
    return {
        name: load_pool(name, task, tokenizer, seed=1, test_samples=5, max_tokens=200)
        for name, task in TASKS.items()
    }


def small_learner(
    folder: Path,
    pools: dict[str, TaskPool],
    recipe: Method,
    devices: Sequence[str] = DEVICES,
    densities: Sequence[float] | None = None,
    ranks: Sequence[int] | None = None,
    training: Training = TRAINING,
    **adapter: Any,
) -> ModelLearner:
    base = load(f"path:{folder}", "float32")
    choice = ADAPTER.model_copy(update=adapter)
    training = PLAIN if recipe.needs_sgd else training
    return ModelLearner(
        *(base, recipe, choice, training, pools, devices),
        seed=1,
        densities=densities,
        ranks=ranks,
    )


def tuning(learner: ModelLearner, device: int, round_: int) -> FineTuningJob:
    """A device's fine-tuning of a round, which is always there to be done."""
    job = learner.submit(device, round_)
    assert isinstance(job, FineTuningJob)
    return job


def calibrating(learner: ModelLearner, device: int) -> CalibrationJob:
    """A device's calibration alone, which nobody has done yet."""
    job = learner.submit(device, CALIBRATION_ROUND)
    assert isinstance(job, CalibrationJob)
    return job


def tuned(learner: ModelLearner, job: Any) -> Message:
    """What the device says to all others once a fine-tuning has ended."""
    job.result()
    others = [device for device in range(len(learner.tasks)) if device != job.device]
    return learner.post.tell(job.device, Turn(job.round), others)


def mixed(
    learner: ModelLearner, device: int, inbox: Mapping[int, Message], ages: Mapping[int, int]
) -> None:
    """Mixes these into the device's state after its last fine-tuning, without the time that it
    takes."""
    turn = Turn(learner.fleet.adapters[device].round)
    learner.mix(device, inbox, ages, turn, {}).result()


def one_round(
    learner: ModelLearner,
    number: int = 1,
    arrives: Callable[[int, int], bool] = lambda src, dst: True,
) -> list[Message]:
    """All devices fine-tune, then exchange with all others as far as `arrives` lets them."""
    jobs = [learner.submit(device, number) for device in range(len(learner.tasks))]
    updates = [tuned(learner, job) for job in jobs]
    for device in range(len(jobs)):
        inbox = {
            update.device: update
            for update in updates
            if update.device != device and arrives(update.device, device)
        }
        if learner.method.aggregation.exchanges:
            for update in inbox.values():
                learner.hear(device, update)
            mixed(learner, device, inbox, dict.fromkeys(inbox, 0))
    return updates
