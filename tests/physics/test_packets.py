"""Blocks sent until decoded: geometric and Erlang laws, renewal throughput, and properties."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaincc

from cosim.physics.fading import block_power_gain
from cosim.physics.packets import (
    PendingBlocks,
    block_count,
    block_efficiency,
    block_transfer,
    effective_snr,
)
from cosim.randomness import stream

RHO, MEAN_SNR = 2.0, 2.5
# 2^ρ − 1 over the mean SNR: a transmission alone decodes with probability e^(−x) = 0.30.
X = (2.0**RHO - 1.0) / MEAN_SNR


def _faded(links: int, intervals: int, seed: int = 1) -> np.ndarray:
    return MEAN_SNR * block_power_gain(stream(seed, "packets"), (links, intervals))


def test_plain_arq_takes_a_geometric_number_of_transmissions() -> None:
    # n blocks take a negative binomial number of intervals: mean n·e^x, variance n·(1 − p)/p².
    links, blocks = 400, 25
    last, through, after = block_transfer(
        PendingBlocks.waiting(np.full(links, blocks)), _faded(links, 400), RHO
    )
    assert np.all(through == blocks)
    assert not after.left.any()
    p = math.exp(-X)
    standard_error = math.sqrt((1.0 - p) / p**2 / (blocks * links))
    assert abs((last + 1).mean() / blocks - math.exp(X)) < 4.5 * standard_error


def test_the_sum_of_chase_copies_is_erlang() -> None:
    # P(decoded within k) = P(Poisson(x) < k) = Q(k, x); with no limit on the copies.
    links, longest = 20_000, 12
    last, _, _ = block_transfer(
        PendingBlocks.waiting(np.ones(links)),
        _faded(links, longest),
        RHO,
        combining="chase",
        most=longest,
    )
    for k in range(1, 6):
        exact = gammaincc(k, X)
        within = np.mean((last >= 0) & (last < k))
        assert abs(within - exact) < 4.5 * math.sqrt(exact * (1.0 - exact) / links)


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_truncated_chase_has_the_renewal_reward_throughput(most: int) -> None:
    # Caire and Tuninetti: P(decoded within M)/Σ_{k<M} P(not decoded within k) blocks an interval.
    links, intervals = 500, 400
    snr = _faded(links, intervals, seed=2)
    waiting = PendingBlocks.waiting(np.full(links, intervals))
    _, through, _ = block_transfer(waiting, snr, RHO, combining="chase", most=most)
    failed = [1.0] + [1.0 - gammaincc(k, X) for k in range(1, most + 1)]
    exact = (1.0 - failed[most]) / sum(failed[:most])
    measured = through / intervals
    # The period that the last interval cuts adds less than one block per link.
    tolerance = 4.5 * measured.std() / math.sqrt(links) + 1.0 / intervals
    assert abs(measured.mean() - exact) < tolerance


def _one_by_one(count: int, snr: np.ndarray, least: float, most: int) -> tuple[int, int]:
    """The model, as one would tell it: (last, through) of one link."""
    total, copies, through = 0.0, 0, 0
    for k, value in enumerate(snr):
        if through == count:
            break
        total, copies = total + value, copies + 1
        if total >= least:
            total, copies, through = 0.0, 0, through + 1
            if through == count:
                return k, through
        elif copies == most:
            total, copies = 0.0, 0
    return -1, through


SNRS = st.lists(
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, math.inf]), min_size=2, max_size=40
)


@settings(deadline=None, max_examples=200)
@given(snr=SNRS, most=st.integers(1, 5), counts=st.tuples(*[st.integers(0, 12)] * 3))
def test_many_links_at_once_are_each_as_told(
    snr: list[float], most: int, counts: tuple[int, ...]
) -> None:
    rows = np.array([snr, snr[::-1], snr])
    rates = np.array([2.0, 2.0, 1.0])
    last, through, after = block_transfer(
        PendingBlocks.waiting(counts), rows, rates, combining="chase", most=most
    )
    for k, (count, row, rate) in enumerate(zip(counts, rows, rates, strict=True)):
        assert (last[k], through[k]) == _one_by_one(count, row, 2.0**rate - 1.0, most)
    np.testing.assert_array_equal(after.left, counts - through)
    assert np.all(after.copies < most)


@settings(deadline=None, max_examples=200)
@given(
    snr=SNRS,
    most=st.integers(1, 5),
    cut=st.integers(1, 39),
    count=st.integers(0, 12),
    combining=st.sampled_from(["none", "chase"]),
)
def test_intervals_in_parts_give_the_same(
    snr: list[float], most: int, cut: int, count: int, combining: str
) -> None:
    rows = np.array([snr, snr[::-1]])
    how: dict[str, Any] = {"combining": combining, "most": most}
    last, through, after = block_transfer(PendingBlocks.waiting([count, 3]), rows, RHO, **how)
    cut = min(cut, rows.shape[1] - 1)
    last_1, through_1, midway = block_transfer(
        PendingBlocks.waiting([count, 3]), rows[:, :cut], RHO, **how
    )
    last_2, through_2, end = block_transfer(midway, rows[:, cut:], RHO, **how)
    np.testing.assert_array_equal(through_1 + through_2, through)
    np.testing.assert_array_equal(np.where(last_2 >= 0, last_2 + cut, last_1), last)
    for name in ("left", "combined_snr", "copies"):
        np.testing.assert_array_equal(getattr(end, name), getattr(after, name))


def _ends(snr: np.ndarray, count: int, combining: Any, most: int) -> float:
    last, _, _ = block_transfer(
        PendingBlocks.waiting([count]), snr[None], RHO, combining=combining, most=most
    )
    return float(last[0]) if last[0] >= 0 else math.inf


@settings(deadline=None)
@given(snr=SNRS, most=st.integers(1, 5), count=st.integers(1, 12), seed=st.integers(0, 50))
def test_combining_and_snr_never_make_it_later(
    snr: list[float], most: int, count: int, seed: int
) -> None:
    values = np.array(snr)
    more = values + stream(seed, "more").exponential(1.0, len(values))
    plain = _ends(values, count, "none", 1)
    assert _ends(values, count, "chase", most) <= plain
    assert _ends(values, count, "chase", 1) == plain
    assert _ends(more, count, "none", 1) <= plain
    assert _ends(more, count, "chase", 100) <= _ends(values, count, "chase", 100)


def test_more_snr_can_be_later_where_the_buffer_is_emptied() -> None:
    snr = np.array([2.7, 0.3, 1.5, 1.5])
    more = np.array([3.0, 0.3, 1.5, 1.5])
    assert _ends(snr, 2, "chase", 2) == 3
    assert _ends(more, 2, "chase", 2) == math.inf


def test_infinite_snr_takes_one_interval_a_block() -> None:
    counts = np.array([1, 4, 7, 0, 9])
    last, through, _ = block_transfer(PendingBlocks.waiting(counts), np.full((5, 7), np.inf), 800.0)
    np.testing.assert_array_equal(last, [0, 3, 6, -1, -1])
    np.testing.assert_array_equal(through, [1, 4, 7, 0, 7])


@pytest.mark.parametrize("snr", [1e-6, 0.1, 1.0, 3.7, 1e4])
def test_a_still_channel_decodes_at_the_rate_it_was_known_to_have(snr: float) -> None:
    samples = effective_snr(np.full((1, 20, 3), snr))
    last, _, _ = block_transfer(PendingBlocks.waiting([20]), samples, block_efficiency(snr))
    assert last[0] == 19
    assert block_efficiency(snr, 2.0) == pytest.approx(math.log2(1.0 + snr / 2.0), rel=1e-9)


def test_without_a_rate_nothing_gets_through() -> None:
    last, through, after = block_transfer(
        PendingBlocks.waiting([2]), np.full((1, 9), 5.0), 0.0, combining="chase", most=4
    )
    assert block_transfer(PendingBlocks.waiting([2]), np.full((1, 9), np.inf), 0.0)[1] == 0
    assert (last[0], through[0], after.left[0]) == (-1, 0, 2)
    assert (after.copies[0], after.combined_snr[0]) == (1, 5.0)


def test_effective_snr_has_the_mean_mutual_information() -> None:
    snr = _faded(3, 50)
    np.testing.assert_allclose(np.log2(1 + effective_snr(snr)), np.log2(1 + snr).mean(axis=1))
    assert np.all(effective_snr(snr) <= snr.mean(axis=1))


def test_a_shorter_last_block_counts_as_one() -> None:
    np.testing.assert_array_equal(block_count([0, 1, 8448, 8449, 84480], 8448), [0, 1, 1, 2, 10])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"snr": [1.0, 2.0]}, "transfers need"),
        ({"snr": np.zeros((1, 0))}, "transfers need"),
        ({"snr": [[np.nan]]}, "NaN"),
        ({"efficiency_bit_s_hz": -1.0}, "efficiency"),
        ({"most": 0}, "most"),
        ({"combining": "incremental"}, "combining"),
    ],
)
def test_bad_arguments_are_refused(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "blocks": PendingBlocks.waiting([1]),
        "snr": [[1.0]],
        "efficiency_bit_s_hz": 1.0,
    }
    with pytest.raises(ValueError, match=message):
        block_transfer(**(arguments | changed))
    with pytest.raises(ValueError, match="negative"):
        PendingBlocks.waiting([-1])
