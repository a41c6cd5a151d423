"""What holds for every method, whoever wrote it: the registered ones, and some of nobody's."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import ModelLearner
from cosim.learning.training.lesson import Lesson
from cosim.methods import METHODS
from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.data.own import Own
from cosim.methods.method import Method
from tests.learning.every_method import ALL, among, every_method
from tests.learning.small_learners import (
    mixed,
    one_round,
    small_learner,
    small_pools,
    tuned,
    tuning,
)


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    return functools.partial(small_learner, tiny_llama, pools)


def state(learner: ModelLearner) -> list[tuple[Tensor, Tensor]]:
    return [(a.values.clone(), a.projection.clone()) for a in learner.fleet.adapters]


def equal(first: Any, second: Any) -> bool:
    return all(
        torch.equal(a, c) and torch.equal(b, d)
        for (a, b), (c, d) in zip(first, second, strict=True)
    )


@every_method
def test_runs_and_learns(make: Callable[..., ModelLearner], recipe: Method) -> None:
    learner = make(recipe)
    losses = []
    for number in range(1, 5):
        jobs = [tuning(learner, device, number) for device in range(3)]
        assert all(job.work.flop > 0 for job in jobs)
        of_round, updates = [], []
        for device, job in enumerate(jobs):
            loss = job.result().loss
            assert loss is not None
            of_round.append(loss)
            updates.append(learner.post.message(device, number))
        losses.append(np.mean(of_round))
        for device in range(3):
            others = {update.device: update for update in updates if update.device != device}
            mixed(learner, device, others, dict.fromkeys(others, 0))
    # As printed an adapter shrinks by 1/M twice a round, and nothing is promised.
    printed = any(
        getattr(part, name, None) == value
        for part in recipe.parts()
        for name, value in part.printed.items()
    )
    assert losses[-1] < losses[0] or printed or not recipe.weighing.renormalised


@every_method
def test_two_learners_with_one_seed_agree_bit_for_bit(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    first, second = make(recipe), make(recipe)
    for learner in (first, second):
        one_round(learner)
        one_round(learner, 2)
    assert equal(state(first), state(second))


@every_method
def test_the_update_is_zero_at_the_start(make: Callable[..., ModelLearner], recipe: Method) -> None:
    learner = make(recipe)
    for device in range(3):
        assert not learner.fleet.adapters[device].expansion(learner.layout).any()
    found = learner.evaluate(range(3)).measurements
    scores = {(m.task, m.score.metric, m.score.value) for m in found}
    assert len(scores) == len({(m.task, m.score.metric) for m in found}), "all answer as the base"


@every_method
def test_an_empty_inbox_changes_nothing(make: Callable[..., ModelLearner], recipe: Method) -> None:
    learner = make(recipe)
    for device in range(3):
        tuning(learner, device, 1).result()
    before = state(learner)
    for device in range(3):
        mixed(learner, device, {}, {})
    assert equal(before, state(learner))
    assert learner.evaluate(range(3)).measurements


@every_method
def test_a_discarded_job_leaves_no_trace(make: Callable[..., ModelLearner], recipe: Method) -> None:
    disturbed, undisturbed = make(recipe), make(recipe)
    kept = [tuning(disturbed, device, 1) for device in range(3)]
    kept[1].discard()
    kept[0].result()
    kept[2].result()
    for device in (0, 2):
        tuning(undisturbed, device, 1).result()
    assert not disturbed.fleet.adapters[1].values.any()
    late = tuning(disturbed, 1, 2)
    tuning(disturbed, 0, 2).result()  # settles both
    late.discard()
    assert not disturbed.fleet.adapters[1].values.any()
    assert not disturbed.fleet.banks[1]
    for (a, _), (b, _) in zip(state(disturbed)[1:], state(undisturbed)[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


@every_method
def test_the_result_does_not_depend_on_who_asks_first(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    forward, backward = make(recipe), make(recipe)
    jobs = [tuning(forward, device, 1) for device in range(3)]
    for job in jobs:
        job.result()
    jobs = [tuning(backward, device, 1) for device in (2, 0, 1)]
    for job in reversed(jobs):
        job.result()
    assert equal(state(forward), state(backward))


MIXING = [
    recipe
    for recipe in ALL.values()
    if isinstance(recipe.aggregation, Mean)
    and not recipe.expansion.masked
    and recipe.weighing.renormalised
]
assert len(MIXING) > 1


@pytest.mark.parametrize("recipe", MIXING, ids=str)
def test_doubly_stochastic_mixing_keeps_the_mean(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    learner = make(recipe, devices=["sums"] * 3, bits_per_value=32)
    updates = [tuned(learner, learner.submit(device, 1)) for device in range(3)]
    before = torch.stack([update.values for update in updates]).mean(0)
    for device in range(3):
        inbox = {u.device: u for u in updates if u.device != device}
        mixed(learner, device, inbox, dict.fromkeys(inbox, 0))
    after = torch.stack([adapter.values for adapter in learner.fleet.adapters]).mean(0)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-7)


def test_an_expert_outside_every_collision_comes_through_whole(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(METHODS["proposed_single_cluster"], bits_per_value=32)
    updates = one_round(learner)
    supports = [update.support for update in updates if update.support is not None]
    union = torch.cat(supports)
    for update, support in zip(updates, supports, strict=True):
        alone = torch.isin(support, union, assume_unique=False) & (
            torch.bincount(union)[support] == 1
        )
        assert alone.any()
        assert not alone.all()
        for bank in learner.fleet.banks:
            read = bank[update.device].values
            assert torch.equal(read[alone], update.values[alone])


def test_what_does_not_arrive_is_answered_by_what_came_before(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(METHODS["proposed_single_cluster"])
    one_round(learner, 1)
    kept = learner.fleet.banks[0][1].values.clone()
    one_round(learner, 2, arrives=lambda src, dst: src != 1)
    assert torch.equal(learner.fleet.banks[0][1].values, kept)
    assert not torch.equal(learner.fleet.banks[1][1].values, kept)


def test_half_precision_on_the_air_is_what_the_receiver_reads(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(METHODS["lora"], bits_per_value=16)
    (update, *_) = one_round(learner)
    assert torch.equal(update.values, update.values.half().float())
    assert torch.equal(update.projection, update.projection.half().float())


ALONE = [name for name, recipe in ALL.items() if isinstance(recipe.data, Own)]


@pytest.mark.parametrize("recipe", among(ALONE))
def test_a_device_alone_trains_as_if_there_were_no_network(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    learner, plain = (make(recipe, devices=["sums"], bits_per_value=32) for _ in range(2))
    for number in (1, 2, 3):
        tuning(learner, 0, number).result()
        mixed(learner, 0, {}, {})
    start = plain.fleet.calibrated(0, plain._calibration(0)).adapter
    kept = plain.fleet.planned(0, plain._calibration(0))
    for number in (1, 2, 3):
        trains = recipe.projection.trains(number)
        lesson = Lesson(start, plain.batches(0, number), kept, trains=trains)
        (after,) = plain.trainer.train([lesson])
        start = after.adapter
    assert torch.equal(learner.fleet.adapters[0].values, start.values)
    assert torch.equal(learner.fleet.adapters[0].projection, start.projection)
    # Its own expert is all that a gate, an oracle or a mean of experts can ask.
    single = learner.method.model_copy(update={"composition": Single()})
    routed = {
        m.score.metric: m.score.value
        for m in learner.evaluate([0]).measurements
        if m.task == "sums"
    }
    learner.fleet.method = single
    alone = {
        m.score.metric: m.score.value
        for m in learner.evaluate([0]).measurements
        if m.task == "sums"
    }
    assert {**routed, "routing": 1.0} == {**alone, "routing": 1.0}


@every_method
def test_grouped_equals_one_by_one(make: Callable[..., ModelLearner], recipe: Method) -> None:
    together, apart = make(recipe), make(recipe)
    jobs = [tuning(together, device, 1) for device in range(3)]
    losses = [job.result().loss for job in jobs]
    for device in range(3):
        assert tuning(apart, device, 1).result().loss == pytest.approx(losses[device], rel=1e-4)
    for (a, A), (b, B) in zip(state(together), state(apart), strict=True):
        assert torch.linalg.vector_norm(a - b) <= 1e-3 * torch.linalg.vector_norm(b)
        assert torch.linalg.vector_norm(A - B) <= 1e-3 * torch.linalg.vector_norm(B)


@every_method
def test_experts_that_cross_over_are_charged_once_and_stay_apart(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    learner = make(recipe)
    one_round(learner, arrives=lambda src, dst: {src, dst} == {0, 2})
    before = [dict(bank) for bank in learner.fleet.banks]
    bits = learner.post.bank_bits(learner.post.bank(0), 1)
    learner.hear(1, learner.post.bank(0))
    assert learner.post.bank_bits(learner.post.bank(0), 1) == 0
    if not before[0]:
        assert bits == 0
        return
    # Read back whole, two experts may be one average, and nothing be told of them besides.
    assert bits >= 16 * sum(before[0][owner].values.count_nonzero() for owner in before[0]) * 0.5
    assert learner.fleet.banks[1].get(1) is before[1].get(1)
    assert (1 in before[1]) == recipe.composition.asks_experts
    assert all(learner.fleet.banks[1][owner] is expert for owner, expert in before[0].items())
    assert learner.evaluate([1]).measurements
