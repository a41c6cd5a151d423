"""What a turn on the air has besides its sums, by hand: reports, what a receiver tells, guards."""

from collections import Counter, defaultdict

import pytest

from cosim.methods.workload import Workload
from cosim.preflight.disk import rows_at_most
from cosim.preflight.explain import explain
from cosim.trace.schema import TransferOutcome
from tests.simulation.air_networks import (
    GUARD,
    PILOT,
    SCALAR_BITS,
    SUMS_S,
    W_HZ,
    Speaking,
    before_s,
    chosen_of,
    control_rows,
    played,
    reports_s,
    stars,
    turn_s,
    updates,
)
from tests.simulation.small_networks import metres


@pytest.mark.parametrize(("scales", "bit_s_hz"), [(0, 1.0), (6, 1.0), (6, 0.5)])
def test_one_turn_by_hand(scales: int, bit_s_hz: float) -> None:
    """Two devices: each hears the other for D/(2W) after its report and what it replies itself."""
    chosen = chosen_of(2, access={"control_bit_s_hz": bit_s_hz})
    places = [(0.0, 0.0), (metres(40), 0.0)]
    trace = played(chosen, Speaking(chosen, scales), places=places)
    first, second = sorted(updates(trace), key=lambda row: row.start_s)
    before, turn = before_s(1, scales, bit_s_hz), turn_s(1, scales, bit_s_hz)
    assert first.start_s - 2.0 == pytest.approx(before)
    assert first.end_s - first.start_s == pytest.approx(0.05)
    assert second.start_s - 2.0 == pytest.approx(turn + before)
    assert trace.rounds[0].end_s - 2.0 == pytest.approx(2 * turn)
    for row in (first, second):
        # The only sender is the weakest: 1 W, 40 times the noise at its receiver.
        assert row.power_w == pytest.approx(1.0)
        assert 10 ** (row.mean_snr_db / 10) == pytest.approx(40.0)
        assert row.estimate_error == pytest.approx(1 / 40)
        assert (row.bits, row.sent_bits, row.symbols) == (0, 0.0, 50_000)
        # 1 W over the amplifier's 0.4, and the chain's 0.25 W, for 0.05 s.
        assert row.energy_tx_j == pytest.approx(0.05 * (1.0 / 0.4 + 0.25))
        assert row.energy_rx_j == pytest.approx(0.05 * 0.75)


def test_the_time_of_the_sums_does_not_grow_with_the_senders_that_of_the_reports_does() -> None:
    """The leaves of two stars, of two and of seven devices, in as many turns."""
    lasted = []
    for count, topology in ((3, "ring"), (6, "ring"), (12, "ring")):
        trace = played(chosen_of(count, topology), places=[(k, 0.0) for k in range(count)])
        lasted.append(trace.rounds[0].end_s - 2.0)
    assert lasted == pytest.approx([3 * turn_s(2)] * 3)
    turns = []
    for count in (3, 8):
        trace = played(chosen_of(count), places=[(float(k), 0.0) for k in range(count)])
        for rows in stars(updates(trace)).values():
            assert len({(row.start_s, row.end_s) for row in rows}) == 1
            assert len(rows) == count - 1
            turns.append(rows[0].end_s - rows[0].start_s)
        reports = stars(control_rows(trace, 0))
        assert len(reports) == count
        for rows in reports.values():
            (lasts_s,) = {row.end_s - row.start_s for row in rows}
            assert lasts_s == pytest.approx((count - 1) * PILOT / W_HZ)
        # Half duplex: no device is in two turns at once, so that a clique takes one each.
        assert trace.rounds[0].end_s - 2.0 == pytest.approx(count * turn_s(count - 1))
    assert turns == pytest.approx([SUMS_S] * 11)


def test_reports_of_one_turn_end_together() -> None:
    """In a line of five an end and a middle have their turns together, of one and two senders."""
    trace = played(chosen_of(5, "line"), places=[(float(k), 0.0) for k in range(5)])
    parts = defaultdict(list)
    for row in control_rows(trace, 0):
        parts[row.start_s].append(row)
    senders = [Counter(row.dst for row in rows) for _, rows in sorted(parts.items())]
    assert sorted(sorted(counts.values()) for counts in senders) == [[1, 2], [1, 2], [2]]
    for rows in parts.values():
        assert len({row.end_s for row in rows}) == 1
        assert rows[0].end_s - rows[0].start_s == pytest.approx(reports_s(2))
        assert [row.bandwidth_hz for row in rows] == pytest.approx([W_HZ / 2] * len(rows))
        assert [row.power_w for row in rows] == pytest.approx([1 / 2] * len(rows))
    assert trace.rounds[0].end_s - 2.0 == pytest.approx(3 * turn_s(2))


def test_nobody_reports_what_takes_no_time() -> None:
    """Without pilots, and of vectors without means and scales."""
    trace = played(chosen_of(access={"pilot_symbols": 0, "guard_symbols": 0}))
    assert not control_rows(trace, 0)
    assert len(control_rows(trace, SCALAR_BITS)) == 4 * 3
    assert trace.rounds[0].end_s - 2.0 == pytest.approx(4 * (SCALAR_BITS / W_HZ + SUMS_S))
    assert {row.outcome for row in trace.transfers} == {TransferOutcome.DELIVERED}


def test_what_a_receiver_tells_is_charged_by_bits_time_and_power() -> None:
    chosen = chosen_of()
    trace = played(chosen, Speaking(chosen, scales=6))
    replies = control_rows(trace, (2 * 6 + 1) * SCALAR_BITS)
    assert len(replies) == 4 * 3
    lasts_s = (PILOT + (2 * 6 + 1) * SCALAR_BITS) / W_HZ
    for row in replies:
        assert row.bits == row.delivered_bits == row.sent_bits == 130
        assert row.end_s - row.start_s == pytest.approx(lasts_s)
        assert row.power_w == pytest.approx(1 / 3)
        assert row.bandwidth_hz == pytest.approx(W_HZ)
        assert (row.symbols, row.estimate_error) == (None, None)
        assert row.energy_tx_j == pytest.approx(lasts_s * (1 / 3 / 0.4 + 0.25 / 3))
        assert row.energy_rx_j == pytest.approx(lasts_s * 0.75)
    # To each of three a reply and a report.
    assert trace.rounds[0].bits_sent == 3 * (130 + 120)


def test_what_senders_report_is_charged_by_bits_time_and_power() -> None:
    """A third of the band and of p_max for three slots: the amplifiers' energy of turns at p_max,
    while the sender's chain and the receiver's, of which each report has a third, stay on."""
    chosen = chosen_of()
    trace = played(chosen, Speaking(chosen, scales=6))
    reports = control_rows(trace, 2 * 6 * SCALAR_BITS)
    assert len(reports) == 4 * 3
    slot_s = (PILOT + 2 * 6 * SCALAR_BITS) / W_HZ
    for row in reports:
        assert row.bits == row.delivered_bits == row.sent_bits == 120
        assert row.end_s - row.start_s == pytest.approx(3 * slot_s)
        assert row.power_w == pytest.approx(1 / 3)
        assert row.bandwidth_hz == pytest.approx(W_HZ / 3)
        assert (row.symbols, row.estimate_error) == (None, None)
        assert row.energy_tx_j == pytest.approx(slot_s * 1 / 0.4 + 3 * slot_s * 0.25)
        assert row.energy_rx_j == pytest.approx(3 * slot_s * 0.75 / 3)
        # What one over the whole band at p_max would have.
        snr = 1 / (row.distance_m / metres(1)) ** 2
        assert 10 ** (row.mean_snr_db / 10) == pytest.approx(snr)
    for receiver in range(4):
        heard = [row for row in reports if row.dst == receiver]
        begin_s = min(row.start_s for row in control_rows(trace, 130) if row.src == receiver)
        assert [row.end_s for row in heard] == pytest.approx(
            [begin_s - GUARD / W_HZ] * 3, abs=1e-12
        )
        assert {row.src for row in heard} == set(range(4)) - {receiver}


@pytest.mark.parametrize("device", [0, 1])
@pytest.mark.parametrize("gone_s", [2.0 + reports_s(1) / 2, 2.0 + reports_s(1) + 1e-6])
def test_a_turn_whose_receiver_or_only_sender_goes_before_the_reply(
    device: int, gone_s: float
) -> None:
    """Nobody replies or sends, and the turn ends on time; the other one mixes what it has."""
    chosen = chosen_of(2)
    learner = Speaking(chosen)
    trace = played(chosen, learner, spells={device: [(0.0, gone_s)]})
    assert not updates(trace)
    (report,) = trace.transfers
    amid = gone_s < 2.0 + reports_s(1)
    assert report.outcome is (TransferOutcome.CANCELLED if amid else TransferOutcome.DELIVERED)
    assert report.energy_tx_j == pytest.approx((report.end_s - 2.0) * (1 / 0.4 + 0.25), abs=1e-12)
    (row,) = trace.rounds_of(1 - device)
    assert (row.received, row.missed) == (0, 1)
    # What the air is held for: the rest of the turn that began; nobody is left for another.
    assert row.end_s - 2.0 == pytest.approx(turn_s(1))
    assert learner.mixed[1 - device, 1] == ({}, {})


def test_what_is_foreseen_of_a_turn_is_what_it_takes() -> None:
    chosen = chosen_of(rounds=2)
    trace = played(chosen)
    (turns,) = [fact for fact in explain(chosen).facts if fact.name == "turns"]
    assert turns.amounts["turn_s"] == pytest.approx(turn_s(3))
    assert turns.amounts["overhead_s"] == pytest.approx(turn_s(3) - SUMS_S)
    rows = rows_at_most(chosen, [Workload.of_flop(1e12)] * 4, 0)
    assert len(trace.transfers) == rows["transfers"] == 2 * 4 * 3 * 3
    assert len(trace.events) <= rows["events"]
