"""What an aggregation takes off the gradient of each local step, on a real model."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.costs.storage import storage
from cosim.learning.learner import ModelLearner
from cosim.learning.training.lesson import Lesson
from cosim.learning.training.trainer import GroupTrainer
from cosim.methods import FLEXATC, METHODS
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.control_variate import ControlVariate
from cosim.methods.expansion.dense import Dense
from cosim.methods.layout import Layout
from cosim.methods.method import Method
from cosim.methods.projection.gaussian import gaussian_projection
from tests.learning.small_learners import (
    ADAPTER,
    DEVICES,
    PLAIN,
    one_round,
    small_learner,
    small_pools,
    tuning,
)
from tests.learning.test_train import RANK, rows, settings

RATE = 0.3
FULL = FLEXATC.with_(projection="none", expansion="every_parameter")
FROZEN = FLEXATC.with_(projection={"name": "frozen", "seed": "shared"})


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> Any:
    return small_pools(tiny_llama)


@pytest.fixture(scope="module")
def make(tiny_llama: Path, pools: Any) -> Callable[..., ModelLearner]:
    def learner(recipe: Method, **adapter: Any) -> ModelLearner:
        return small_learner(tiny_llama, pools, recipe, **adapter)

    return learner


@pytest.fixture(scope="module")
def trainer(tiny_llama: Path) -> GroupTrainer:
    base = load(f"path:{tiny_llama}", "float32")
    model = AdaptedModel(copy.deepcopy(base.model))
    choice = settings(
        trainable_projection=True, expansion=Dense(), optimizer="sgd", learning_rate=RATE
    )
    return GroupTrainer(model, Layout(model.modules, RANK), torch.float32, choice)


def lesson(layout: Layout, device: int, steps: int = 1) -> Lesson:
    generator = torch.Generator().manual_seed(device)
    B = torch.randn(layout.expansion_size, generator=generator) * 0.1
    batches = tuple(rows(10 * device + step, 2 + device) for step in range(steps))
    return Lesson(Adapter(B, None, gaussian_projection(layout, 3, "shared")), batches)


def corrected(layout: Layout, device: int, names: str, steps: int = 1) -> Lesson:
    generator = torch.Generator().manual_seed(100 + device)
    sizes = {"A": layout.projection_size, "B": layout.expansion_size}
    h = {name: torch.randn(sizes[name], generator=generator) * 0.05 for name in names}
    return replace(lesson(layout, device, steps), correction=h)


def close(found: Tensor, wanted: Tensor, within: float = 1e-5) -> bool:
    return float((found - wanted).abs().max()) <= within * float(wanted.abs().max())


@pytest.mark.parametrize("names", ["A", "B", "AB"])
def test_a_step_is_longer_by_the_rate_times_the_correction(
    trainer: GroupTrainer, names: str
) -> None:
    layout = trainer.layout
    plain = trainer.train([lesson(layout, 1)])[0].adapter
    asked = corrected(layout, 1, names)
    found = trainer.train([asked])[0].adapter
    for name, after, before in (
        ("A", found.projection, plain.projection),
        ("B", found.values, plain.values),
    ):
        h = asked.correction.get(name)
        if h is None:
            assert torch.equal(after, before)
        else:
            assert close(after - before, RATE * h)


def test_each_of_a_group_has_its_own_correction_in_every_step(trainer: GroupTrainer) -> None:
    layout = trainer.layout
    lessons = [corrected(layout, 0, "AB", 3), lesson(layout, 1, 3), corrected(layout, 2, "B", 3)]
    together = trainer.train(lessons)
    for outcome, one in zip(together, lessons, strict=True):
        (alone,) = trainer.train([one])
        assert close(outcome.adapter.values, alone.adapter.values)
        assert close(outcome.adapter.projection, alone.adapter.projection)
        (without,) = trainer.train([replace(one, correction={})])
        same = torch.equal(alone.adapter.values, without.adapter.values)
        assert same == (not one.correction)


def test_full_fine_tuning_is_corrected_as_well(make: Callable[..., ModelLearner]) -> None:
    learner = make(FULL)
    start = learner.fleet.adapters[0]
    h = {"B": torch.full((learner.layout.expansion_size,), 0.01)}
    one = Lesson(start, learner.batches(0, 1)[:1])
    plain, found = (
        learner.trainer.train([each])[0].adapter.values
        for each in (one, replace(one, correction=h))
    )
    assert close(found - plain, RATE * h["B"], 1e-3)


def corrections(learner: ModelLearner) -> dict[str, Tensor]:
    """h of all devices, by factor (M, n)."""
    part = learner.method.aggregation
    of = [part.correction(state) for state in learner.fleet.states]
    return {name: torch.stack([h[name] for h in of]) for name in of[0]}


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("recipe", [FLEXATC, FULL, FROZEN], ids=["trained", "full", "frozen"])
def test_corrections_of_real_rounds_sum_to_zero(
    make: Callable[..., ModelLearner], recipe: Method, bits: int
) -> None:
    """Of all that is trained, also where messages are of half precision."""
    learner = make(recipe, bits_per_value=bits)
    for number in range(1, 4):
        one_round(learner, number)
    found = corrections(learner)
    assert set(found) == ({"A", "B"} if recipe is FLEXATC else {"B"})
    for h in found.values():
        assert float(h.sum(0).abs().max()) < 1e-5 * float(h.abs().max())
        assert all(row.any() for row in h)


def test_devices_that_have_corrections_train_together_as_alone(
    make: Callable[..., ModelLearner],
) -> None:
    together, apart = make(FLEXATC), make(FLEXATC)
    for learner in (together, apart):
        one_round(learner, 1)
    assert all(torch.equal(*pair) for pair in zip(*map(all_of, (together, apart)), strict=True))
    jobs = [tuning(together, device, 2) for device in range(len(DEVICES))]
    for job in jobs:
        job.result()
    for device in range(len(DEVICES)):
        tuning(apart, device, 2).result()
    for found, wanted in zip(all_of(together), all_of(apart), strict=True):
        assert close(found, wanted)


def all_of(learner: ModelLearner) -> list[Tensor]:
    of = [(adapter.values, adapter.projection) for adapter in learner.fleet.adapters]
    return [*(tensor for pair in of for tensor in pair), *corrections(learner).values()]


def test_a_first_round_that_goes_all_the_way_is_that_of_averaging(
    tiny_llama: Path, pools: Any
) -> None:
    """h is still 0; β = 1 is D-SGD, adapt then combine, to float32's rounding."""
    base, adapter = f"path:{tiny_llama}", ADAPTER.model_copy(update={"bits_per_value": 32})
    learner, other = (
        ModelLearner(load(base, "float32"), method, adapter, PLAIN, pools, DEVICES, seed=1)
        for method in (
            FLEXATC.with_(aggregation=ControlVariate(strength=1.0)),
            FLEXATC.with_(aggregation="mean"),
        )
    )
    for each in (learner, other):
        one_round(each)
    for found, wanted in zip(learner.fleet.adapters, other.fleet.adapters, strict=True):
        assert close(found.values, wanted.values)
        assert close(found.projection, wanted.projection)


def test_what_a_device_remembers_is_in_what_it_will_take_of_a_disk(
    make: Callable[..., ModelLearner],
) -> None:
    layout = make(FLEXATC).layout
    plain = storage(layout, METHODS["dec_lora"], [1.0] * 3, (1, 1))
    found = storage(layout, FLEXATC, [1.0] * 3, (1, 1))
    trained = layout.expansion_size + layout.projection_size
    assert found.checkpoint - plain.checkpoint == 3 * 4 * trained
