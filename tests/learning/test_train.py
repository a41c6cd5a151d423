"""Grouped training against training alone, against PEFT, and against its own definition."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from cosim.errors import CosimError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import BaseModel, load
from cosim.learning.data.encoding import Encoded
from cosim.learning.training.lesson import Lesson
from cosim.learning.training.trainer import GroupTrainer, TrainingSettings
from cosim.learning.training.working_copies import WorkingCopies
from cosim.methods.adapter import Adapter
from cosim.methods.expansion.dense import Dense
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.expansion.magnitude_mask import MagnitudeMask
from cosim.methods.layout import Layout
from cosim.methods.projection.gaussian import gaussian_projection

RANK = 4
ALPHA = 8.0


def settings(**changes: Any) -> TrainingSettings:
    base = {
        "scale": ALPHA / RANK,
        "density": 0.25,
        "learning_rate": 1e-2,
        "optimizer": "adamw",
        "weight_decay": 0.0,
        "trainable_projection": False,
        "expansion": GradientMask(),
    }
    return TrainingSettings(**{**base, **changes})


@pytest.fixture(scope="module")
def base(tiny_llama: Path) -> BaseModel:
    return load(f"path:{tiny_llama}", "float32")


@pytest.fixture(scope="module")
def adapted(base: BaseModel) -> AdaptedModel:
    return AdaptedModel(copy.deepcopy(base.model))


@pytest.fixture(scope="module")
def layout(adapted: AdaptedModel) -> Layout:
    return Layout(adapted.modules, RANK)


def rows(seed: int, count: int, longest: int = 12) -> tuple[Encoded, ...]:
    random = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        prompt = random.integers(5, 200, random.integers(2, longest))
        answer = random.integers(5, 200, random.integers(1, 4))
        out.append(Encoded(tuple(prompt.tolist()), tuple(answer.tolist())))
    return tuple(out)


def lesson(
    layout: Layout, number: int, *, masked: bool = True, steps: int = 3, batch: Any = 3
) -> Lesson:
    A = gaussian_projection(layout, 7, number)
    if masked:
        adapter = Adapter(torch.zeros(0), torch.zeros(0, dtype=torch.long), A)
    else:
        adapter = Adapter(torch.zeros(layout.expansion_size), None, A)
    return Lesson(adapter, tuple(rows(100 * number + k, batch) for k in range(steps)))


def largest(layout: Layout, gradient: Tensor, density: float) -> Tensor:
    """What a gradient mask of this density keeps where the first gradient is this."""
    trainer: Any = SimpleNamespace(
        layout=layout, optimizer="adamw", first_gradients=lambda: iter([gradient])
    )
    (support,) = GradientMask().choose(trainer, [GradientMask().planned(layout, density, None)])
    return support


def assert_same(first: Any, second: Any, rtol: float = 2e-4) -> None:
    """Equal up to float32 sums in another order, which AdamW's division amplifies where a
    gradient is near zero: compare in the size of the whole vector."""
    for a, b in ((first.values, second.values), (first.projection, second.projection)):
        assert torch.linalg.vector_norm(a - b) <= rtol * torch.linalg.vector_norm(b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"expansion": Dense()},
        {"expansion": Dense(), "trainable_projection": True},
        {"optimizer": "sgd", "learning_rate": 0.5},
        {"weight_decay": 0.1},
        {"expansion": MagnitudeMask()},
        {"expansion": GradientMask(ranked_by="first_step")},
    ],
)
def test_a_group_trains_each_device_as_it_would_alone(
    adapted: AdaptedModel, layout: Layout, kind: Any
) -> None:
    chosen = settings(**kind)
    trainer = GroupTrainer(adapted, layout, torch.float32, chosen)
    lessons = [lesson(layout, n, masked=chosen.expansion.masked, batch=2 + n) for n in range(3)]
    together = trainer.train(lessons)
    for one, outcome in zip(lessons, together, strict=True):
        (alone,) = trainer.train([one])
        assert outcome.loss == pytest.approx(alone.loss, rel=1e-5)
        if chosen.expansion.masked:
            assert outcome.adapter.support is not None
            assert alone.adapter.support is not None
            assert torch.equal(outcome.adapter.support, alone.adapter.support)
        assert_same(outcome.adapter, alone.adapter)


def test_moments_that_are_reset_begin_anew_in_every_lesson(
    adapted: AdaptedModel, layout: Layout
) -> None:
    parts: Any = {"expansion": Dense(), "trainable_projection": True}
    anew = GroupTrainer(adapted, layout, torch.float32, settings(**parts, keeps_moments=False))
    kept = GroupTrainer(adapted, layout, torch.float32, settings(**parts))
    given = lesson(layout, 1, masked=False)
    (first,), (whole,) = anew.train([given]), kept.train([given])
    assert first.adapter.moments == {}
    assert set(whole.adapter.moments) == {"A", "B"}
    assert torch.equal(first.adapter.values, whole.adapter.values)
    second = replace(lesson(layout, 2, masked=False), adapter=first.adapter)
    went_on = replace(second, adapter=whole.adapter)
    blank = replace(second, adapter=replace(whole.adapter, moments={}))
    (found,), (expected,), (other,) = (
        anew.train([second]),
        kept.train([blank]),
        kept.train([went_on]),
    )
    assert torch.equal(found.adapter.values, expected.adapter.values)
    assert not torch.equal(found.adapter.values, other.adapter.values)


def test_training_leaves_the_given_adapters_untouched(
    adapted: AdaptedModel, layout: Layout
) -> None:
    trainer = GroupTrainer(adapted, layout, torch.float32, settings(trainable_projection=True))
    given = lesson(layout, 1, masked=False)
    before = given.adapter.projection.clone()
    trainer.train([given])
    assert torch.equal(given.adapter.projection, before)
    assert not given.adapter.values.any()


def test_density_one_is_dense_training(adapted: AdaptedModel, layout: Layout) -> None:
    dense = GroupTrainer(adapted, layout, torch.float32, settings(expansion=Dense()))
    full = GroupTrainer(adapted, layout, torch.float32, settings(density=1.0))
    (a,) = dense.train([lesson(layout, 1, masked=False)])
    (b,) = full.train([lesson(layout, 1)])
    assert b.adapter.support is not None
    assert torch.equal(b.adapter.support, torch.arange(layout.expansion_size))
    assert torch.equal(a.adapter.values, b.adapter.values)
    assert a.loss == b.loss


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_one_device_trains_as_peft_does(
    base: BaseModel, adapted: AdaptedModel, layout: Layout, optimizer: str
) -> None:
    """A and B trained on every linear layer, two rounds, against peft and torch.optim."""
    from peft import LoraConfig, get_peft_model

    chosen = settings(
        expansion=Dense(),
        trainable_projection=True,
        optimizer=optimizer,
        learning_rate=5e-3 if optimizer == "adamw" else 0.3,
        weight_decay=0.05,
    )
    trainer = GroupTrainer(adapted, layout, torch.float32, chosen)
    first = lesson(layout, 1, masked=False)
    (halfway,) = trainer.train([first])
    second = Lesson(halfway.adapter, lesson(layout, 2).batches)
    (ours,) = trainer.train([second])

    config = LoraConfig(
        r=RANK, lora_alpha=int(ALPHA), target_modules="all-linear", lora_dropout=0.0
    )
    model = get_peft_model(copy.deepcopy(base.model), config)
    factors = peft_factors(model, layout)
    pairs = layout.pairs(first.adapter.projection, torch.zeros(layout.expansion_size))
    with torch.no_grad():
        for (A, B), (a, _) in zip(factors, pairs, strict=True):
            A.copy_(a[0])
            B.zero_()
    parameters = [value for pair in factors for value in pair]
    kind = torch.optim.AdamW if optimizer == "adamw" else torch.optim.SGD
    theirs = kind(parameters, lr=chosen.learning_rate, weight_decay=0.05)
    losses = [peft_step(model, theirs, batch) for batch in first.batches + second.batches]

    assert ours.loss == pytest.approx(np.mean(losses[3:]), rel=1e-5)
    trained = layout.pairs(ours.adapter.projection, ours.adapter.values)
    for (A, B), (a, b) in zip(factors, trained, strict=True):
        torch.testing.assert_close(a[0], A.detach(), rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(b[0], B.detach(), rtol=1e-3, atol=1e-5)


def peft_factors(model: Any, layout: Layout) -> Any:
    out = []
    for module in layout.modules:
        layer = model.get_submodule(f"base_model.model.{module.name}")
        out.append((layer.lora_A["default"].weight, layer.lora_B["default"].weight))
    return out


def peft_step(model: Any, optimiser: Optimizer, batch: Any) -> float:
    """One step of plain transformers and peft: labels on the answer tokens, mean over them."""
    width = max(len(row.prompt) + len(row.answer) for row in batch)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    labels = torch.full((len(batch), width), -100)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    for number, row in enumerate(batch):
        tokens = torch.tensor(row.prompt + row.answer)
        ids[number, : len(tokens)] = tokens
        mask[number, : len(tokens)] = 1
        labels[number, len(row.prompt) : len(tokens)] = torch.tensor(row.answer)
    optimiser.zero_grad()
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    optimiser.step()
    return float(loss.item())


def test_the_mask_is_the_largest_gradients_of_each_module(layout: Layout) -> None:
    random = torch.Generator().manual_seed(3)
    gradient = torch.randn(layout.expansion_size, generator=random)
    support = largest(layout, gradient, 0.1)
    assert torch.equal(support, support.sort().values)
    start = 0
    for size in layout.expansion_sizes:
        own = support[(support >= start) & (support < start + size)] - start
        assert len(own) == max(1, round(0.1 * size))
        magnitude = gradient[start : start + size].abs()
        rest = torch.ones(size, dtype=torch.bool)
        rest[own] = False
        assert magnitude[own].min() >= magnitude[rest].max()
        start += size


def test_equal_gradients_go_to_the_lower_positions(layout: Layout) -> None:
    support = largest(layout, torch.ones(layout.expansion_size), 0.05)
    first = layout.expansion_sizes[0]
    kept = max(1, round(0.05 * first))
    assert support[:kept].tolist() == list(range(kept))


def test_the_gaussian_projection_has_variance_one_over_k(layout: Layout) -> None:
    flat = gaussian_projection(layout, 1, 0)
    start = 0
    for module, size in zip(layout.modules, layout.projection_sizes, strict=True):
        values = flat[start : start + size].double() * np.sqrt(module.in_features)
        # The mean of z² over n draws has the standard error √(2/n); 5 of them.
        assert abs(float((values**2).mean()) - 1) < 5 * np.sqrt(2 / size)
        start += size
    assert torch.equal(flat, gaussian_projection(layout, 1, 0))
    assert not torch.equal(flat, gaussian_projection(layout, 1, 1))


def test_out_of_memory_halves_the_pass_and_goes_on(
    adapted: AdaptedModel,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lessons = [lesson(layout, number) for number in range(3)]
    wanted = GroupTrainer(adapted, layout, torch.float32, settings()).train(lessons)
    scored, most = AdaptedModel.scored, 40

    def short(self: AdaptedModel, packed: Any, *adapters: Any) -> Any:
        if packed.ids.numel() > most:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")
        return scored(self, packed, *adapters)

    monkeypatch.setattr(AdaptedModel, "scored", short)
    with pytest.raises(CosimError, match="memory does not suffice for 64 tokens"):
        GroupTrainer(adapted, layout, torch.float32, settings()).train(lessons)
    most = 70
    assert sum(row.tokens for one in lessons for row in one.batches[0]) > most
    trainer = GroupTrainer(adapted, layout, torch.float32, settings())
    caplog.clear()
    for before, after in zip(wanted, trainer.train(lessons), strict=True):
        assert_same(before.adapter, after.adapter)
    told = [record.getMessage() for record in caplog.records]
    assert told[-1] == "out of memory: from here on at most 64 tokens at once"

    def broken(self: AdaptedModel, packed: Any, *adapters: Any) -> Any:
        raise RuntimeError("a shape does not fit")

    monkeypatch.setattr(AdaptedModel, "scored", broken)
    with pytest.raises(RuntimeError, match="a shape"):
        trainer.train(lessons)


def test_a_frozen_projection_of_all_is_held_once(layout: Layout) -> None:
    first, second = (gaussian_projection(layout, 7, number) for number in (1, 2))
    for projections, projected, held in (
        ([first, first.clone(), first], False, 1),
        ([first, second, first], False, 3),
        ([first, first, first], True, 3),
    ):
        adapters = [Adapter(torch.zeros(layout.expansion_size), None, A) for A in projections]
        chosen = settings(trainable_projection=projected)
        copies = WorkingCopies(layout, adapters, torch.float32, torch.device("cpu"), chosen)
        for (A, B), part in zip(copies.pairs, first.split(layout.projection_sizes), strict=True):
            assert (A.shape[0], B.shape[0]) == (held, 3)
            assert torch.equal(A[0].flatten(), part)
