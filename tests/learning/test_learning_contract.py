"""What holds for every registered method, whoever wrote it."""

import numpy as np
import pytest
import torch

from cosim.learning.base_model import load
from cosim.learning.learner import Learner
from cosim.learning.payload import SEED_BITS, mask_bits
from cosim.learning.tasks.pool import load_pool
from cosim.methods import METHODS
from cosim.methods.recipe import Recipe
from cosim.scenario.learning import Adapter, Task, Training

TASKS = {
    "sums": Task(dataset="chain_sum", samples=60, parameters={"max_terms": 2, "max_digits": 1}),
    "times": Task(dataset="products", samples=30, parameters={"max_digits": 1}),
}
DEVICES = ["sums", "times", "sums"]
ADAPTER = Adapter(rank=2, alpha=4, density=0.1)
TRAINING = Training(steps=2, batch_size=3, learning_rate=1e-2, max_tokens=200)


@pytest.fixture(scope="module")
def pools(tiny_llama):
    tokenizer = load(f"path:{tiny_llama}", "float32").tokenizer
    return {
        name: load_pool(name, task, tokenizer, seed=1, test_samples=5, max_tokens=200)
        for name, task in TASKS.items()
    }


@pytest.fixture
def make(tiny_llama, pools):
    def build(recipe: Recipe, devices=DEVICES, **adapter) -> Learner:
        base = load(f"path:{tiny_llama}", "float32")
        choice = ADAPTER.model_copy(update=adapter)
        return Learner(base, recipe, choice, TRAINING, pools, devices, seed=1)

    return build


every_method = pytest.mark.parametrize("recipe", METHODS.values(), ids=METHODS)


def one_round(learner, number=1, arrives=lambda src, dst: True):
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
            learner.aggregate(device, inbox, dict.fromkeys(inbox, 0))
    return updates


def state(learner):
    return [(a.values.clone(), a.projection.clone()) for a in learner.fleet.adapters]


def equal(first, second):
    return all(
        torch.equal(a, c) and torch.equal(b, d)
        for (a, b), (c, d) in zip(first, second, strict=True)
    )


@every_method
def test_runs_and_learns(make, recipe):
    learner = make(recipe)
    losses = []
    for number in range(1, 5):
        jobs = [learner.submit(device, number) for device in range(3)]
        assert all(job.work.flop > 0 for job in jobs)
        results = [job.result() for job in jobs]
        losses.append(np.mean([result.loss for result in results]))
        for device in range(3):
            others = {r.update.device: r.update for r in results if r.update.device != device}
            learner.aggregate(device, others, dict.fromkeys(others, 0))
    assert losses[-1] < losses[0]


@every_method
def test_two_learners_with_one_seed_agree_bit_for_bit(make, recipe):
    first, second = make(recipe), make(recipe)
    for learner in (first, second):
        one_round(learner)
        one_round(learner, 2)
    assert equal(state(first), state(second))


@every_method
def test_the_update_is_zero_at_the_start(make, recipe):
    learner = make(recipe)
    for device in range(3):
        assert not learner.fleet.adapters[device].expansion(learner.layout).any()
    found = learner.evaluate(range(3))
    scores = {(m.task, m.score.metric, m.score.value) for m in found}
    assert len(scores) == len({(m.task, m.score.metric) for m in found}), "all answer as the base"


@every_method
def test_payload_bits_follow_the_formula(make, recipe):
    learner = make(recipe)
    updates = one_round(learner, arrives=lambda src, dst: (src, dst) == (0, 1))
    for update in updates:
        kept = update.values.numel()
        sent = kept + (0 if update.projection is None else update.projection.numel())
        first = later = 16 * sent
        if recipe.expansion == "gradient_mask":
            for module in learner.layers(update.device):
                first += mask_bits(module.parameters, module.active)
        if recipe.projection == "frozen_own_seed":
            first += SEED_BITS
        for receiver in {0, 1, 2} - {update.device}:
            # Only what arrived has introduced its mask and its projection.
            arrived = (update.device, receiver) == (0, 1) and recipe.aggregation != "none"
            expected = later if arrived else first
            assert learner.payload_bits(update.device, receiver) == expected


@every_method
def test_an_empty_inbox_changes_nothing(make, recipe):
    learner = make(recipe)
    for device in range(3):
        learner.submit(device, 1).result()
    before = state(learner)
    for device in range(3):
        learner.aggregate(device, {}, {})
    assert equal(before, state(learner))
    assert learner.evaluate(range(3))


@every_method
def test_a_discarded_job_leaves_no_trace(make, recipe):
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
def test_the_result_does_not_depend_on_who_asks_first(make, recipe):
    forward, backward = make(recipe), make(recipe)
    jobs = [forward.submit(device, 1) for device in range(3)]
    for job in jobs:
        job.result()
    jobs = [backward.submit(device, 1) for device in (2, 0, 1)]
    for job in reversed(jobs):
        job.result()
    assert equal(state(forward), state(backward))


MIXING = [recipe for recipe in METHODS.values() if recipe.aggregation == "mean"]


@pytest.mark.parametrize("recipe", MIXING, ids=lambda recipe: recipe.name)
def test_doubly_stochastic_mixing_keeps_the_mean(make, recipe):
    learner = make(recipe, devices=["sums"] * 3, bits_per_value=32)
    updates = [learner.submit(device, 1).result().update for device in range(3)]
    before = torch.stack([update.values for update in updates]).mean(0)
    for device in range(3):
        inbox = {u.device: u for u in updates if u.device != device}
        learner.aggregate(device, inbox, dict.fromkeys(inbox, 0))
    after = torch.stack([adapter.values for adapter in learner.fleet.adapters]).mean(0)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-7)


def test_an_expert_outside_every_collision_comes_through_whole(make):
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


def test_what_does_not_arrive_is_answered_by_what_came_before(make):
    learner = make(METHODS["proposed_single_cluster"])
    one_round(learner, 1)
    kept = learner.fleet.banks[0][1].values.clone()
    one_round(learner, 2, arrives=lambda src, dst: src != 1)
    assert torch.equal(learner.fleet.banks[0][1].values, kept)
    assert not torch.equal(learner.fleet.banks[1][1].values, kept)


def test_half_precision_on_the_air_is_what_the_receiver_reads(make):
    learner = make(METHODS["lora"], bits_per_value=16)
    (update, *_) = one_round(learner)
    assert torch.equal(update.values, update.values.half().float())
    assert torch.equal(update.projection, update.projection.half().float())
