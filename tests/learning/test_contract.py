"""What holds for every method, whoever wrote it: the registered ones, and some of nobody's."""

import functools
import math
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import Learner
from cosim.learning.training.lesson import Lesson
from cosim.methods import METHODS
from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.data.own import Own
from cosim.methods.message import Common, Mask, Said, Seed, Values
from cosim.methods.method import Method
from tests.learning.golden_states import methods_drawn
from tests.learning.small_learners import mixed, one_round, small_learner, small_pools, tuned

DRAWN, SEED = 12, 20
ALL = {**METHODS} | {
    f"drawn-{n}": Method.model_validate(parts) for n, parts in enumerate(methods_drawn(DRAWN, SEED))
}


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., Learner]:
    return functools.partial(small_learner, tiny_llama, pools)


every_method = pytest.mark.parametrize("recipe", ALL.values(), ids=ALL)


def state(learner: Learner) -> list[tuple[Tensor, Tensor]]:
    return [(a.values.clone(), a.projection.clone()) for a in learner.fleet.adapters]


def equal(first: Any, second: Any) -> bool:
    return all(
        torch.equal(a, c) and torch.equal(b, d)
        for (a, b), (c, d) in zip(first, second, strict=True)
    )


@every_method
def test_runs_and_learns(make: Callable[..., Learner], recipe: Method) -> None:
    learner = make(recipe)
    losses = []
    for number in range(1, 5):
        jobs = [learner.submit(device, number) for device in range(3)]
        assert all(job.work.flop > 0 for job in jobs)
        of_round, updates = [], []
        for device, job in enumerate(jobs):
            of_round.append(job.result().loss)
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
    make: Callable[..., Learner], recipe: Method
) -> None:
    first, second = make(recipe), make(recipe)
    for learner in (first, second):
        one_round(learner)
        one_round(learner, 2)
    assert equal(state(first), state(second))


@every_method
def test_the_update_is_zero_at_the_start(make: Callable[..., Learner], recipe: Method) -> None:
    learner = make(recipe)
    for device in range(3):
        assert not learner.fleet.adapters[device].expansion(learner.layout).any()
    found = learner.evaluate(range(3)).measurements
    scores = {(m.task, m.score.metric, m.score.value) for m in found}
    assert len(scores) == len({(m.task, m.score.metric) for m in found}), "all answer as the base"


def bits_of(content: Iterable[Said], known: Collection[str] = ()) -> float:
    """Bits of what is said, worked out from the content alone, at 16 bits a value."""
    total = 0.0
    for said in content:
        if said.once and said.name in known:
            continue
        match said:
            case Values():
                total += 16 * said.values.numel()
            case Mask():
                starts = np.cumsum([0, *said.sizes])
                kept = np.histogram(said.support.numpy(), starts)[0]
                shares = kept / said.sizes
                coded = said.sizes * entropy([shares, 1 - shares], base=2, axis=0)
                total += np.ceil(coded.round(6)).sum()
            case Seed():
                total += 64
            case Common():
                pass
            case _:
                pytest.fail(f"content of a kind that nobody charges: {said}")
    return total


@every_method
def test_payload_bits_follow_from_the_content(make: Callable[..., Learner], recipe: Method) -> None:
    learner = make(recipe)
    updates = one_round(learner, arrives=lambda src, dst: (src, dst) == (0, 1))
    for update in updates:
        assert torch.equal(update.values, update.values.half().float())
        names = {said.name for said in update.content}
        assert len(names) == len(update.content)
        for receiver in {0, 1, 2} - {update.device}:
            # Only what arrived has told what is told once.
            arrived = (update.device, receiver) == (0, 1) and recipe.aggregation.exchanges
            expected = bits_of(update.content, names if arrived else ())
            assert learner.post.payload_bits(update, receiver) == expected


@every_method
def test_bits_before_a_first_round_are_those_of_its_messages(
    make: Callable[..., Learner], recipe: Method
) -> None:
    """But for a mask whose modules the first round alone decides."""
    learner = make(recipe)
    for device in range(3):
        if (job := learner.submit(device, 0)) is not None:
            job.result()
    planned = learner.describe(range(3)).first_bits
    updates = one_round(learner, arrives=lambda src, dst: False)
    slack = 0.02 if recipe.expansion.warms_up else 0.0
    for update, bits in zip(updates, planned, strict=True):
        receiver = (update.device + 1) % 3
        assert learner.post.payload_bits(update, receiver) == pytest.approx(bits, rel=slack, abs=0)


# Two blocks of 32 wide q, k (half), v (half), o, gate and up to 64, down; rank 2, a tenth kept.
INPUTS = 2 * (32 + 32 + 32 + 64)  # of q, k, v; of o; of gate, up; of down
A_VALUES = 2 * 2 * (6 * 32 + 64)


@pytest.mark.parametrize("name", ["lora", "proposed", "proposed_literal", "full_finetune"])
def test_bits_by_hand(make: Callable[..., Learner], name: str) -> None:
    learner = make(METHODS[name])
    sizes = [module.out_features * 2 for module in learner.layout.modules]
    (update, *_) = one_round(learner, arrives=lambda src, dst: False)
    kept = update.values.numel()
    if name == "full_finetune":
        assert kept == sum(v.numel() for v in learner.base.model.parameters())
        wanted = 16 * kept
    elif name == "lora":
        assert kept == sum(sizes)
        wanted = 16 * (sum(sizes) + A_VALUES)
    elif name == "proposed":
        assert kept == round(0.1 * sum(sizes))
        parts = zip(sizes, (layer.active for layer in learner.fleet.layers(0)), strict=True)
        masks = sum(math.ceil(n * entropy([k / n, 1 - k / n], base=2) - 1e-9) for n, k in parts)
        # h at two blocks of width 32, and the seed.
        wanted = 16 * (kept + 2 * 32) + masks + 64
    else:
        assert kept == sum(sizes)
        wanted = 16 * (kept + INPUTS) + 64
    assert learner.post.payload_bits(update, 1) == wanted


@every_method
def test_an_empty_inbox_changes_nothing(make: Callable[..., Learner], recipe: Method) -> None:
    learner = make(recipe)
    for device in range(3):
        learner.submit(device, 1).result()
    before = state(learner)
    for device in range(3):
        mixed(learner, device, {}, {})
    assert equal(before, state(learner))
    assert learner.evaluate(range(3)).measurements


@every_method
def test_a_discarded_job_leaves_no_trace(make: Callable[..., Learner], recipe: Method) -> None:
    disturbed, undisturbed = make(recipe), make(recipe)
    kept = [disturbed.submit(device, 1) for device in range(3)]
    kept[1].discard()
    kept[0].result()
    kept[2].result()
    for device in (0, 2):
        undisturbed.submit(device, 1).result()
    assert not disturbed.fleet.adapters[1].values.any()
    late = disturbed.submit(1, 2)
    disturbed.submit(0, 2).result()  # settles both
    late.discard()
    assert not disturbed.fleet.adapters[1].values.any()
    assert not disturbed.fleet.banks[1]
    for (a, _), (b, _) in zip(state(disturbed)[1:], state(undisturbed)[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


@every_method
def test_the_result_does_not_depend_on_who_asks_first(
    make: Callable[..., Learner], recipe: Method
) -> None:
    forward, backward = make(recipe), make(recipe)
    jobs = [forward.submit(device, 1) for device in range(3)]
    for job in jobs:
        job.result()
    jobs = [backward.submit(device, 1) for device in (2, 0, 1)]
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
    make: Callable[..., Learner], recipe: Method
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
    make: Callable[..., Learner],
) -> None:
    learner = make(METHODS["proposed_single_cluster"], bits_per_value=32)
    updates = one_round(learner)
    union = torch.cat([update.support for update in updates])
    for update in updates:
        alone = torch.isin(update.support, union, assume_unique=False) & (
            torch.bincount(union)[update.support] == 1
        )
        assert alone.any()
        assert not alone.all()
        for bank in learner.fleet.banks:
            read = bank[update.device].values
            assert torch.equal(read[alone], update.values[alone])


def test_what_does_not_arrive_is_answered_by_what_came_before(make: Callable[..., Learner]) -> None:
    learner = make(METHODS["proposed_single_cluster"])
    one_round(learner, 1)
    kept = learner.fleet.banks[0][1].values.clone()
    one_round(learner, 2, arrives=lambda src, dst: src != 1)
    assert torch.equal(learner.fleet.banks[0][1].values, kept)
    assert not torch.equal(learner.fleet.banks[1][1].values, kept)


def test_half_precision_on_the_air_is_what_the_receiver_reads(make: Callable[..., Learner]) -> None:
    learner = make(METHODS["lora"], bits_per_value=16)
    (update, *_) = one_round(learner)
    assert torch.equal(update.values, update.values.half().float())
    assert torch.equal(update.projection, update.projection.half().float())


ALONE = {name: recipe for name, recipe in ALL.items() if isinstance(recipe.data, Own)}


@pytest.mark.parametrize("recipe", ALONE.values(), ids=ALONE)
def test_a_device_alone_trains_as_if_there_were_no_network(
    make: Callable[..., Learner], recipe: Method
) -> None:
    learner, plain = (make(recipe, devices=["sums"], bits_per_value=32) for _ in range(2))
    for number in (1, 2, 3):
        learner.submit(0, number).result()
        mixed(learner, 0, {}, {})
    start = plain.fleet.calibrated(0, plain._calibration(0)).adapter
    kept = plain.fleet.planned(0, plain._calibration(0))
    for number in (1, 2, 3):
        (after,) = plain.trainer.train([Lesson(start, plain.batches(0, number), kept)])
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
def test_grouped_equals_one_by_one(make: Callable[..., Learner], recipe: Method) -> None:
    together, apart = make(recipe), make(recipe)
    jobs = [together.submit(device, 1) for device in range(3)]
    losses = [job.result().loss for job in jobs]
    for device in range(3):
        assert apart.submit(device, 1).result().loss == pytest.approx(losses[device], rel=1e-4)
    for (a, A), (b, B) in zip(state(together), state(apart), strict=True):
        assert torch.linalg.vector_norm(a - b) <= 1e-3 * torch.linalg.vector_norm(b)
        assert torch.linalg.vector_norm(A - B) <= 1e-3 * torch.linalg.vector_norm(B)


@every_method
def test_experts_that_cross_over_are_charged_once_and_stay_apart(
    make: Callable[..., Learner], recipe: Method
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
    assert bits > 16 * sum(before[0][owner].values.count_nonzero() for owner in before[0]) * 0.5
    assert learner.fleet.banks[1].get(1) is before[1].get(1)
    assert (1 in before[1]) == recipe.composition.asks_experts
    assert all(learner.fleet.banks[1][owner] is expert for owner, expert in before[0].items())
    assert learner.evaluate([1]).measurements
