"""Shares of a budget: exact totals, no module over its size, more entropy never less."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cosim.methods.expansion.budget import kept_counts, softmax, water_filled

entropy = st.floats(0.0, 9.0)
share_of_total = st.floats(0.0, 1.3)


@st.composite
def modules(draw: st.DrawFn) -> tuple[list[float], list[int], list[int]]:
    """Entropies, sizes and transformer blocks of up to four blocks of up to three modules."""
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    blocks = [block for block, count in enumerate(counts) for _ in range(count)]
    exactly: dict[str, Any] = {"min_size": len(blocks), "max_size": len(blocks)}
    sizes = draw(st.lists(st.integers(1, 5000), **exactly))
    return draw(st.lists(entropy, **exactly)), sizes, blocks


@pytest.mark.slow
@given(modules(), share_of_total)
def test_the_total_is_exact_and_nobody_exceeds_its_size(
    given_: tuple[list[float], list[int], list[int]], share: float
) -> None:
    H, sizes, blocks = given_
    budget = share * sum(sizes)
    kept = kept_counts(H, sizes, blocks, budget)
    assert kept.dtype == np.int64
    assert kept.sum() == min(math.floor(budget), sum(sizes))
    assert (kept >= 0).all()
    assert (kept <= sizes).all()


@given(modules(), share_of_total)
def test_a_block_has_one_density(
    given_: tuple[list[float], list[int], list[int]], share: float
) -> None:
    H, sizes, blocks = given_
    kept, size, block = kept_counts(H, sizes, blocks, share * sum(sizes)), np.array(sizes), blocks
    for number in set(blocks):
        inside = np.array(block) == number
        even = kept[inside].sum() / size[inside].sum()
        # Each module is rounded by less than one, and so is each term of the block's own sum.
        assert (np.abs(kept[inside] - even * size[inside]) < 2).all()


@given(modules(), share_of_total)
def test_modules_of_equal_shape_never_get_less_for_more_entropy(
    given_: tuple[list[float], list[int], list[int]], share: float
) -> None:
    H, _, blocks = given_
    shape = [4000, 1000, 300]
    sizes = [shape[blocks[:at].count(block)] for at, block in enumerate(blocks)]
    # Blocks of another number of modules have another capacity, and may saturate earlier.
    counts = {blocks.count(block) for block in blocks}
    assume(len(counts) == 1)
    kept = kept_counts(H, sizes, blocks, share * sum(sizes))
    mean = {b: np.mean([h for h, c in zip(H, blocks, strict=True) if c == b]) for b in blocks}
    for i, first in enumerate(blocks):
        for j, second in enumerate(blocks):
            if sizes[i] == sizes[j] and mean[first] > mean[second] + 1e-9:
                assert kept[i] >= kept[j]


@given(st.lists(entropy, min_size=1, max_size=6), st.floats(0.01, 0.999), st.data())
def test_more_entropy_raises_the_own_share_and_no_other(
    H: list[float], share: float, data: st.DataObject
) -> None:
    capacity = data.draw(
        st.lists(st.floats(1.0, 1e6), min_size=len(H), max_size=len(H)).map(np.array)
    )
    more = [H[0] + data.draw(st.floats(0.0, 3.0)), *H[1:]]
    before = water_filled(share * capacity.sum(), softmax(H), capacity)
    after = water_filled(share * capacity.sum(), softmax(more), capacity)
    assert after[0] >= before[0] * (1 - 1e-9)
    assert (after[1:] <= before[1:] * (1 + 1e-9)).all()


@given(st.lists(entropy, min_size=1, max_size=8), st.floats(0.0, 1.0))
def test_without_saturation_it_is_the_softmax(H: list[float], share: float) -> None:
    weights = softmax(H)
    assert weights.sum() == pytest.approx(1.0)
    capacity = np.full(len(H), 1e6)
    budget = share * 1e6 / weights.max()
    np.testing.assert_allclose(water_filled(budget, weights, capacity), budget * weights, rtol=1e-9)


@given(st.lists(st.tuples(entropy, st.floats(1.0, 1e6)), min_size=1, max_size=8), share_of_total)
def test_pouring_agrees_with_pouring_by_turns(
    layers: list[tuple[float, float]], share: float
) -> None:
    weights, capacity = softmax([h for h, _ in layers]), np.array([c for _, c in layers])
    budget = share * capacity.sum()
    # The text: what does not fit is poured again over the unsaturated layers, until it is placed.
    wanted, left = np.zeros(len(layers)), min(budget, capacity.sum())
    for _ in layers:
        open_ = wanted < capacity
        if left <= 1e-9 * budget or not open_.any():
            break
        poured_in = np.where(open_, left * weights / weights[open_].sum(), 0.0)
        taken = np.minimum(wanted + poured_in, capacity) - wanted
        wanted, left = wanted + taken, left - taken.sum()
    found = water_filled(budget, weights, capacity)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6 * capacity.max())
    assert found.sum() == pytest.approx(min(budget, capacity.sum()))


def test_the_excess_of_a_small_block_by_hand() -> None:
    # ln 2 more entropy doubles the share: 2/3 of 90 does not fit into 20, so 70 go to the other.
    kept = kept_counts([math.log(2), math.log(2), 0.0], [15, 5, 100], [7, 7, 2], 90)
    assert kept.tolist() == [15, 5, 70]
    assert kept_counts([0.0, 0.0, 0.0], [10, 10, 10], [0, 1, 2], 10).tolist() == [4, 3, 3]


def test_small_projections_are_not_starved_by_wide_ones() -> None:
    # Softmax over single modules would give the three of a block shares of its entropies.
    kept = kept_counts([5.0, 7.0, 6.0, 6.0], [1000, 4000, 1000, 4000], [0, 0, 1, 1], 1000)
    assert kept.tolist() == [100, 400, 100, 400]


def test_a_great_distance_of_entropies_still_places_everything() -> None:
    kept = kept_counts([0.0, 5000.0, 4999.0], [50, 50, 50], [0, 1, 2], 120)
    assert kept.tolist() == [20, 50, 50]


@pytest.mark.parametrize("budget", [0.0, 0.9])
def test_no_budget_keeps_nothing(budget: float) -> None:
    assert kept_counts([1.0, 2.0], [5, 5], [0, 1], budget).tolist() == [0, 0]


def test_no_limit_keeps_everything() -> None:
    assert kept_counts([1.0, 2.0], [5, 7], [0, 1], math.inf).tolist() == [5, 7]


def test_a_high_temperature_is_uniform() -> None:
    kept = kept_counts([1.0, 4.0], [100, 100], [0, 1], 50, temperature=1e9)
    assert kept.tolist() == [25, 25]


@pytest.mark.parametrize(
    ("H", "sizes", "blocks", "budget", "message"),
    [
        ([1.0], [5, 5], [0, 1], 3, "each"),
        ([1.0, math.nan], [5, 5], [0, 1], 3, "finite"),
        ([1.0, 1.0], [5, 0], [0, 1], 3, "positive integers"),
        ([1.0, 1.0], [5.0, 2.5], [0, 1], 3, "positive integers"),
        ([1.0, 1.0], [5, 5], [0, 1], -1, "negative"),
        ([1.0, 1.0], [5, 5], [0, 1], math.nan, "negative"),
    ],
)
def test_what_makes_no_sense_is_refused(
    H: list[float], sizes: list[float], blocks: list[int], budget: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kept_counts(H, sizes, blocks, budget)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_is_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        softmax([1.0], temperature)
