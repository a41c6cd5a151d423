"""Aggregation rules: what they keep exactly, and what a collision does."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cosim.learning.federation.collision import measured_collision_rate
from cosim.methods.aggregation.averages import support_normalised_mean, weighted_mean
from cosim.methods.message import Common, Heard, Mask, Message, Said, Values, as_transmitted
from cosim.methods.weights.as_printed import AsPrinted
from cosim.methods.weights.by_rows import ByRows
from cosim.methods.weights.uniform import Uniform
from cosim.topology.collision import predicted_collision_rate

SIZE = 24
values = st.floats(-8, 8, width=32)


def update(
    content: dict[int, float] | list[float],
    rows: float = 1.0,
    projection: Tensor | None = None,
    freshness: float = 1.0,
) -> Heard:
    """A message of B on a support, or of a dense B, and of A where there is one."""
    flat = [content[at] for at in sorted(content)] if isinstance(content, dict) else content
    said: list[Said] = [Values("B", torch.tensor(flat))]
    if isinstance(content, dict):
        support = torch.tensor(sorted(content)).long()
        said.append(Mask("M", support, [SIZE], [len(content)]))
    said.append(Common("A", torch.zeros(0)) if projection is None else Values("A", projection))
    return Heard(Message(0, 1, tuple(said), rows), freshness=freshness)


def mean(heard: list[Heard], size: int) -> tuple[Tensor, Tensor | None]:
    """By rows, as aggregation `mean` weighs where nothing else is said."""
    weights = ByRows().of(0, heard, {})
    expansion, projection = weighted_mean(heard, weights, ByRows().total(weights, math.nan), size)
    assert expansion is not None
    return expansion, projection


def normalised(heard: list[Heard], size: int) -> Tensor:
    """All alike, as aggregation `support_normalised` weighs."""
    return support_normalised_mean(heard, Uniform().of(0, heard, {}), size)


def dense(one: Heard) -> Tensor:
    values, support = one.message.values, one.message.support
    if support is None:
        return values
    return torch.zeros(SIZE).index_copy_(0, support, values)


sparse = st.dictionaries(st.integers(0, SIZE - 1), values, min_size=1).map(update)
updates = st.lists(
    sparse | st.lists(values, min_size=SIZE, max_size=SIZE).map(update), min_size=1, max_size=5
)


@pytest.mark.slow
@given(updates)
def test_support_normalised_is_the_mean_of_those_who_hold_a_position(given_: list[Heard]) -> None:
    found = normalised(given_, SIZE)
    for at in range(SIZE):
        held = [
            float(dense(one)[at])
            for one in given_
            if one.message.support is None or at in one.message.support.tolist()
        ]
        if not held:
            assert found[at] == 0.0
        elif len(held) == 1:
            assert found[at] == held[0]  # exactly
        else:
            assert float(found[at]) == pytest.approx(np.mean(held), abs=1e-5)


@given(st.permutations(range(SIZE)), st.lists(values, min_size=SIZE, max_size=SIZE))
def test_every_expert_is_read_back_where_supports_do_not_collide(
    order: list[int], content: list[float]
) -> None:
    parts = [{at: content[at] for at in order[share::3]} for share in range(3)]
    found = normalised([update(part) for part in parts], SIZE)
    for part in parts:
        message = update(part).message
        assert message.support is not None
        assert torch.equal(found[message.support], message.values)


def test_a_collision_by_hand() -> None:
    found = normalised([update({0: 1.0, 2: 4.0}), update({2: 8.0, 3: -2.0})], 5)
    assert found.tolist() == [1.0, 0.0, 6.0, -2.0, 0.0]


def test_support_normalised_leaves_its_updates_alone() -> None:
    given_ = [update([1.0] * SIZE), update({3: 5.0})]
    normalised(given_, SIZE)
    mean(given_, SIZE)
    assert given_[0].message.values.tolist() == [1.0] * SIZE
    assert given_[1].message.values.tolist() == [5.0]


@given(updates, st.lists(st.integers(1, 500), min_size=5, max_size=5), st.floats(0.01, 100))
def test_mean_renormalises_the_weights_given(
    given_: list[Heard], weights: list[int], factor: float
) -> None:
    def weighted(by: float) -> list[Heard]:
        return [
            replace(one, message=replace(one.message, rows=by * weight))
            for one, weight in zip(given_, weights, strict=False)
        ]

    found, projection = mean(weighted(1.0), SIZE)
    wanted = np.average(
        [dense(one).double().numpy() for one in given_], axis=0, weights=weights[: len(given_)]
    )
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(mean(weighted(factor), SIZE)[0].numpy(), wanted, atol=1e-5)
    assert projection is None


def test_mean_averages_what_was_sent_of_the_projection() -> None:
    sent = [
        update([4.0], 3.0, projection=torch.tensor([8.0, 0.0])),
        update([0.0], 1.0, projection=torch.tensor([0.0, 4.0])),
    ]
    expansion, projection = mean(sent, 1)
    assert expansion.tolist() == [3.0]
    assert projection is not None
    assert projection.tolist() == [6.0, 1.0]


@pytest.mark.parametrize("reach", [(1,), (1, 2), (1, 2, 3, 4)])
@pytest.mark.parametrize("masked", [False, True])
def test_equal_weights_on_a_regular_graph_keep_the_average(
    reach: tuple[int, ...], masked: bool
) -> None:
    devices = 9
    random = torch.Generator().manual_seed(2)
    start = torch.randn(devices, SIZE, generator=random)
    if masked:
        start *= torch.rand(start.shape, generator=random) < 0.4
    state = start
    for _ in range(3):
        own = [
            update({at: float(row[at]) for at in row.nonzero().flatten().tolist()} or {0: 0.0})
            if masked
            else update(row.tolist())
            for row in state
        ]
        near = [0, *reach, *(-step for step in reach)]
        state = torch.stack(
            [
                mean([own[(device + step) % devices] for step in near], SIZE)[0]
                for device in range(devices)
            ]
        )
    torch.testing.assert_close(state.mean(0), start.mean(0), atol=1e-6, rtol=0)
    assert state.std(0).max() < 0.7 * start.std(0).max()


def test_a_stale_message_weighs_less_and_is_nothing_where_nobody_else_holds() -> None:
    late, fresh = update({0: 8.0, 1: 6.0}, rows=3.0, freshness=0.5), update({0: 2.0, 2: 4.0}, 3.0)
    assert normalised([late, fresh], 3).tolist() == pytest.approx([4.0, 6.0, 4.0])
    assert mean([late, fresh], 3)[0].tolist() == pytest.approx([4.0, 2.0, 8 / 3])


def test_as_printed_the_weights_are_a_share_of_all_rows_and_of_all_who_are_heard() -> None:
    heard = [update([4.0], rows=10.0), update([8.0], rows=30.0)]
    weights = AsPrinted().of(0, heard, {})
    total = AsPrinted().total(weights, all_rows=80.0)
    # α = 10/80 and 30/80, ‖u‖ = 2.
    found, _ = weighted_mean(heard, weights, total, 1)
    assert found is not None
    assert found.tolist() == [4 / 16 + 8 * 3 / 16]
    assert not AsPrinted().renormalised
    assert ByRows().renormalised


def test_an_unequal_graph_does_not_keep_the_average() -> None:
    own = [update([float(device)]) for device in (0, 0, 9)]
    path = [own[:2], own, own[1:]]
    assert float(torch.stack([mean(part, 1)[0] for part in path]).mean()) == pytest.approx(2.5)


@given(st.lists(st.floats(-60000, 60000, width=32), min_size=1))
def test_sixteen_bits_are_half_precision(content: list[float]) -> None:
    sent = torch.tensor(content)
    got = as_transmitted(sent, 16)
    assert got.dtype == torch.float32
    assert np.array_equal(got.numpy(), sent.numpy().astype(np.float16).astype(np.float32))
    assert torch.equal(as_transmitted(got, 16), got)
    assert torch.equal(as_transmitted(sent, 32), sent)


@given(st.lists(st.sets(st.integers(0, SIZE - 1)), max_size=5))
def test_collisions_by_brute_force(supports: list[set[int]]) -> None:
    held = Counter(at for support in supports for at in support)
    wanted = sum(count >= 2 for count in held.values()) / SIZE
    tensors = [torch.tensor(sorted(support), dtype=torch.long) for support in supports]
    assert measured_collision_rate(tensors, SIZE) == pytest.approx(wanted)


def test_random_masks_collide_as_equation_19_predicts() -> None:
    size, densities = 200_000, [0.1, 0.1, 0.3, 0.05]
    random = np.random.default_rng(4)
    supports = [
        torch.from_numpy(np.sort(random.choice(size, int(s * size), replace=False)))
        for s in densities
    ]
    wanted = float(predicted_collision_rate(densities))
    noise = (wanted * (1 - wanted) / size) ** 0.5
    assert measured_collision_rate(supports, size) == pytest.approx(wanted, abs=4 * noise)
