"""Transfers: bits are conserved, slots agree with constant rates, ergodic limit (oracle 5)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from cosim.physics.fading import block_power_gain
from cosim.physics.rate import ergodic_efficiency_bit_s_hz, rate_bit_s
from cosim.physics.transfer import slotted_transfer
from cosim.randomness import stream


def carried_until(
    elapsed_s: ArrayLike, edges: ArrayLike, rates: ArrayLike, since_s: float = 0.0
) -> np.ndarray:
    """∫R dt from `since_s` to `elapsed_s`, both from the first edge; slot by slot."""
    at_s = np.asarray(edges, dtype=float)
    starts_s, ends_s = at_s[:-1] - at_s[0], at_s[1:] - at_s[0]
    times_s = np.broadcast_to(elapsed_s, np.shape(rates)[:-1])[..., None]
    lengths = np.clip(times_s, starts_s, ends_s) - np.clip(since_s, starts_s, ends_s)
    return np.asarray((np.asarray(rates) * np.maximum(lengths, 0.0)).sum(axis=-1))


@settings(deadline=None)
@given(bits=st.floats(1.0, 1e9), rate=st.floats(1.0, 1e9), start=st.floats(0.0, 1e5))
def test_slots_of_one_rate_are_a_constant_rate(bits: float, rate: float, start: float) -> None:
    expected = bits / rate
    edges = start + 1.1 * expected * np.linspace(0.0, 1.0, 12)
    duration, delivered = slotted_transfer(bits, edges, np.full(11, rate))
    # Eleven sums, and edges that are rounded at the absolute time.
    tolerance = 1e-13 * expected + 24 * np.spacing(edges[-1])
    if np.isfinite(duration):
        assert abs(duration - expected) <= tolerance
        assert delivered == bits
    else:
        assert edges[-1] - edges[0] <= expected + tolerance


def test_exactly_at_the_last_edge_counts() -> None:
    # Eleven slots of 1/11 s at 0.7 Mbit/s sum to 0.1 nbit less than 0.7 Mbit in floats.
    edges = np.linspace(0.0, 1.0, 12)
    duration, delivered = slotted_transfer(0.7e6, edges, np.full(11, 0.7e6))
    assert duration == 1.0
    assert delivered == 0.7e6
    assert slotted_transfer(0.7e6 * (1.0 + 1e-9), edges, np.full(11, 0.7e6))[0] == np.inf


def test_a_batch_with_every_case() -> None:
    edges = [10.0, 11.0, 12.0, 14.0]
    rates = np.array([[0, 4, 1], [2, 0, 3], [1, 1, 1], [0, 0, 0], [5, 0, 0], [0, 1, 0]], float)
    bits = np.array([3.0, 5.0, 9.0, 1.0, 5.0, 0.0])
    duration, delivered = slotted_transfer(bits, edges, rates)
    np.testing.assert_allclose(duration, [1.75, 3.0, np.inf, np.inf, 1.0, 0.0])
    np.testing.assert_allclose(delivered, [3.0, 5.0, 4.0, 0.0, 5.0, 0.0])
    one_by_one = [slotted_transfer(b, edges, r) for b, r in zip(bits, rates, strict=True)]
    np.testing.assert_array_equal(np.array(one_by_one).T, [duration, delivered])


def test_one_rate_row_serves_many_payloads() -> None:
    duration, delivered = slotted_transfer([1.0, 4.0], [0.0, 1.0, 2.0], [2.0, 1.0])
    np.testing.assert_allclose(duration, [0.5, np.inf])
    np.testing.assert_allclose(delivered, [1.0, 3.0])


@settings(deadline=None)
@given(
    rates=st.lists(st.floats(0.0, 1e7), min_size=1, max_size=20),
    part=st.floats(0.01, 1.2),
    seed=st.integers(0, 50),
)
def test_bits_are_conserved(rates: list[float], part: float, seed: int) -> None:
    widths = stream(seed, "widths").uniform(0.0, 0.1, len(rates))
    edges = 3.0 + np.concatenate([[0.0], np.cumsum(widths)])
    total = float(np.dot(rates, np.diff(edges)))
    bits = part * total + 1.0
    duration, delivered = slotted_transfer(bits, edges, rates)
    assert delivered == pytest.approx(min(bits, total), rel=1e-12, abs=1e-12)
    assert np.isfinite(duration) == (delivered == bits)
    until = duration if np.isfinite(duration) else edges[-1] - edges[0]
    # An instant is known to some 1e-15 s here, at up to 1e7 bit/s.
    assert carried_until(until, edges, rates) == pytest.approx(delivered, rel=1e-12, abs=1e-7)


def _some_transfers(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits (L,), edges and rates (L, T); about half of the transfers are through in time."""
    random = stream(seed, "since")
    edges = 7.0 + np.concatenate([[0.0], np.cumsum(random.uniform(0.0, 0.3, 9))])
    rates = random.uniform(0.0, 5.0, (40, 9)) * (random.random((40, 9)) < 0.8)
    bits = rates @ np.diff(edges) * random.uniform(0.0, 2.0, 40)
    bits[0] = 0.0
    return bits, edges, rates


def test_without_a_later_start_the_digits_are_those_of_the_plain_sums() -> None:
    bits, edges, rates = _some_transfers(1)
    # Edges count from the first, as they do inside, so that the same roundings occur.
    edges = edges - edges[0]
    through = np.cumsum(rates * np.diff(edges), axis=-1)
    duration, delivered = slotted_transfer(bits, edges, rates, since_s=np.zeros(40))
    np.testing.assert_array_equal(delivered, np.minimum(bits, through[:, -1]))
    for k in np.flatnonzero(np.isfinite(duration) & (bits > 0.0)):
        slot = int(np.argmax(through[k] >= bits[k]))
        before = through[k, slot - 1] if slot else 0.0
        end = edges[slot] + (bits[k] - before) / rates[k, slot]
        assert duration[k] == min(end, edges[slot + 1])
    np.testing.assert_array_equal(slotted_transfer(bits, edges, rates), (duration, delivered))


def test_nothing_is_carried_before_the_start() -> None:
    duration, delivered = slotted_transfer(
        [2.0, 2.0, 2.0, 0.0, 2.0], [5.0, 6.0, 7.0, 8.0], [4.0, 1.0, 1.0], since_s=[0, 0.75, 2, 2, 9]
    )
    np.testing.assert_allclose(duration, [0.5, 2.0, np.inf, 2.0, np.inf])
    np.testing.assert_allclose(delivered, [2.0, 2.0, 1.0, 0.0, 0.0])


@settings(deadline=None)
@given(seed=st.integers(0, 200), part=st.floats(0.0, 1.1))
def test_a_transfer_solved_again_midway_ends_as_if_it_had_not_been(seed: int, part: float) -> None:
    bits, edges, rates = _some_transfers(seed)
    midway = part * (edges[-1] - edges[0])
    whole, delivered = slotted_transfer(bits, edges, rates)
    before = np.minimum(bits, carried_until(midway, edges, rates))
    later, rest = slotted_transfer(bits - before, edges, rates, since_s=midway)
    np.testing.assert_allclose(before + rest, delivered, rtol=1e-12, atol=1e-12)
    left = bits - before > 1e-9
    slowest = np.min(rates, initial=1.0, where=rates > 0.0)
    np.testing.assert_allclose(later[left], whole[left], rtol=1e-12, atol=1e-12 / slowest)


def test_many_slots_tend_to_the_ergodic_rate() -> None:
    # The time to carry T·C bits deviates by std(R)·√T/C from T (renewal theorem).
    links, slots, mean_snr = 200, 2_000, 4.0
    gains = block_power_gain(stream(5, "slots"), (links, 2 * slots))
    rates = rate_bit_s(1e3, mean_snr * gains)
    capacity = 1e3 * ergodic_efficiency_bit_s_hz(mean_snr)
    duration, _ = slotted_transfer(capacity * slots, np.arange(2 * slots + 1.0), rates)
    standard_error = rates.std() / capacity * np.sqrt(slots / links)
    # The wait within the last slot adds less than one slot.
    assert abs(duration.mean() - slots) < 4.5 * standard_error + 1.0


def test_doubling_bits_and_bandwidth_leaves_the_time() -> None:
    snr = block_power_gain(stream(6, "scale"), (3, 50))
    edges = np.linspace(0.0, 1.0, 51)
    once = slotted_transfer(2e5, edges, rate_bit_s(1e6, snr))
    twice = slotted_transfer(4e5, edges, rate_bit_s(2e6, snr))
    np.testing.assert_allclose(twice[0], once[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("edges", "rates"),
    [([0.0, 1.0], [1.0, 2.0]), ([0.0, 2.0, 1.0], [1.0, 1.0]), ([0.0], []), ([0.0, 1.0], [-1.0])],
)
def test_bad_slots_are_refused(edges: list[float], rates: list[float]) -> None:
    with pytest.raises(ValueError, match=r"slot|rates"):
        slotted_transfer(1.0, edges, rates)
