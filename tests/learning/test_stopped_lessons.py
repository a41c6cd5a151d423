"""Fine-tunings that are stopped: which blocks a last step trains, alone and side by side."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.execution.executor import InProcess
from cosim.learning.jobs import FineTuningJob
from cosim.learning.learner import ModelLearner
from cosim.learning.learner_state import put_back, take
from cosim.learning.training.lesson import Lesson
from cosim.learning.training.trainer import GroupTrainer
from cosim.methods import METHODS
from cosim.methods.adapter import Adapter, Moments
from cosim.methods.expansion.dense import Dense
from cosim.methods.layout import Layout
from cosim.methods.method import Method
from cosim.methods.projection.gaussian import gaussian_projection
from tests.learning.small_learners import small_learner, small_pools, tuning
from tests.learning.test_train import RANK, rows, settings

BLOCKS, MODULES = 4, 7
SALF = METHODS["salf"]


@pytest.fixture(scope="module")
def four_blocks(llama_of: Callable[[int], Path]) -> Path:
    return llama_of(BLOCKS)


@pytest.fixture(scope="module")
def make(four_blocks: Path) -> Callable[..., GroupTrainer]:
    base = load(f"path:{four_blocks}", "float32")

    def trainer(optimizer: str = "adamw") -> GroupTrainer:
        model = AdaptedModel(copy.deepcopy(base.model))
        choice = settings(
            trainable_projection=True, expansion=Dense(), optimizer=optimizer, weight_decay=0.1
        )
        return GroupTrainer(model, Layout(model.modules, RANK), torch.float32, choice)

    return trainer


def start(layout: Layout, seed: int = 0) -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    B = torch.randn(layout.expansion_size, generator=generator) * 0.1
    return Adapter(B, None, gaussian_projection(layout, 3, "shared"))


def lesson(trainer: GroupTrainer, steps: int, reached: int | None, device: int = 0) -> Lesson:
    batches = tuple(rows(10 * device + step, 2 + device) for step in range(steps))
    return Lesson(start(trainer.layout, device), batches, reached=reached)


def of_blocks(flat: Tensor, sizes: list[int]) -> list[Tensor]:
    parts = flat.split(sizes)
    return [torch.cat(parts[MODULES * n : MODULES * (n + 1)]) for n in range(BLOCKS)]


def vectors(layout: Layout, adapter: Adapter) -> dict[str, list[Tensor]]:
    """Values and moments by block."""
    found = {"B": (adapter.values, layout.expansion_sizes)}
    found["A"] = (adapter.projection, layout.projection_sizes)
    for name, moments in adapter.moments.items():
        found[f"{name}'"] = (moments.first, found[name][1])
        found[f"{name}''"] = (moments.second, found[name][1])
    return {name: of_blocks(*pair) for name, pair in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("reached", range(1, BLOCKS))
@pytest.mark.parametrize("steps", [1, 2])
def test_the_last_step_trains_what_it_reached_and_leaves_the_rest_as_the_step_before(
    make: Callable[..., GroupTrainer], optimizer: str, reached: int, steps: int
) -> None:
    trainer = make(optimizer)
    layout = trainer.layout
    stopped = trainer.train([lesson(trainer, steps, reached)])[0]
    whole = trainer.train([lesson(trainer, steps, None)])[0]
    assert stopped.loss == whole.loss
    if steps == 1:
        before = start(layout)
    else:
        one = lesson(trainer, 1, None)
        before = trainer.train([one])[0].adapter
    found, after, old = (vectors(layout, part) for part in (stopped.adapter, whole.adapter, before))
    for name, of_block in found.items():
        for block, values in enumerate(of_block):
            if block >= BLOCKS - reached:
                torch.testing.assert_close(values, after[name][block], rtol=1e-6, atol=1e-8)
            elif name in old:
                assert torch.equal(values, old[name][block])
            else:
                assert not values.any()
    if optimizer == "adamw":
        few, many = (BLOCKS - reached) * MODULES, reached * MODULES
        expected = (steps - 1,) * few + (steps,) * many
        assert {name: part.steps for name, part in stopped.adapter.moments.items()} == {
            "A": expected,
            "B": expected,
        }


def test_each_block_goes_on_with_the_steps_that_it_took(make: Callable[..., GroupTrainer]) -> None:
    """After a step of the last block alone, a step of all is the first one of the others."""
    trainer = make()
    layout = trainer.layout
    first = trainer.train([lesson(trainer, 1, 1)])[0].adapter
    batches = (rows(77, 2),)
    second = trainer.train([Lesson(first, batches)])[0].adapter
    fresh = trainer.train([Lesson(replace(first, moments={}), batches)])[0].adapter
    found, others = vectors(layout, second), vectors(layout, fresh)
    for name in found:
        for block in range(BLOCKS - 1):
            torch.testing.assert_close(found[name][block], others[name][block])
        assert not torch.allclose(found[name][-1], others[name][-1], rtol=1e-3)
    steps = second.moments["B"].steps
    assert steps == (1,) * (BLOCKS - 1) * MODULES + (2,) * MODULES


def test_equal_steps_are_one_number_again(make: Callable[..., GroupTrainer]) -> None:
    trainer = make()
    adapter = start(trainer.layout)
    moments = {
        name: Moments((4,) * BLOCKS * MODULES, torch.zeros_like(flat), torch.ones_like(flat))
        for name, flat in (("B", adapter.values), ("A", adapter.projection))
    }
    after = trainer.train([Lesson(replace(adapter, moments=moments), (rows(1, 2),))])[0].adapter
    assert {part.steps for part in after.moments.values()} == {5}


def test_side_by_side_each_lesson_ends_as_it_would_alone(
    make: Callable[..., GroupTrainer],
) -> None:
    trainer = make()
    lessons = [lesson(trainer, 2, reached, n) for n, reached in enumerate([None, 1, 3, 2])]
    together = trainer.train(lessons)
    for one, outcome in zip(lessons, together, strict=True):
        alone = trainer.train([one])[0]
        assert outcome.loss == pytest.approx(alone.loss, rel=1e-5)
        assert outcome.adapter.moments["B"].steps == alone.adapter.moments["B"].steps
        pairs = (vectors(trainer.layout, part.adapter) for part in (outcome, alone))
        for of_group, by_itself in zip(*(found.values() for found in pairs), strict=True):
            for a, b in zip(of_group, by_itself, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6)


@pytest.fixture(scope="module")
def learners(four_blocks: Path) -> Callable[..., ModelLearner]:
    pools = small_pools(four_blocks)

    def make(method: Method = SALF, **changes: Any) -> ModelLearner:
        return small_learner(four_blocks, pools, method, **changes)

    return make


def cost_of(learner: ModelLearner, job: FineTuningJob, steps: int, depth: int) -> int:
    """FLOP of so many whole steps and so many blocks of the next, one too few to be a block
    more."""
    work = learner.work.training("AB")
    whole = [work.training_flop([batch]) for batch in job.lesson.batches]
    if steps == len(whole):
        return sum(whole)
    batch = job.lesson.batches[steps]
    head = 2 * sum(len(row.answer) for row in batch) * work.head
    back = (work.backward_of(batch) - head) // BLOCKS
    return sum(whole[:steps]) + work.forward_of(batch) + head + (depth + 1) * back - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "depth", "reached"),
    [(0, 0, 0), (0, 1, 1), (0, 3, 3), (1, 0, None), (1, 2, None), (2, 0, None)],
)
def test_a_job_is_stopped_at_the_step_and_the_block_that_its_flop_come_to(
    learners: Callable[..., ModelLearner], steps: int, depth: int, reached: int | None
) -> None:
    learner = learners()
    before = learner.fleet.states[0].adapter
    job = tuning(learner, 0, 1)
    job.cut(cost_of(learner, job, steps, depth))
    assert job.reached == reached
    assert job.dropped == (reached == 0) == (job not in learner.queue)
    told = job.result()
    assert told.dropped == job.dropped
    after = learner.fleet.states[0].adapter
    if job.dropped:
        assert after is before
        return
    assert len(job.lesson.batches) == steps + (depth > 0)
    twin = learners()
    trainer = twin.trainer
    assert isinstance(trainer, GroupTrainer)
    batches = twin.batches(0, 1)[: steps + (depth > 0)]
    lesson_ = Lesson(twin.fleet.states[0].adapter, batches, reached=depth or None)
    expected = trainer.train([lesson_])[0]
    assert torch.equal(after.values, expected.adapter.values)
    assert told.loss == expected.loss


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora", "local", "lori", "full_finetune", "proposed"])
def test_other_methods_lose_the_round(learners: Callable[..., ModelLearner], name: str) -> None:
    """And whoever was stopped trains in the next one as if there had been none."""
    learner, other = learners(METHODS[name]), learners(METHODS[name])
    job = tuning(learner, 0, 1)
    before = learner.fleet.states[0]
    job.cut(int(job.work.flop) - 1)
    assert job.result().dropped
    assert learner.fleet.states[0] is before
    for each in (learner, other):
        assert not tuning(each, 0, 2).result().dropped
    assert torch.equal(learner.fleet.adapters[0].values, other.fleet.adapters[0].values)


def test_devices_that_were_stopped_end_the_same_in_one_pass_and_one_by_one(
    learners: Callable[..., ModelLearner],
) -> None:
    found = []
    for devices_per_pass in (16, 1):
        learner = learners()
        learner.devices_per_pass, learner.executor = devices_per_pass, InProcess()
        jobs = [tuning(learner, device, 1) for device in range(3)]
        for device, (steps, depth) in enumerate([(0, 2), (0, 3), (1, 1)]):
            jobs[device].cut(cost_of(learner, jobs[device], steps, depth))
        for job in jobs:
            job.result()
        found.append(learner.fleet.adapters)
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a.values, b.values, rtol=1e-4, atol=2e-6)
        torch.testing.assert_close(a.projection, b.projection, rtol=1e-4, atol=2e-6)
        assert a.moments["A"].steps == b.moments["A"].steps


@pytest.mark.parametrize(("steps", "depth"), [(0, 0), (0, 2), (1, 3)])
def test_an_open_job_that_was_stopped_is_stored_and_put_back(
    learners: Callable[..., ModelLearner], steps: int, depth: int
) -> None:
    learner, other = learners(), learners()
    job = tuning(learner, 0, 1)
    job.cut(cost_of(learner, job, steps, depth))
    state, tensors = take(learner, {4: job}, {})
    jobs, _ = put_back(other, json.loads(json.dumps(state)), tensors)
    assert (jobs[4] in other.queue) == (job in learner.queue)
    assert jobs[4].result() == job.result()
    found, expected = (each.fleet.states[0] for each in (other, learner))
    assert torch.equal(found.adapter.values, expected.adapter.values)
    kept = [state.memory["aggregation"] for state in (found, expected)]
    for name in ("reached", "spoken", "counts"):
        assert kept[0][name] == kept[1][name]
