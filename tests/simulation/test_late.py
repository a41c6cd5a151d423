"""Beyond its deadline an update is lost, or stays in the air and is mixed a round later."""

from typing import Any

import pytest

from cosim.scenario.model import Scenario
from cosim.trace.schema import EventKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    RecordingLearner,
    metres,
    scenario,
    simulate,
)

MBIT = 1_000_000
FAR = [(0.0, 0.0), (metres(1.0), 0.0)]  # 1 Mbit/s
STALE = {"late": "stale"}


class Sized(RecordingLearner):
    """Payloads of each round in bits."""

    def __init__(self, chosen: Scenario, bits: dict[int, int]) -> None:
        super().__init__(chosen)
        self._bits_of = bits

    def payload_bits(self, update: Any, receiver: int) -> int:
        return self._bits_of[update[1]]


def two(bits: dict[int, int], **radio: Any) -> tuple[MemoryTrace, RecordingLearner]:
    """Two devices compute for 2 s and send to each other at 1 Mbit/s; Γ is 2 s."""
    chosen = scenario(
        rounds=len(bits),
        learning=NO_LEARNING,
        devices=[{"count": 2, "profile": PROFILE}],
        radio=ROUND_RADIO | radio,
    )
    learner = Sized(chosen, bits)
    return simulate(chosen, at=FAR, learner=learner), learner


def test_half_a_deadline_late_arrives_in_the_next_round() -> None:
    """Sent at 2 s, given up at 4 s, there at 5 s, mixed at 7 s with the update of that round."""
    trace, learner = two({1: 3 * MBIT, 2: MBIT}, **STALE)
    late, fresh = trace.sent(0, 1)
    assert (late.round, late.outcome, late.delivered_bits) == (1, TransferOutcome.LATE, 3 * MBIT)
    assert (late.start_s, late.deadline_at_s, late.end_s) == pytest.approx((2, 4, 5), rel=1e-12)
    assert late.energy_tx_j == pytest.approx(3.0 * (1.0 / 0.4 + 0.25), rel=1e-12)
    assert late.energy_rx_j == pytest.approx(3.0 * 0.75, rel=1e-12)
    assert fresh.outcome is TransferOutcome.DELIVERED
    assert fresh.end_s == pytest.approx(7.0, rel=1e-12)
    assert trace.times(EventKind.DEADLINE, 1) == [4.0]
    assert trace.times(EventKind.RECEIVE, 1) == pytest.approx([5.0, 7.0], rel=1e-12)
    # The newest update of a sender counts.
    assert learner.mixed_by(1) == [({}, {}), ({0: (0, 2)}, {0: 0})]
    first, second = trace.rounds_of(1)
    assert (first.end_s, second.end_s) == pytest.approx((4.0, 7.0), rel=1e-12)
    assert (first.received, first.stale, first.missed) == (0, 0, 1)
    assert (second.received, second.stale, second.missed) == (1, 1, 0)


def test_what_comes_late_is_mixed_with_its_age() -> None:
    """In no round anything is in time; each mixes what the one before sent, once it is there."""
    trace, learner = two(dict.fromkeys((1, 2, 3), 3 * MBIT), **STALE)
    assert [row.end_s for row in trace.rounds_of(0)] == pytest.approx([4.0, 8.0, 12.0], rel=1e-12)
    assert learner.mixed_by(0) == [({}, {}), ({1: (1, 1)}, {1: 1}), ({1: (1, 2)}, {1: 1})]
    assert [(row.received, row.stale, row.missed) for row in trace.rounds_of(0)] == [
        (0, 0, 1),
        (0, 1, 1),
        (0, 1, 1),
    ]
    # The last round ends with its deadline: what is then in the air is of no use.
    assert [(row.outcome, row.delivered_bits) for row in trace.sent(1, 0)] == [
        (TransferOutcome.LATE, 3 * MBIT),
        (TransferOutcome.LATE, 3 * MBIT),
        (TransferOutcome.LATE, pytest.approx(2 * MBIT, rel=1e-12)),
    ]
    middle = trace.rounds_of(0)[1]
    # It computes from 4 to 6 s; it sends the old until 5 s and the new from 6 to 8 s.
    assert (middle.compute_s, middle.send_s) == pytest.approx((2.0, 3.0), rel=1e-12)
    assert middle.wait_s == pytest.approx(0.0, abs=1e-12)
    assert middle.energy_idle_j == pytest.approx(0.5 * 2.0, rel=1e-12)
    assert middle.energy_rx_j == pytest.approx(0.75 * 3.0, rel=1e-12)


def test_the_next_send_cuts_what_is_still_in_the_air() -> None:
    """6 Mbit take 6 s, and 4 s after them the next round's are sent."""
    trace, learner = two({1: 6 * MBIT, 2: MBIT}, **STALE)
    cut, fresh = trace.sent(0, 1)
    assert (cut.outcome, cut.end_s, fresh.start_s) == (TransferOutcome.LATE, 6.0, 6.0)
    assert cut.delivered_bits == pytest.approx(4 * MBIT, rel=1e-12)
    assert cut.mean_rate_bit_s == pytest.approx(MBIT, rel=1e-12)
    assert fresh.outcome is TransferOutcome.DELIVERED
    assert learner.mixed_by(1) == [({}, {}), ({0: (0, 2)}, {0: 0})]
    assert [row.stale for row in trace.rounds] == [0] * 4
    assert [row.bits_sent for row in trace.rounds_of(0)] == pytest.approx([0.0, 5 * MBIT])


def test_it_goes_on_for_many_deadlines() -> None:
    """6 Mbit of 0.1 s deadlines: 60 Γ of one rate, while the next round is computed."""
    chosen = scenario(
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": 6 * MBIT, "flop": 4.0e12},
        devices=[{"count": 2, "profile": PROFILE}],
        radio=ROUND_RADIO | STALE | {"deadline_s": 0.1},
    )
    learner = RecordingLearner(chosen)
    trace = simulate(chosen, at=FAR, learner=learner)
    late, last = trace.sent(0, 1)
    assert (late.outcome, late.delivered_bits) == (TransferOutcome.LATE, 6 * MBIT)
    assert late.end_s == pytest.approx(8.0 + 6.0, rel=1e-12)
    assert late.mean_snr_db == pytest.approx(0.0, abs=1e-9)
    assert late.bandwidth_hz == pytest.approx(1.0e6, rel=1e-12)
    assert (last.start_s, last.end_s) == pytest.approx((16.1, 16.2), rel=1e-12)
    assert learner.mixed_by(1) == [({}, {}), ({0: (0, 1)}, {0: 1})]


def test_where_late_updates_are_dropped_nothing_outlives_its_deadline() -> None:
    trace, learner = two(dict.fromkeys((1, 2, 3), 3 * MBIT), late="drop")
    assert [row.end_s for row in trace.rounds_of(0)] == [4.0, 8.0, 12.0]
    assert learner.mixed_by(0) == [({}, {})] * 3
    for row in trace.transfers:
        assert (row.outcome, row.end_s) == (TransferOutcome.LATE, row.deadline_at_s)
        assert row.delivered_bits == pytest.approx(2 * MBIT, rel=1e-12)
    assert [(row.received, row.stale, row.missed) for row in trace.rounds] == [(0, 0, 1)] * 6
    assert not [e for e in trace.events if e.kind is EventKind.RECEIVE]


def test_exactly_at_the_deadline_is_in_time() -> None:
    for late in ("drop", "stale"):
        trace, learner = two({1: 2 * MBIT}, late=late)
        assert [row.outcome for row in trace.transfers] == [TransferOutcome.DELIVERED] * 2
        assert learner.mixed_by(0) == [({1: (1, 1)}, {1: 0})]


def test_who_leaves_loses_what_was_late_in_the_air() -> None:
    """Device 0 leaves at 4.5 s, when its update of the first round is half a second from there."""
    chosen = scenario(
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": 3 * MBIT},
        devices=[{"count": 2, "profile": PROFILE}],
        radio=ROUND_RADIO | STALE,
    )
    learner = RecordingLearner(chosen)
    trace = simulate(chosen, at=FAR, spells={0: [(0.0, 4.5)]}, learner=learner)
    for pair in ((0, 1), (1, 0)):
        first = trace.sent(*pair)[0]
        assert (first.outcome, first.end_s) == (TransferOutcome.LATE, 4.5)
        assert first.delivered_bits == pytest.approx(2.5 * MBIT, rel=1e-12)
    assert learner.mixed_by(1) == [({}, {}), ({}, {})]
    assert learner.discarded == [(0, 2)]
    assert [(row.received, row.stale) for row in trace.rounds] == [(0, 0)] * 4


def test_with_dynamic_shares_a_late_one_goes_on_in_all_of_the_bandwidth() -> None:
    """Both of two receivers are late; the nearer's arrival leaves all to the farther.

    Half of the power in half of 1 MHz: 1 Mbit/s and 0.5 Mbit/s; 3 Mbit are there after 3 s, when
    the farther has 1.5 Mbit; then it has 1 MHz at SNR 0.5.
    """
    chosen = scenario(
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": 3 * MBIT, "flop": 5.0e12},
        devices=[{"count": 1, "profile": PROFILE}, {"count": 2, "profile": PROFILE}],
        radio=ROUND_RADIO | STALE | {"share": "dynamic"},
        method={"name": "proposed_single_cluster", "topology": "complete"},
    )
    places = [(0.0, 0.0), (metres(3.0), 0.0), (0.0, metres(1.0))]
    trace = simulate(chosen, at=places, learner=RecordingLearner(chosen))
    near, far = trace.sent(0, 1)[0], trace.sent(0, 2)[0]
    assert (near.start_s, near.end_s) == pytest.approx((10.0, 13.0), rel=1e-12)
    assert far.end_s == pytest.approx(13.0 + 1.5 / 0.5849625007211562, rel=1e-12)
    assert (near.outcome, far.outcome) == (TransferOutcome.LATE, TransferOutcome.LATE)
    assert near.power_w == far.power_w == pytest.approx(0.5)
    assert far.delivered_bits == 3 * MBIT
