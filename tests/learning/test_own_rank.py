"""Devices of unequal ranks: what is zero stays zero, and padded means and products by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cosim.learning.federation.own_rank import OwnRank
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.codec.slot import Codec
from cosim.methods.codec.top_k import TopK
from cosim.methods.message import Turn, Values
from cosim.methods.method import Method
from cosim.methods.state import DeviceState
from cosim.scenario.learning import Training
from tests.learning.flat_factors import LAYOUT, factors, held
from tests.learning.small_learners import (
    PLAIN,
    TRAINING,
    mixed,
    one_round,
    small_learner,
    small_pools,
    tuned,
)

RANK, RANKS = 4, (1, 4, 2)
DECAYING = {
    "adamw": TRAINING.model_copy(update={"weight_decay": 0.1}),
    "sgd": PLAIN.model_copy(update={"weight_decay": 0.1}),
}


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> Any:
    return small_pools(tiny_llama)


@pytest.fixture
def learner(tiny_llama: Path, pools: Any) -> Any:
    def make(
        method: Method | str = "lora",
        ranks: Sequence[int] | None = RANKS,
        training: Training = TRAINING,
        **adapter: Any,
    ) -> ModelLearner:
        chosen = METHODS[method] if isinstance(method, str) else method
        parts = {"rank": RANK, "alpha": 8, "bits_per_value": 32, **adapter}
        return small_learner(tiny_llama, pools, chosen, ranks=ranks, training=training, **parts)

    return make


def beyond(learner: ModelLearner, device: int, A: Tensor, B: Tensor) -> list[Tensor]:
    """Rows of A and columns of B that lie beyond the device's rank, by module."""
    rank = learner.fleet.own[device].layout.rank
    pairs = learner.layout.pairs(A, B)
    return [part for a, b in pairs for part in (a[0, rank:], b[0, :, rank:])]


def is_zero_to_the_bit(parts: Sequence[Tensor]) -> bool:
    return not any(bool(part.contiguous().view(torch.int32).any()) for part in parts)


def products(learner: ModelLearner, device: int) -> list[Tensor]:
    adapter = learner.fleet.adapters[device]
    pairs = learner.layout.pairs(adapter.projection, adapter.values)
    return [b[0].double() @ a[0].double() for a, b in pairs]


def test_narrow_and_wide_are_each_others_inverse() -> None:
    own = OwnRank(LAYOUT, 2)
    B, A = factors(3)
    for name, factor in (("A", A), ("B", B)):
        narrow = own.narrowed(name, factor)
        wide = own.widened(name, narrow)
        assert torch.equal(own.narrowed(name, wide), narrow)
        assert torch.equal(own.trimmed(name, factor), wide)
    pairs = LAYOUT.pairs(own.widened("A", own.narrowed("A", A)), own.trimmed("B", B))
    smaller = own.layout.pairs(own.narrowed("A", A), own.narrowed("B", B))
    for (a, b), (small_a, small_b), (whole_a, whole_b) in zip(
        pairs, smaller, LAYOUT.pairs(A, B), strict=True
    ):
        assert torch.equal(a[0, :2], whole_a[0, :2])
        assert torch.equal(small_a, whole_a[:, :2])
        assert torch.equal(small_b, whole_b[:, :, :2])
        assert not a[0, 2:].any()
        assert not b[0, :, 2:].any()
    whole = OwnRank(LAYOUT, LAYOUT.rank)
    assert whole.narrowed("A", A) is A
    assert whole.widened("B", B) is B


def test_a_codec_settles_what_is_a_devices_own_and_knows_what_was_not_mixed() -> None:
    """B was mixed and A was not: the codec sees narrow factors, A the same before and after, and
    the device keeps the tensor of A that it had."""
    seen: list[tuple[int, int, bool, bool]] = []

    class Looking(Codec):
        def settle(self, before: DeviceState, mixed: DeviceState, turn: Turn) -> DeviceState:
            old, new = before.adapter, mixed.adapter
            sizes = new.values.numel(), new.projection.numel()
            seen.append((*sizes, new.values is old.values, new.projection is old.projection))
            return mixed.with_adapter(values=new.values + 1)

    own = OwnRank(LAYOUT, 2)
    B, A = factors(3)
    before = held((own.trimmed("B", B), own.trimmed("A", A)))
    after = own.settled(Looking(), before, before.with_adapter(values=B), Turn(1))
    assert seen == [(own.layout.expansion_size, own.layout.projection_size, False, True)]
    assert after.adapter.projection is before.adapter.projection
    assert torch.equal(after.adapter.values, own.widened("B", own.narrowed("B", B) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", DECAYING)
@pytest.mark.parametrize(
    "method", ["local", "lora", "rolora", "tad_lora", "ffa_lora", "decaf", "lori_dense"]
)
def test_what_lies_beyond_a_rank_is_zero_and_stays_so_to_the_bit(
    learner: Any, method: str, optimizer: str
) -> None:
    """With weight decay, after each training and after each mixing; so are the moments."""
    fleet = (own := learner(method, training=DECAYING[optimizer])).fleet
    for round_ in (1, 2, 3):
        jobs = [own.submit(device, round_) for device in range(3)]
        said = [tuned(own, job) for job in jobs]
        for device, adapter in enumerate(fleet.adapters):
            assert is_zero_to_the_bit(beyond(own, device, adapter.projection, adapter.values))
            for moment in ("first", "second"):
                of = {name: getattr(adapter.moments[name], moment) for name in adapter.moments}
                zero = {"A": adapter.projection * 0, "B": adapter.values * 0}
                parts = beyond(own, device, *((zero | of)[name] for name in "AB"))
                assert not any(bool(part.any()) for part in parts)
        if own.method.aggregation.exchanges:
            for device in range(3):
                mixed(
                    own,
                    device,
                    {m.device: m for m in said if m.device != device},
                    {0: 0, 1: 0, 2: 0},
                )
        for device, adapter in enumerate(fleet.adapters):
            assert is_zero_to_the_bit(beyond(own, device, adapter.projection, adapter.values))
            # What is its own has been learnt.
            assert all(bool(part.any()) for part in products(own, device))


@pytest.mark.parametrize("method", ["lora", "decaf", "rolora"])
def test_equal_ranks_are_the_same_to_the_bit_as_none(learner: Any, method: str) -> None:
    declared, plain = learner(method, (RANK,) * 3), learner(method, None)
    for round_ in (1, 2):
        for said, other in zip(one_round(declared, round_), one_round(plain, round_), strict=True):
            assert said.by_name.keys() == other.by_name.keys()
            for name, part in said.by_name.items():
                twin = other.by_name[name]
                assert isinstance(part, Values)
                assert isinstance(twin, Values)
                assert torch.equal(part.values, twin.values)
    for one, other in zip(declared.fleet.adapters, plain.fleet.adapters, strict=True):
        assert one.digest == other.digest


def test_a_device_alone_trains_as_one_of_a_federation_of_its_rank_with_the_same_scale(
    learner: Any,
) -> None:
    """From the same A, to rounding: products of padded factors are summed in another order.

    In the first module A is the same from the start, to the bit; a stream draws the modules one
    after the other, so that further ones have other entries.
    """
    lower, whole = (
        learner("local", (2, 2, 2), PLAIN),
        learner("local", None, PLAIN, rank=2, alpha=4),
    )
    own, fleet = lower.fleet.own[0], whole.fleet
    narrow = own.narrowed("A", lower.fleet.adapters[0].projection)
    size = whole.layout.projection_sizes[0]
    assert torch.equal(narrow[:size], fleet.adapters[0].projection[:size])
    fleet.states = [state.with_adapter(projection=narrow) for state in fleet.states]
    assert lower.settings.scale == whole.settings.scale
    for round_ in (1, 2):
        for device in range(3):
            jobs = [one.submit(device, round_) for one in (lower, whole)]
            losses = [job.result().loss for job in jobs]
            assert losses[0] == pytest.approx(losses[1], rel=1e-6)
            assert jobs[0].work == jobs[1].work
    for device, adapter in enumerate(lower.fleet.adapters):
        other = fleet.adapters[device]
        for name, mine, theirs in (
            ("B", adapter.values, other.values),
            ("A", adapter.projection, other.projection),
        ):
            found = own.narrowed(name, mine)
            torch.testing.assert_close(found, theirs, rtol=0, atol=1e-5 * float(theirs.abs().max()))


def test_devices_of_unequal_ranks_end_in_a_group_as_alone(learner: Any) -> None:
    together, apart = learner("local"), learner("local")
    jobs = [together.submit(device, 1) for device in range(3)]
    for job in jobs:
        job.result()
    for device in range(3):
        apart.submit(device, 1).result()
        one, other = together.fleet.adapters[device], apart.fleet.adapters[device]
        torch.testing.assert_close(one.values, other.values, rtol=0, atol=1e-5)
        torch.testing.assert_close(one.projection, other.projection, rtol=0, atol=1e-5)


def test_a_mean_is_of_padded_factors_and_trimmed(learner: Any) -> None:
    """Σ w_j·pad(F_j) by hand, w_j by rows; and of it the first r_i directions."""
    own = learner()
    said = one_round(own)
    rows = np.array(own.post.rows)
    shares = rows / rows.sum()
    for factor, axis in (("A", 0), ("B", 1)):
        wanted: list[Any] = []
        for number, module in enumerate(own.layout.modules):
            shape = (RANK, module.in_features) if factor == "A" else (module.out_features, RANK)
            total = np.zeros(shape)
            for message, rank, share in zip(said, RANKS, shares, strict=True):
                layout = own.layout.of_rank(rank)
                sizes = layout.projection_sizes if factor == "A" else layout.expansion_sizes
                content = message.by_name[factor]
                assert isinstance(content, Values)
                part = content.values.split(sizes)[number].numpy()
                if axis == 0:
                    total[:rank] += share * part.reshape(rank, -1)
                else:
                    total[:, :rank] += share * part.reshape(-1, rank)
            wanted.append(total)
        for device, rank in enumerate(RANKS):
            adapter = own.fleet.adapters[device]
            pairs = own.layout.pairs(adapter.projection, adapter.values)
            for (a, b), total in zip(pairs, wanted, strict=True):
                cut = np.zeros_like(total)
                kept = (slice(None, rank),) if axis == 0 else (slice(None), slice(None, rank))
                cut[kept] = total[kept]
                found = (a if factor == "A" else b)[0].numpy()
                np.testing.assert_allclose(found, cut, rtol=0, atol=1e-6)


def test_a_stack_has_every_expert_at_its_owners_rank(learner: Any) -> None:
    """Values on the air are an owner's own, and those that all said answer together, untrimmed."""
    own = learner(METHODS["lori_dense"].with_(topology="complete"))
    said = one_round(own)
    expert = own.method.composition.expert(own.fleet.states[0], "sums", own.tasks)
    for owner, (member, message) in enumerate(zip(expert.members, said, strict=True)):
        ranked, content = own.fleet.own[owner], message.by_name["B"]
        assert isinstance(content, Values)
        assert content.values.numel() == ranked.layout.expansion_size
        assert torch.equal(ranked.narrowed("B", member.values), content.values)
        assert torch.equal(member.projection, own.fleet.first_projections[owner])
        assert is_zero_to_the_bit(beyond(own, owner, member.projection, member.values))


def test_a_product_is_cut_to_the_receivers_own_rank_as_numpy_has_it(learner: Any) -> None:
    """Eckart and Young for each r_i, of the sum of products of all ranks."""
    own = learner("decaf")
    jobs = [own.submit(device, 1) for device in range(3)]
    said = [tuned(own, job) for job in jobs]
    before = [products(own, device) for device in range(3)]
    shares = np.array(own.post.rows) / sum(own.post.rows)
    sums = [
        sum(w * one[number].numpy() for w, one in zip(shares, before, strict=True))
        for number in range(len(own.layout.modules))
    ]
    for device, rank in enumerate(RANKS):
        inbox = {message.device: message for message in said if message.device != device}
        mixed(own, device, inbox, dict.fromkeys(inbox, 0))
        for found, Z in zip(products(own, device), sums, strict=True):
            U, sigma, Vt = np.linalg.svd(Z, full_matrices=False)
            best = (U[:, :rank] * sigma[:rank]) @ Vt[:rank]
            np.testing.assert_allclose(found.numpy(), best, rtol=0, atol=1e-5 * sigma[0])
            left = float(np.square(Z - found.numpy()).sum())
            assert left == pytest.approx(float(np.square(sigma[rank:]).sum()), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "rolora", "ffa_lora"])
def test_all_values_renewed_are_floating_point_to_the_bit_also_of_a_lower_rank(
    learner: Any, method: str
) -> None:
    plain = learner(method)
    coded = learner(METHODS[method].with_(codec=TopK(share=1)))
    for round_ in (1, 2, 3):
        one_round(plain, round_)
        one_round(coded, round_)
    for one, other in zip(plain.fleet.adapters, coded.fleet.adapters, strict=True):
        assert one.digest == other.digest


def test_what_a_codec_leaves_over_is_a_devices_own(learner: Any) -> None:
    """A tenth is renewed; what has been learnt and was not said stays on top, within the rank."""
    own = learner(METHODS["lora"].with_(codec=TopK(share=0.1)))
    for round_ in (1, 2):
        said = one_round(own, round_)
        for message, rank in zip(said, RANKS, strict=True):
            layout = own.layout.of_rank(rank)
            assert message.projection.numel() == layout.projection_size
            assert message.values.numel() == layout.expansion_size
    for device, state in enumerate(own.fleet.states):
        layout = own.fleet.own[device].layout
        assert state.memory["codec"]["B"]["said"].numel() == layout.expansion_size
        adapter = state.adapter
        assert is_zero_to_the_bit(beyond(own, device, adapter.projection, adapter.values))


def test_a_heard_message_is_padded_by_its_senders_rank(learner: Any) -> None:
    own = learner("ffa_lora")
    said = one_round(own)
    for message in said:
        padded = own.fleet.own[message.device].heard(message)
        assert padded.values.numel() == own.layout.expansion_size
        assert torch.equal(padded.projection, own.fleet.first_projections[message.device])
        assert replace(padded, content=message.content) == message


def test_first_projections_of_one_rank_are_one_tensor(learner: Any) -> None:
    fleet = learner("lora", (2, 2, 4)).fleet
    first = fleet.first_projections
    assert first[0] is first[1]
    assert torch.equal(fleet.own[0].narrowed("A", first[2]), fleet.own[0].narrowed("A", first[0]))
