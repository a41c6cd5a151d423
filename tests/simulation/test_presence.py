"""Devices that come and go: what is lost, what the others wait for, and when a run ends."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from cosim.mobility.availability import Spell
from cosim.trace.schema import Cause, EventKind, TopologyRow, TransferOutcome
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

SIDE_M = metres(15.0)
TRIANGLE = [(0.0, 0.0), (SIDE_M, 0.0), (SIDE_M / 2, SIDE_M * math.sqrt(0.75))]
BITS = 2_000_000


def three(
    spells: Mapping[int, Iterable[Spell]], rounds: int, **radio: Any
) -> tuple[MemoryTrace, RecordingLearner]:
    """All are at SNR 15 of each other and compute for 2 s; 2 Mbit take 1 s to both of the others
    at once, and half a second to one alone."""
    chosen = scenario(
        rounds=rounds,
        learning=NO_LEARNING | {"payload_bits": BITS},
        devices=[{"count": 3, "profile": PROFILE}],
        radio=ROUND_RADIO | radio,
    )
    learner = RecordingLearner(chosen)
    return simulate(chosen, at=TRIANGLE, spells=spells, learner=learner), learner


def close(*numbers: float) -> Any:
    return pytest.approx(numbers, rel=1e-12, abs=1e-12)


def test_without_absences() -> None:
    trace, learner = three({}, 2)
    assert [row.end_s for row in trace.rounds_of(0)] == close(3.0, 6.0)
    assert learner.discarded == []
    assert learner.mixed_by(0) == [({1: (1, n), 2: (2, n)}, {1: 0, 2: 0}) for n in (1, 2)]


def test_a_late_joiner_sits_out_what_had_begun() -> None:
    trace, learner = three({2: [(3.0, math.inf)]}, 3)
    # Rounds of two take 2.5 s and one of three takes 3 s.
    assert [row.end_s for row in trace.rounds_of(0)] == close(2.5, 5.0, 8.0)
    rows = trace.rounds_of(2)
    assert [(row.off_s, row.wait_s, row.compute_s, row.send_s) for row in rows] == [
        close(2.5, 0.0, 0.0, 0.0),
        close(0.5, 2.0, 0.0, 0.0),
        close(0.0, 0.0, 2.0, 1.0),
    ]
    assert [row.flop for row in rows] == [0.0, 0.0, 1.0e12]
    assert [row.energy_idle_j for row in rows] == close(0.0, 1.0, 0.5)
    assert trace.times(EventKind.JOIN, 2) == [3.0]
    assert learner.submitted[-3:] == [(0, 3), (1, 3), (2, 3)]
    assert [key for key in learner.submitted if key[0] == 2] == [(2, 3)]
    # A plan knows only those who are there when it is made.
    sizes = {
        (row.round, row.device): row.cluster_size
        for row in trace.rows
        if isinstance(row, TopologyRow)
    }
    assert sizes == {(1, 0): 2, (1, 1): 2, (2, 0): 2, (2, 1): 2} | {(3, k): 3 for k in range(3)}
    assert [t.round for t in trace.transfers if 2 in (t.src, t.dst)] == [3] * 4


@pytest.mark.parametrize(("left_s", "end_s"), [(1.0, 3.0), (0.25, 2.5), (1.75, 3.75)])
def test_who_leaves_while_it_computes_has_computed_for_nothing(left_s: float, end_s: float) -> None:
    """The others wait for Γ after the cut, or for what they do anyway: 2.5 s. Its joules, and what
    it did for them of 5e11 FLOP/s, count."""
    trace, learner = three({0: [(0.0, left_s)]}, 1)
    assert learner.discarded == [(0, 1)]
    assert sorted(learner.finished) == [(1, 1), (2, 1)]
    assert learner.mixed_by(0) == []
    assert learner.mixed_by(1) == [({2: (2, 1)}, {2: 0})]
    cut = [e for e in trace.events if e.kind is EventKind.CUT_OFF]
    assert [(e.time_s, e.device, e.cause) for e in cut] == [(left_s, 0, Cause.AVAILABILITY)]
    mine, other, _ = trace.rounds
    assert (mine.compute_s, mine.off_s) == close(left_s, end_s - left_s)
    assert (mine.flop, mine.energy_compute_j) == close(5.0e11 * left_s, 5.0 * left_s)
    assert mine.loss is None
    assert (other.end_s, other.send_s, other.wait_s) == close(end_s, 0.5, end_s - 2.5)
    assert (other.received, other.missed) == (1, 1)
    assert trace.times(EventKind.AGGREGATE, 1) == [other.end_s]


def test_who_is_away_misses_nothing() -> None:
    """Two leave before they have spoken: the third misses both, and they miss nobody."""
    trace, _ = three({0: [(0.0, 1.0)], 1: [(0.0, 1.5)]}, 1)
    assert [(row.received, row.missed) for row in trace.rounds] == [(0, 0), (0, 0), (0, 2)]
    assert [row.edges_used for row in trace.rounds] == [None, None, 0.0]


def test_nobody_sends_to_who_is_not_there() -> None:
    trace, _ = three({0: [(0.0, 1.0)]}, 1)
    for src in (1, 2):
        (row,) = trace.sent(src, 0)
        assert row.outcome is TransferOutcome.CANCELLED
        assert (row.start_s, row.end_s, row.delivered_bits) == (2.0, 2.0, 0.0)
        assert (row.power_w, row.bandwidth_hz) == (0.0, 0.0)
        assert (row.energy_tx_j, row.energy_rx_j) == (0.0, 0.0)
        assert row.distance_m == pytest.approx(SIDE_M)
        assert row.deadline_at_s == 4.0
    # The one who is there has all of the bandwidth and the power.
    assert (trace.sent(1, 2)[0].bandwidth_hz, trace.sent(1, 2)[0].power_w) == close(1.0e6, 1.0)
    started = [(e.device, e.peer) for e in trace.events if e.kind is EventKind.SEND_START]
    assert sorted(started) == [(1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("share", "end_s"),
    [
        ("fixed", 3.0),
        # ½ Mbit until 2.25 s; then all of W with half of the power, at SNR 7.5.
        ("dynamic", 2.25 + 1.5 / math.log2(8.5)),
    ],
)
def test_who_leaves_while_it_sends_is_cancelled(share: str, end_s: float) -> None:
    trace, learner = three({0: [(0.0, 2.25)]}, 1, share=share)
    for pair in ((0, 1), (0, 2), (1, 0), (2, 0)):
        (row,) = trace.sent(*pair)
        assert (row.outcome, row.end_s) == (TransferOutcome.CANCELLED, 2.25)
        assert row.delivered_bits == pytest.approx(0.25 * BITS, rel=1e-12)
        assert row.mean_rate_bit_s == pytest.approx(2.0e6, rel=1e-12)
    for pair in ((1, 2), (2, 1)):
        (row,) = trace.sent(*pair)
        assert row.outcome is TransferOutcome.DELIVERED
        assert row.end_s == pytest.approx(end_s, rel=1e-12)
    assert (learner.discarded, learner.mixed_by(0)) == ([], [])
    assert learner.mixed_by(1) == [({2: (2, 1)}, {2: 0})]
    # Nobody waits for what is cancelled.
    assert [row.end_s for row in trace.rounds] == pytest.approx([end_s] * 3, rel=1e-12)
    mine = trace.rounds_of(0)[0]
    assert (mine.compute_s, mine.send_s, mine.wait_s) == close(2.0, 0.25, 0.0)
    assert mine.bits_sent == pytest.approx(0.5 * BITS, rel=1e-12)
    assert (mine.received, mine.missed) == (0, 2)
    assert mine.flop == 1.0e12  # it was computed, though it came to nothing


def test_who_is_back_before_the_round_ends_idles_and_hears() -> None:
    """Cut off at 1 s and back at 1.5 s: what is sent to it at 2 s arrives, and newer takes its
    place before it is mixed."""
    trace, learner = three({0: [(0.0, 1.0), (1.5, math.inf)]}, 2)
    first, second = trace.rounds_of(0)
    assert (first.compute_s, first.off_s, first.wait_s, first.end_s) == close(1.0, 0.5, 1.5, 3.0)
    assert (first.received, first.missed) == (2, 0)
    assert [row.outcome for row in trace.sent(1, 0)] == [TransferOutcome.DELIVERED] * 2
    assert (second.compute_s, second.end_s) == close(2.0, 6.0)
    assert learner.mixed_by(0) == [({1: (1, 2), 2: (2, 2)}, {1: 0, 2: 0})]
    assert [key for key in learner.submitted if key[0] == 0] == [(0, 1), (0, 2)]


def test_who_is_cut_off_forgets_what_had_come() -> None:
    """Device 0 has 1's update at 3 s and is cut off at 5 s, while it waits for the slow device 2.

    What 2 sends at 8 s finds it back; device 1 leaves before it sends again.
    """
    slow = PROFILE | {"peak_flop_s": 2.5e11}  # 8 s
    chosen = scenario(
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": BITS},
        devices=[{"count": 2, "profile": PROFILE}, {"count": 1, "profile": slow}],
        radio=ROUND_RADIO,
    )
    learner = RecordingLearner(chosen)
    spells = {0: [(0.0, 5.0), (6.0, math.inf)], 1: [(0.0, 9.5)]}
    trace = simulate(chosen, at=TRIANGLE, spells=spells, learner=learner)
    assert [row.end_s for row in trace.rounds_of(0)] == close(9.0, 17.5)
    assert [row.received for row in trace.rounds_of(0)] == [2, 1]
    assert learner.discarded == [(1, 2)]
    assert learner.mixed_by(0) == [({2: (2, 2)}, {2: 0})]
    assert learner.mixed_by(1) == [({0: (0, 1), 2: (2, 1)}, {0: 0, 2: 0})]


def test_a_round_waits_for_the_first_who_is_back() -> None:
    trace, learner = three(
        {
            0: [(0.0, 1.0), (10.0, math.inf)],
            1: [(0.0, 1.5), (13.0, math.inf)],
            2: [(0.5, 1.25)],
        },
        3,
    )
    # All are cut off in the first round, and the second is one of device 0 alone.
    assert [row.end_s for row in trace.rounds_of(0)] == close(1.5, 12.0, 14.0)
    assert [(row.off_s, row.wait_s) for row in trace.rounds_of(0)] == [
        close(0.5, 0.0),
        close(8.5, 0.0),
        close(0.0, 0.0),
    ]
    assert [(row.off_s, row.wait_s) for row in trace.rounds_of(1)] == [
        close(0.0, 0.0),
        close(10.5, 0.0),
        close(1.0, 1.0),
    ]
    # Device 2 was not there when the first round began, and never comes back.
    assert [(row.round, row.off_s, row.wait_s) for row in trace.rounds_of(2)] == [(1, 0.75, 0.75)]
    assert sorted(learner.discarded) == [(0, 1), (1, 1)]
    assert learner.mixed_by(0) == [({}, {}), ({}, {})]
    assert not trace.transfers


def test_when_all_are_gone_the_run_ends() -> None:
    trace, learner = three({0: [(0.0, 1.0)], 1: [(0.0, 1.5)], 2: [(0.0, 0.5)]}, 5)
    assert [(row.round, row.end_s) for row in trace.rounds] == [(1, 1.5)] * 3
    assert sorted(learner.discarded) == [(0, 1), (1, 1), (2, 1)]
    assert {e.time_s for e in trace.events if e.kind is EventKind.LEAVE} == {0.5, 1.0, 1.5}
    assert max(row.time_s for row in trace.events) == 1.5


def test_when_nobody_is_ever_there_nothing_happens() -> None:
    trace, learner = three({k: [] for k in range(3)}, 5)
    assert trace.rounds == []
    assert learner.submitted == []
    assert {e.kind for e in trace.events} == {EventKind.LEAVE}
