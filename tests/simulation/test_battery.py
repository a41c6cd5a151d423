"""A battery lasts as long as its charge: the instant of empty by hand, and what then stops."""

import math
from typing import Any

import pytest
from simpy import Environment

from cosim.mobility.trajectory import PiecewiseLinear
from cosim.simulation.energy.battery import Battery
from cosim.trace.schema import Cause, EventKind, TransferOutcome
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

SLOW = PROFILE | {"peak_flop_s": 1.0e11}  # 20 s of computing where PROFILE takes 2 s
PLACES = [(0.0, 0.0), (metres(15.0), 0.0)]


def two(battery_j: float, other: dict[str, Any] = PROFILE, **sections: Any) -> MemoryTrace:
    """Device 0 has a battery and computes for 2 s; each sends 4 Mbit at SNR 15, in 1 s."""
    profile = PROFILE | {"battery_j": battery_j}
    groups = [{"count": 1, "profile": profile}, {"count": 1, "profile": other}]
    chosen = scenario(**({"devices": groups, "radio": ROUND_RADIO, "rounds": 2} | sections))
    return simulate(chosen, at=PLACES)


def emptied(trace: MemoryTrace, device: int = 0) -> float:
    """When the device left for want of energy."""
    (left,) = [e for e in trace.events if e.kind is EventKind.LEAVE]
    assert (left.device, left.cause) == (device, Cause.BATTERY_EMPTY)
    return left.time_s


def test_a_battery_is_empty_while_the_device_computes() -> None:
    """8 J at 5 W last 1.6 s; nothing was sent, so device 1 gives up Γ later."""
    trace = two(8.0)
    assert emptied(trace) == pytest.approx(1.6, rel=1e-12)
    first = trace.rounds_of(0)[0]
    assert (first.compute_s, first.wait_s) == pytest.approx((1.6, 0.0), rel=1e-12)
    assert first.energy_compute_j == pytest.approx(8.0, rel=1e-12)
    assert first.battery_j == 0.0
    assert first.end_s == pytest.approx(1.6 + 2.0, rel=1e-12)
    assert first.off_s == pytest.approx(2.0, rel=1e-12)
    other = trace.rounds_of(1)[0]
    assert (other.end_s, other.received, other.missed) == (first.end_s, 0, 1)
    # Device 1 sends to nobody: device 0 is gone by the time at which it has computed.
    assert [(row.outcome, row.start_s, row.end_s) for row in trace.transfers] == [
        (TransferOutcome.CANCELLED, 2.0, 2.0)
    ]


def test_a_battery_is_empty_while_the_device_waits() -> None:
    """2 s of 5 W; 1 s of 0.5 W idle, 1/0.4 W amplifier and 0.25 W chain; then idle at 0.5 W."""
    trace = two(10.0 + 3.25 + 0.5 * 4.0, other=SLOW)
    assert emptied(trace) == pytest.approx(2.0 + 1.0 + 4.0, rel=1e-12)
    (sent,) = trace.sent(0, 1)
    assert sent.outcome is TransferOutcome.DELIVERED
    assert sent.end_s == pytest.approx(3.0, rel=1e-12)
    row = trace.rounds_of(0)[0]
    assert (row.compute_s, row.send_s, row.wait_s) == pytest.approx((2.0, 1.0, 4.0), rel=1e-12)
    assert row.energy_tx_j == pytest.approx(2.75, rel=1e-12)
    assert row.energy_idle_j == pytest.approx(2.5, rel=1e-12)
    # Device 1 mixed what had come, and sent to nobody when it had computed at 20 s.
    assert trace.rounds_of(1)[0].end_s == pytest.approx(20.0, rel=1e-12)
    assert [t.outcome for t in trace.sent(1, 0)] == [TransferOutcome.CANCELLED]


@pytest.mark.parametrize("part", [0.25, 0.75])
def test_a_battery_is_empty_while_the_device_sends(part: float) -> None:
    """Sending draws 3.25 W: it stops in the middle, and the bits so far are lost."""
    trace = two(10.0 + part * 3.25, other=SLOW)
    assert emptied(trace) == pytest.approx(2.0 + part, rel=1e-12)
    (sent,) = trace.sent(0, 1)
    assert sent.outcome is TransferOutcome.CANCELLED
    assert sent.end_s == pytest.approx(2.0 + part, rel=1e-12)
    assert sent.delivered_bits == pytest.approx(part * 4.0e6, rel=1e-9)
    assert sent.energy_rx_j == pytest.approx(part * 0.75, rel=1e-9)
    # Nobody waits for a transfer that has ended: device 1's own work is the rest of its round.
    assert trace.rounds_of(1)[0].end_s == pytest.approx(20.0, rel=1e-12)
    assert trace.rounds_of(1)[0].missed == 1


def test_a_battery_is_empty_while_the_device_hears() -> None:
    """Both compute for 2 s and send for 1 s: 0.5 + 2.5 + 0.25 + 0.75 = 4 W while on the air."""
    trace = two(10.0 + 4.0 * 0.5)
    assert emptied(trace) == pytest.approx(2.5, rel=1e-12)
    assert [row.outcome for row in trace.transfers] == [TransferOutcome.CANCELLED] * 2
    assert {row.end_s for row in trace.transfers} == {emptied(trace)}
    row = trace.rounds_of(0)[0]
    assert row.energy_rx_j == pytest.approx(0.375, rel=1e-12)
    assert row.energy_idle_j == pytest.approx(0.25, rel=1e-12)
    assert row.end_s == emptied(trace)


def test_what_is_through_in_the_instant_of_empty_counts() -> None:
    """The charge ends to the bit with the transfer; the neighbour has it all."""
    trace = two(10.0 + 3.25, other=SLOW)
    assert emptied(trace) == pytest.approx(3.0, rel=1e-12)
    (sent,) = trace.sent(0, 1)
    assert (sent.outcome, sent.delivered_bits) == (TransferOutcome.DELIVERED, 4.0e6)
    assert trace.rounds_of(1)[0].received == 1


def test_a_device_with_an_empty_battery_never_returns() -> None:
    trace = two(8.0, rounds=3)
    empty_s = emptied(trace)
    assert trace.times(EventKind.JOIN, 0) == []
    assert [row.round for row in trace.rounds_of(0)] == [1]
    assert [row.round for row in trace.rounds_of(1)] == [1, 2, 3]
    mine = [e for e in trace.events if e.device == 0 and e.time_s > empty_s]
    assert {e.kind for e in mine} == {EventKind.ROUND_END}
    # Without it device 1 exchanges with nobody, and its rounds take as long as its work.
    assert [row.compute_s for row in trace.rounds_of(1)] == pytest.approx([2.0] * 3, rel=1e-12)
    assert [row.wait_s for row in trace.rounds_of(1)[1:]] == [0.0, 0.0]
    assert not [t for t in trace.transfers if t.round > 1]


def test_a_device_that_is_off_draws_nothing_and_is_empty_when_its_charge_is() -> None:
    """8 J: 1 s at 5 W, off beyond 1.6 s, when all would have been used up, and on again.

    When it is back it idles for the rest of the round, whose end is Γ after the cut.
    """
    profile = PROFILE | {"battery_j": 8.0}
    groups = [{"count": 1, "profile": profile}, {"count": 1, "profile": PROFILE}]
    chosen = scenario(devices=groups, radio=ROUND_RADIO, rounds=2)
    trace = simulate(chosen, at=PLACES, spells={0: [(0.0, 1.0), (2.5, math.inf)]})
    left = [(e.time_s, e.cause) for e in trace.events if e.kind is EventKind.LEAVE]
    # 3 J are left at 1 s; idle from 2.5 s to 3 s costs 0.25 J, and 2.75 J at 5 W last 0.55 s.
    assert left == [(1.0, Cause.AVAILABILITY), (pytest.approx(3.55), Cause.BATTERY_EMPTY)]
    first, second = trace.rounds_of(0)
    assert (first.end_s, first.off_s, first.wait_s) == pytest.approx((3.0, 1.5, 0.5), rel=1e-12)
    assert first.battery_j == pytest.approx(2.75, rel=1e-12)
    assert second.compute_s == pytest.approx(0.55, rel=1e-12)
    assert second.battery_j == 0.0


def test_power_that_falls_and_rises_again() -> None:
    """10 J: 5 W for 1 s, nothing for 9 s, 1 W for 2 s, then 6 W: empty at 12.5 s."""
    env, found = Environment(), list[float]()
    battery = Battery(env, 10.0, lambda: found.append(float(env.now)))
    for at_s, watts in ((0.0, 5.0), (1.0, 0.0), (10.0, 1.0), (12.0, 6.0)):
        if at_s > 0:
            env.run(until=at_s)
        battery.draw(watts)
    assert battery.left_j == pytest.approx(3.0, rel=1e-12)
    env.run()
    assert found == [pytest.approx(12.5, rel=1e-12)]
    assert battery.left_j == 0.0


def test_what_a_device_spends_between_two_rounds_is_in_its_last_row() -> None:
    """Device 0 ends a round with 1 at 3 s, and the next one is with 2, which is busy until 20 s.

    It has 1 J left, waits with it for 2 s at 0.5 W, and takes part no more.
    """
    profiles = [PROFILE | {"battery_j": 15.0}, PROFILE, SLOW]
    chosen = scenario(
        rounds=2,
        devices=[{"count": 1, "profile": profile} for profile in profiles],
        method={
            "name": "proposed_single_cluster",
            "topology": {"graph": "nearest", "degree": 1},
            "schedule": "cluster",
        },
        radio=ROUND_RADIO,
    )
    near_m = metres(15.0)
    # It goes as the round ends, so that its transfers lose next to nothing.
    legs = [(3.0 - 1e-5, near_m, 0.0), (1e-5, -9 * near_m, 0.0)]
    leaves = PiecewiseLinear((near_m, 0.0), iter(legs), speed_limit_m_s=1e13)
    trace = simulate(chosen, at=[(0.0, 0.0), leaves, (0.0, 2 * near_m)])
    assert emptied(trace) == pytest.approx(5.0, rel=1e-3)
    first, second = trace.rounds_of(0)
    assert (first.end_s, first.battery_j) == pytest.approx((3.0, 1.0), rel=1e-3)
    assert (second.end_s, second.wait_s, second.off_s) == pytest.approx((40.0, 2.0, 35.0), rel=1e-3)
    assert second.energy_idle_j == pytest.approx(1.0, rel=1e-3)
    assert second.battery_j == 0.0
    assert [row.end_s for row in trace.rounds_of(2)] == pytest.approx([20.0, 40.0], rel=1e-12)


def test_all_batteries_empty_end_the_run() -> None:
    """15 J are 3 s of 5 W: of 20 s of computing neither device does more."""
    groups = [{"count": 2, "profile": SLOW | {"battery_j": 15.0}}]
    trace = simulate(scenario(devices=groups, radio=ROUND_RADIO, rounds=5), at=PLACES)
    assert [(row.round, row.end_s) for row in trace.rounds] == [(1, 3.0)] * 2
    assert not trace.transfers


@pytest.mark.parametrize(("battery_j", "heard"), [(20.0, False), (21.5, True)])
def test_what_would_be_computed_in_the_instant_of_empty_is_lost(
    battery_j: float, heard: bool
) -> None:
    """4 s at 5 W, and 0.75 W besides from 2 s on where the other sends: empty at 4 s to the bit,
    known before the computation began or only in the middle of it."""
    own = PROFILE | {"peak_flop_s": 5.0e11, "battery_j": battery_j}
    chosen = scenario(
        devices=[{"count": 1, "profile": own}, {"count": 1, "profile": PROFILE if heard else SLOW}],
        radio=ROUND_RADIO | {"deadline_s": 3.0},
        learning=NO_LEARNING | {"payload_bits": 12_000_000},
    )
    learner = RecordingLearner(chosen)
    trace = simulate(chosen, at=PLACES, learner=learner)
    assert emptied(trace) == 4.0
    assert trace.rounds_of(0)[0].compute_s == 4.0
    assert trace.times(EventKind.COMPUTE_END, 0) == []
    assert (0, 1) in learner.discarded


@pytest.mark.parametrize("compute_s", [2.0, 1.0])
def test_what_would_be_computed_in_the_instant_of_leaving_is_lost(compute_s: float) -> None:
    """Device 0 leaves at 2 s; its first, or its second, computation would end then."""
    profile = PROFILE | {"peak_flop_s": 4.0e12 / (2 * compute_s)}
    chosen = scenario(devices=[{"count": 1, "profile": profile}], rounds=3, method="local")
    learner = RecordingLearner(chosen)
    simulate(chosen, at=PLACES[:1], spells={0: [(0.0, 2.0), (10.0, math.inf)]}, learner=learner)
    assert learner.discarded == [(0, round(2.0 / compute_s))]
