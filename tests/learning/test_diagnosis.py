"""A learner's diagnostics against dense matrices and gradients taken by hand."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cosim.learning.adapters.factors import by_module
from cosim.learning.data.encoding import token_rows
from cosim.learning.data.pool import TaskPool
from cosim.learning.diagnostics.diagnosis import diagnosed_devices
from cosim.learning.learner import ModelLearner
from cosim.learning.records import Diagnostic
from cosim.methods import METHODS
from cosim.methods.message import Message
from tests.learning.small_learners import one_round, small_learner, small_pools, tuned, tuning


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    def build(name: str, **adapter: Any) -> ModelLearner:
        return small_learner(tiny_llama, pools, METHODS[name], **adapter)

    return build


def diagnosed(learner: ModelLearner, updates: list[Message]) -> list[Diagnostic]:
    """Of all devices, which exchange with all others."""
    return learner.diagnosis.of([0, 1, 2], dict.fromkeys(range(3), updates))


def values(
    found: Iterable[Diagnostic], quantity: str
) -> dict[tuple[int | None, int | None], float]:
    """(device, peer) → value."""
    return {(one.device, one.peer): one.value for one in found if one.quantity == quantity}


def dense(learner: ModelLearner, adapter: Any) -> list[tuple[Tensor, Tensor]]:
    """(A, B) of every module."""
    pairs = learner.layout.pairs(adapter.projection, adapter.expansion(learner.layout))
    return [(A[0].double(), B[0].double()) for A, B in pairs]


def test_factors_are_those_of_the_flat_vectors(make: Callable[..., ModelLearner]) -> None:
    learner = make("proposed_single_cluster")
    one_round(learner)
    masked = learner.fleet.adapters[0]
    whole = make("lora")
    one_round(whole)
    adapters = [masked, learner.fleet.adapters[1], whole.fleet.adapters[2]]
    flats = [learner.layout.pairs(a.projection, a.expansion(learner.layout)) for a in adapters]
    kept = 0
    for number, (A, B, M) in enumerate(by_module(learner.layout, adapters)):
        for row, pairs in enumerate(flats):
            assert torch.equal(A[row], pairs[number][0][0])
            assert torch.equal(B[row], pairs[number][1][0])
        assert not (B * ~M).any()
        assert M[2].all()
        kept += int(M[0].sum())
    assert number + 1 == len(learner.layout.modules)
    assert kept == masked.values.numel()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["proposed_single_cluster", "lora", "local"])
def test_pairs_are_those_of_the_dense_products(
    make: Callable[..., ModelLearner], name: str
) -> None:
    learner = make(name)
    found = diagnosed(learner, one_round(learner, arrives=lambda src, dst: src == 0))
    of_device = [dense(learner, adapter) for adapter in learner.fleet.adapters]
    by_pair = {}
    for i, j in ((0, 1), (0, 2), (1, 2)):
        of_modules = []
        for (A, B), (C, D) in zip(of_device[i], of_device[j], strict=True):
            inner = ((B @ A) * (D @ C)).sum() / ((B @ A).norm() * (D @ C).norm())
            overlap = (A @ C.T).norm() / (A.norm() * C.norm())
            of_modules.append((float(overlap), abs(float(inner))))
        by_pair[i, j] = torch.tensor(of_modules)
    for column, word in enumerate(("projection_overlap", "update_similarity")):
        mean, worst = values(found, f"{word}_mean"), values(found, f"{word}_max")
        assert mean.keys() == worst.keys() == by_pair.keys()
        for pair, rows in by_pair.items():
            assert mean[pair] == pytest.approx(float(rows[:, column].mean()), rel=1e-4)
            assert worst[pair] == pytest.approx(float(rows[:, column].max()), rel=1e-4)
        of_module = [one for one in found if one.quantity == word]
        wanted = torch.stack([rows[:, column] for rows in by_pair.values()]).mean(0)
        assert [one.value for one in of_module] == pytest.approx(wanted.tolist(), rel=1e-4)
        named = [(one.layer, one.module) for one in of_module]
        assert named == [(module.layer, module.name) for module in learner.layout.modules]


def gradient_by_hand(learner: ModelLearner, update: Message, A: Any) -> list[Tensor]:
    """∂F/∂B by module, F the mean of the losses of the update's mini-batches."""
    model = learner.trainer.model
    flat = torch.zeros(learner.layout.expansion_size)
    flat[slice(None) if update.support is None else update.support] = update.values
    pairs = [(a, b.clone().requires_grad_()) for a, b in learner.layout.pairs(A, flat)]
    batches = learner.batches(update.device, update.round)
    for batch in batches:
        tokens = token_rows(batch)
        with model.adapters(pairs, learner.settings.scale):
            hidden = model.hidden(tokens.input_ids)
        scored = hidden.flatten(0, 1)[tokens.positions]
        loss = functional.cross_entropy(model.logits(scored), tokens.targets)
        (loss / len(batches)).backward()
    gradients = []
    for _, b in pairs:
        assert b.grad is not None
        gradients.append(b.grad[0].double())
    return gradients


@pytest.mark.parametrize("name", ["proposed_single_cluster", "lora"])
def test_both_sides_of_theorem_one_by_hand(make: Callable[..., ModelLearner], name: str) -> None:
    learner = make(name, density=0.4)
    updates = one_round(learner)
    projections = [
        learner.fleet.adapters[u.device].projection if u.projection is None else u.projection
        for u in updates
    ]
    # B as sent, not as it is after the mixing: then all of them would be the average.
    flats = []
    for update in updates:
        flat = torch.zeros(learner.layout.expansion_size)
        flat[slice(None) if update.support is None else update.support] = update.values
        mask = torch.zeros_like(flat)
        mask[slice(None) if update.support is None else update.support] = 1.0
        flats.append((flat, mask))
    slopes = [gradient_by_hand(learner, u, A) for u, A in zip(updates, projections, strict=True)]
    gap = own = bound = G = P = violated = 0.0
    pairs = [
        (learner.layout.pairs(A, flat), learner.layout.pairs(A, mask))
        for A, (flat, mask) in zip(projections, flats, strict=True)
    ]
    for number, module in enumerate(learner.layout.modules):
        A = [one[0][number][0][0].double() for one in pairs]
        B = [one[0][number][1][0].double() for one in pairs]
        M = [one[1][number][1][0].double() for one in pairs]
        total, count = torch.stack(B).sum(0), torch.stack(M).sum(0)
        average, kept = total / 3, total / count.clamp(min=1)
        left = sum(float(((B[i] - average) @ A[i]).square().sum()) for i in range(3))
        g = max(float((slopes[i][number] @ A[i]).norm()) for i in range(3))
        p = max(float((average @ A[i]).norm()) for i in range(3))
        S = float((count >= 2).double().mean())
        right = 2 * learner.layout.rank * module.in_features * 9 * S * (g + p)
        own += sum(float(((B[i] - kept * M[i]) @ A[i]).square().sum()) for i in range(3))
        gap, bound, violated = gap + left, bound + right, violated + (left > right)
        G, P = max(G, g), max(P, p)
    found = diagnosed(learner, updates)
    wanted = {
        "gap": gap,
        "bound": bound,
        "violated": violated / len(learner.layout.modules),
        "own_support_gap": own,
        "gradient": G,
        "average": P,
    }
    for word, value in wanted.items():
        got = values(found, f"theorem1_{word}")
        assert got == pytest.approx(dict.fromkeys([(0, None), (1, None), (2, None)], value), 1e-3)
    assert gap > 0
    assert G > 0


def test_shares_add_up_and_agree_with_the_routing(make: Callable[..., ModelLearner]) -> None:
    learner = make("proposed_single_cluster")
    updates = one_round(learner)
    shares = [one for one in diagnosed(learner, updates) if one.quantity == "expert_share"]
    assert len(shares) == 3 * 2 * 3
    routing = {
        (one.device, one.task): one.score.value
        for one in learner.evaluate([0, 1, 2]).measurements
        if one.score.metric == "routing"
    }
    for (device, task), right in routing.items():
        own = {}
        for one in shares:
            if (one.device, one.task) == (device, task):
                assert one.peer is not None
                own[one.peer] = one.value
        assert sum(own.values()) == pytest.approx(1.0)
        assert sum(own[d] for d in own if learner.tasks[d] == task) == pytest.approx(right)
        expert = learner.fleet.expert(device, task)
        assert expert is not None
        chosen = learner.scoring.weights(expert, task).argmax(1)
        assert own[0] == float((chosen == 0).double().mean())


def test_who_has_nothing_is_left_out(make: Callable[..., ModelLearner]) -> None:
    learner = make("proposed_single_cluster")
    assert diagnosed(learner, []) == [], "nobody has learnt"
    update = tuned(learner, learner.submit(0, 1))
    found = learner.diagnosis.of([0, 1, 2], {0: [update], 1: [], 2: []})
    assert {one.quantity for one in found} == {"expert_share"}
    tuning(learner, 1, 1).result()
    pairs = values(learner.diagnosis.of([0], {}), "update_similarity_max")
    assert list(pairs) == [(0, 1)]
    assert values(learner.diagnosis.of([2], {}), "update_similarity_max") == {}, "not evaluated"


def test_what_has_no_factors_has_its_consensus_alone(make: Callable[..., ModelLearner]) -> None:
    learner = make("full_finetune")
    found = diagnosed(learner, one_round(learner))
    assert {one.quantity for one in found} == {"consensus_expansion"}


@pytest.mark.slow
def test_diagnosing_changes_nothing(make: Callable[..., ModelLearner]) -> None:
    observed, alone = make("proposed_single_cluster"), make("proposed_single_cluster")
    for number in (1, 2):
        updates = one_round(observed, number)
        assert diagnosed(observed, updates) == diagnosed(observed, updates)
        one_round(alone, number)
    for one, other in zip(observed.fleet.adapters, alone.fleet.adapters, strict=True):
        assert one.digest == other.digest


def test_a_large_fleet_is_sampled_alike_in_every_round() -> None:
    assert diagnosed_devices(16, seed=1) == list(range(16))
    drawn = diagnosed_devices(40, seed=1)
    assert drawn == diagnosed_devices(40, seed=1) == sorted(set(drawn))
    assert len(drawn) == 16
    assert set(drawn) <= set(range(40))
    assert drawn != diagnosed_devices(40, seed=2)
