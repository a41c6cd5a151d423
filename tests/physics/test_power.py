"""Lemma 1 inverts the rate; its allocation under a power limit (oracle 4)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import k1

from cosim.physics.fading import block_power_gain
from cosim.physics.power import (
    Fallback,
    allocate,
    lemma1_bits,
    lemma1_power_w,
    spectral_efficiency_needed,
)
from cosim.physics.rate import rate_bit_s
from cosim.randomness import stream


@settings(deadline=None)
@given(
    x=st.floats(1e-9, 900.0),
    receivers=st.integers(1, 12),
    bandwidth_hz=st.floats(1e4, 1e8),
    deadline_s=st.floats(1e-3, 1e3),
    snr_per_watt=st.floats(1e-6, 1e12),
)
def test_lemma1_inverts_the_rate(
    x: float, receivers: int, bandwidth_hz: float, deadline_s: float, snr_per_watt: float
) -> None:
    bits = x * bandwidth_hz * deadline_s / receivers
    power = lemma1_power_w(
        bits,
        receivers=receivers,
        bandwidth_hz=bandwidth_hz,
        deadline_s=deadline_s,
        gain=snr_per_watt * 1e-13,
        noise_w=1e-13,
    )
    sent = deadline_s * rate_bit_s(bandwidth_hz / receivers, power * snr_per_watt)
    # Some ten roundings; the 2^x grows an exponent's rounding by x·ln 2, and the logarithm takes
    # it back: 1e-14 of the exponent each way.
    assert sent == pytest.approx(bits, rel=1e-13, abs=0.0)


def _power(bits: object, **changed: object) -> np.ndarray:
    link = {"receivers": 1, "bandwidth_hz": 1e6, "deadline_s": 1.0, "gain": 1.0, "noise_w": 1.0}
    return lemma1_power_w(bits, **(link | changed))  # type: ignore[arg-type]


def test_a_tiny_exponent_keeps_its_digits() -> None:
    x = 1e-17
    assert _power(x * 1e6) == pytest.approx(x * np.log(2.0), rel=1e-14, abs=0.0)


def test_overflow_and_dead_links_are_infeasible_without_a_warning() -> None:
    # x = 8.6e6 · 16 · 3/(1e6 · 2) = 206 is finite and absurd; ten times that is beyond floats.
    assert spectral_efficiency_needed(8.6e6 * 16, 3, 1e6, 2.0) == pytest.approx(206.4)
    power = _power([8.6e6 * 16, 8.6e7 * 16], receivers=3, deadline_s=2.0)
    assert np.isfinite(power[0])
    assert power[0] > 1e60
    assert power[1] == np.inf
    np.testing.assert_array_equal(_power([1e6, 0.0], gain=[0.0, 0.0]), [np.inf, 0.0])


def test_bits_may_differ_per_receiver() -> None:
    together = _power([1e5, 2e6], receivers=2, gain=[0.5, 2.0])
    apart = [_power(b, receivers=2, gain=g) for b, g in ((1e5, 0.5), (2e6, 2.0))]
    np.testing.assert_array_equal(together, apart)


def test_doubling_bits_and_bandwidth_leaves_the_power() -> None:
    np.testing.assert_allclose(
        _power([1e6, 3e6], receivers=2, bandwidth_hz=1e6),
        _power([2e6, 6e6], receivers=2, bandwidth_hz=2e6),
        rtol=1e-14,
    )


@pytest.mark.parametrize("bad", ["deadline_s", "bandwidth_hz", "noise_w"])
def test_zero_denominators_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=bad):
        _power(1.0, **{bad: 0.0})


def test_demands_that_fit_are_met() -> None:
    plan = allocate([0.1, 0.3], 1.0, margin_ratio=2.0)
    np.testing.assert_allclose(plan.power_w, [0.2, 0.6])
    assert (plan.feasible, plan.whole_margin) == (True, True)


def test_a_sum_exactly_at_the_limit_fits() -> None:
    plan = allocate([0.5, 0.5], 1.0)
    assert plan.feasible
    np.testing.assert_array_equal(plan.power_w, [0.5, 0.5])


def test_demands_that_do_not_fit_are_scaled_to_the_limit() -> None:
    plan = allocate([1.0, 3.0], 1.0)
    np.testing.assert_allclose(plan.power_w, [0.25, 0.75])
    assert not plan.feasible


def test_a_receiver_in_outage_gets_nothing_and_the_others_no_more_than_they_need() -> None:
    plan = allocate([0.2, np.inf, 0.3], 1.0)
    np.testing.assert_allclose(plan.power_w, [0.2, 0.0, 0.3])
    assert not plan.feasible
    np.testing.assert_allclose(allocate([2.0, np.inf, 6.0], 1.0).power_w, [0.25, 0.0, 0.75])
    np.testing.assert_allclose(allocate([1.2e308, 1.2e308], 1.0).power_w, [0.5, 0.5])
    np.testing.assert_array_equal(allocate([np.inf, np.inf], 1.0).power_w, [0.0, 0.0])


def test_no_receivers_is_legal() -> None:
    plan = allocate([], 0.2)
    assert plan.feasible
    assert plan.power_w.shape == (0,)


@pytest.mark.parametrize("bad", [[np.nan], [-1.0], 0.5, [[0.5]]])
def test_bad_demands_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="required_w"):
        allocate(bad, 1.0)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    required=st.lists(st.floats(0.0, 1e300) | st.just(np.inf), max_size=8),
    p_max=st.floats(1e-3, 1e3),
)
def test_the_limit_always_holds(required: list[float], p_max: float) -> None:
    plan = allocate(required, p_max)
    # Eight products and sums, each rounded.
    assert plan.power_w.sum() <= p_max * (1.0 + 1e-14)
    assert np.all(plan.power_w <= np.array(required) * (1.0 + 1e-14))
    with np.errstate(over="ignore"):
        assert plan.feasible == (np.sum(required) <= p_max)


def test_the_weakest_are_dropped_until_the_rest_fits() -> None:
    plan = allocate([0.2, 3.0, 0.3, np.inf, 0.6], 1.0, fallback="drop_weakest")
    np.testing.assert_array_equal(plan.power_w, [0.2, 0.0, 0.3, 0.0, 0.0])
    assert not plan.feasible
    # Those whom Lemma 1 serves are kept, with the margin that fits, and no more than was asked.
    plan = allocate([0.25, 0.25, 0.75], 1.0, margin_ratio=4.0, fallback="drop_weakest")
    np.testing.assert_array_equal(plan.power_w, [0.5, 0.5, 0.0])
    plan = allocate([0.25, 0.25, 0.75], 1.0, margin_ratio=1.5, fallback="drop_weakest")
    np.testing.assert_array_equal(plan.power_w, [0.375, 0.375, 0.0])
    alone = allocate([5.0], 1.0, fallback="drop_weakest")
    np.testing.assert_array_equal(alone.power_w, [0.0])


@pytest.mark.parametrize("fallback", ["scale", "drop_weakest", "max_power"])
def test_a_margin_that_does_not_fit_is_reduced_alike_for_all(fallback: Fallback) -> None:
    plan = allocate([0.1, 0.4], 1.0, margin_ratio=4.0, fallback=fallback)
    np.testing.assert_allclose(plan.power_w, [0.2, 0.8], rtol=1e-15)
    assert (plan.feasible, plan.whole_margin) == (True, False)


def test_maximum_power_is_shared_by_all_only_where_the_demands_do_not_fit() -> None:
    for demands in ([0.2, 3.0], [0.2, np.inf], [np.inf, np.inf]):
        np.testing.assert_array_equal(
            allocate(demands, 1.0, fallback="max_power").power_w, [0.5, 0.5]
        )
    np.testing.assert_array_equal(
        allocate([0.2, 0.3], 1.0, fallback="max_power").power_w, [0.2, 0.3]
    )


def test_another_fallback_is_refused() -> None:
    with pytest.raises(ValueError, match="fallback"):
        allocate([1.0], 1.0, fallback="drop")  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    required=st.lists(st.floats(0.0, 3.0) | st.sampled_from([1e300, np.inf]), max_size=7),
    p_max=st.floats(1e-3, 5.0),
    margin=st.sampled_from([1.0, 2.0]),
    fallback=st.sampled_from(["scale", "drop_weakest", "max_power"]),
)
def test_every_fallback_keeps_the_limit(
    required: list[float], p_max: float, margin: float, fallback: Any
) -> None:
    plan = allocate(required, p_max, margin, fallback)
    demand = margin * np.array(required)
    assert plan.power_w.sum() <= p_max * (1.0 + 1e-14)
    if plan.whole_margin:
        np.testing.assert_array_equal(plan.power_w, demand)
    if fallback != "max_power":
        assert np.all(plan.power_w <= demand * (1.0 + 1e-14))
    if fallback == "drop_weakest" and not plan.feasible:
        asked = np.array(required)
        # By trying every number of receivers: most of the smallest demands that fit together.
        smallest = np.sort(asked)
        served = max(n for n in range(len(asked) + 1) if smallest[:n].sum() <= p_max)
        assert np.count_nonzero(plan.power_w) == np.count_nonzero(smallest[:served])
        kept = plan.power_w > 0.0
        given = plan.power_w[kept] / asked[kept]
        # In Python's own floats: what next to nothing leaves of p_max is infinite.
        most = min(margin, p_max / float(asked[kept].sum())) if kept.any() else 1.0
        np.testing.assert_allclose(given, most, rtol=1e-12)


@settings(deadline=None)
@given(
    required=st.lists(st.floats(1e-6, 3.0), min_size=1, max_size=7),
    p_max=st.floats(1e-3, 5.0),
    margins=st.lists(st.floats(1.0, 100.0), min_size=2, max_size=2).map(sorted),
)
def test_more_margin_costs_nobody_what_lemma_1_gives(
    required: list[float], p_max: float, margins: list[float]
) -> None:
    """On a channel that stands still, a receiver is served if it gets its demand: by
    `drop_weakest` the same ones whatever the margin."""
    served = [
        allocate(required, p_max, margin, "drop_weakest").power_w
        >= np.array(required) * (1.0 - 1e-12)
        for margin in (1.0, *margins)
    ]
    np.testing.assert_array_equal(served[0], served[1])
    np.testing.assert_array_equal(served[1], served[2])


def test_two_receivers_share_the_power() -> None:
    # P(A/g1 + A/g2 ≤ 1) = 2A·e^(−2A)·K1(2A) for Exp(1) gains, A = σ²(2^x − 1)/(ḡ·p_max).
    draws, p_max, mean_gain, x = 200_000, 0.2, 1e-9, 1.0
    noise = 2e-11
    gains = mean_gain * block_power_gain(stream(4, "sum-power"), (draws, 2))
    demand = _power(x * 1e6 / 2.0, receivers=2, gain=gains, noise_w=noise)
    a = noise * (2.0**x - 1.0) / (mean_gain * p_max)
    exact = 2.0 * a * np.exp(-2.0 * a) * k1(2.0 * a)
    measured = np.mean(demand.sum(axis=1) <= p_max)
    assert abs(measured - exact) < 4.5 * np.sqrt(exact * (1.0 - exact) / draws)
    few = [allocate(row, p_max).feasible for row in demand[:200]]
    np.testing.assert_array_equal(few, demand[:200].sum(axis=1) <= p_max)


@settings(deadline=None)
@given(
    gains=st.lists(st.floats(1e-14, 1e-4), min_size=1, max_size=9),
    p_max_w=st.floats(1e-4, 10.0),
    margin=st.floats(1.0, 100.0),
)
def test_the_most_bits_take_all_of_the_power(
    gains: list[float], p_max_w: float, margin: float
) -> None:
    band = {"bandwidth_hz": 5e6, "deadline_s": 2.0, "noise_w": 3e-14}
    most = lemma1_bits(p_max_w, gains=gains, margin_ratio=margin, **band)
    power = lemma1_power_w(most, receivers=len(gains), gain=np.array(gains), **band)
    # A rounding of x in the exponent is one of x·ln 2 in the power; x stays below 1100.
    assert margin * power.sum() == pytest.approx(p_max_w, rel=1e-12)


def test_the_most_bits_at_the_ends() -> None:
    band = {"bandwidth_hz": 5e6, "deadline_s": 2.0, "noise_w": 3e-14}
    assert lemma1_bits(0.2, gains=[], **band) == np.inf
    assert lemma1_bits(0.2, gains=[1e-9, 0.0], **band) == 0.0
    assert lemma1_bits(0.0, gains=[1e-9], **band) == 0.0
    with pytest.raises(ValueError, match="p_max_w"):
        lemma1_bits(-1.0, gains=[1e-9], **band)
