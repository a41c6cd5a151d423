"""A device's round: its times add up, its energy is the integral of its power, its wait ends."""

import itertools
import math

import numpy as np
import pytest

from cosim.scenario.model import Scenario
from cosim.trace.schema import Cause, EventKind, RoundRow, TopologyRow, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    method,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)

WALK = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0]}
SLOW = {
    "peak_flop_s": 1.0e11,
    "utilisation": 0.5,
    "compute_w": 2.0,
    "idle_w": 1.5,
    "pa_efficiency": 0.2,
    "transmit_circuit_w": 0.1,
    "receive_w": 0.3,
    "battery_j": 1000.0,
}


def mixed(**sections: object) -> Scenario:
    """Two fast devices and two slow ones that walk, in fading, some transfers late."""
    given = {
        "rounds": 3,
        "devices": [
            {"count": 2, "profile": PROFILE, "mobility": WALK},
            {"count": 2, "profile": SLOW, "mobility": WALK},
        ],
        "radio": {"fading": {"model": "clarke", "sinusoids": 16}, "p_max_dbm": 10},
        "trace": {"positions_every_s": 0.7},
    }
    return scenario(**{**given, **sections})


@pytest.fixture(scope="module")
def trace() -> MemoryTrace:
    found = simulate(mixed())
    outcomes = {row.outcome for row in found.transfers}
    assert outcomes == {TransferOutcome.DELIVERED, TransferOutcome.LATE}, (
        "the scenario is too easy or too hard"
    )
    return found


def test_times_add_up_and_rounds_tile_the_time(trace: MemoryTrace) -> None:
    for row in trace.rounds:
        parts = row.compute_s + row.send_s + row.wait_s
        assert parts == pytest.approx(row.end_s - row.start_s, rel=1e-12)
        assert min(row.compute_s, row.send_s, row.wait_s) >= 0
    for device in range(4):
        mine = [row for row in trace.rounds if row.device == device]
        assert [row.round for row in mine] == [1, 2, 3]
        assert mine[0].start_s == 0
        assert all(a.end_s == b.start_s for a, b in itertools.pairwise(mine))


def test_times_of_a_round_are_those_of_its_transfers(trace: MemoryTrace) -> None:
    for row in trace.rounds:
        sent = [t for t in trace.transfers if (t.round, t.src) == (row.round, row.device)]
        begun = row.start_s + row.compute_s
        assert {t.start_s for t in sent} == {begun}
        assert row.send_s == pytest.approx(max(t.end_s for t in sent) - begun, rel=1e-12)


def power_w(trace: MemoryTrace, device: int, time_s: float) -> float:
    """All watts that a device draws at a moment, from the trace and its profile."""
    profile = PROFILE if device < 2 else SLOW
    (row,) = [r for r in trace.rounds if r.device == device and r.start_s <= time_s < r.end_s]
    computes = time_s < row.start_s + row.compute_s
    watts = profile["compute_w"] if computes else profile["idle_w"]
    open_ = [t for t in trace.transfers if t.start_s <= time_s < t.end_s]
    sent = [t for t in open_ if t.src == device]
    watts += sum(t.power_w for t in sent) / profile["pa_efficiency"]
    # One chain each way, however many transfers it carries.
    watts += profile["transmit_circuit_w"] if sent else 0.0
    watts += profile["receive_w"] if any(t.dst == device for t in open_) else 0.0
    return float(watts)


@pytest.mark.parametrize("device", range(4))
def test_energy_is_the_integral_of_power(trace: MemoryTrace, device: int) -> None:
    mine = [row for row in trace.rounds if row.device == device]
    moments = {row.start_s for row in mine} | {row.end_s for row in mine}
    moments |= {row.start_s + row.compute_s for row in mine}
    moments |= {time for t in trace.transfers for time in (t.start_s, t.end_s)}
    edges = sorted(moments)
    integral = math.fsum(
        power_w(trace, device, (a + b) / 2) * (b - a) for a, b in itertools.pairwise(edges)
    )
    parts = ("compute", "tx", "rx", "idle")
    booked = math.fsum(getattr(row, f"energy_{part}_j") for row in mine for part in parts)
    assert booked == pytest.approx(integral, rel=1e-9)
    if device >= 2:
        assert mine[-1].battery_j == pytest.approx(1000.0 - integral, rel=1e-9)
    else:
        assert {row.battery_j for row in mine} == {None}


def test_bits_and_energy_of_rounds_are_those_of_the_transfers(trace: MemoryTrace) -> None:
    for row in trace.rounds:
        now = [t for t in trace.transfers if t.round == row.round]
        sent = [t for t in now if t.src == row.device]
        heard = [t for t in now if t.dst == row.device]
        assert row.bits_sent == pytest.approx(math.fsum(t.delivered_bits for t in sent), rel=1e-12)
        assert row.energy_tx_j == pytest.approx(math.fsum(t.energy_tx_j for t in sent), rel=1e-12)
        assert row.energy_rx_j == pytest.approx(math.fsum(t.energy_rx_j for t in heard), rel=1e-12)
        assert row.received == sum(t.outcome is TransferOutcome.DELIVERED for t in heard)
        assert row.received + row.missed == 3


def test_an_empty_battery_is_empty() -> None:
    """1 J at 5 W: both are gone after 0.2 s, and there is no second round."""
    tiny = PROFILE | {"battery_j": 1.0}
    trace = simulate(scenario(devices=[{"count": 2, "profile": tiny}], rounds=2))
    assert [(row.battery_j, row.end_s) for row in trace.rounds] == [(0.0, 0.2)] * 2


def test_positions_are_sampled_at_whole_multiples(trace: MemoryTrace) -> None:
    end_s = trace.rounds[-1].end_s
    times = np.arange(math.floor(end_s / 0.7) + 1) * 0.7
    world = world_of(mixed(), MemoryTrace())
    for device in range(4):
        mine = [row for row in trace.positions if row.device == device]
        assert [row.time_s for row in mine] == times.tolist()
        path = world.stations[device].device.trajectory.position_m(times)
        assert [[row.x_m, row.y_m] for row in mine] == path.tolist()
        last = [row for row in trace.rounds if row.device == device][-1]
        x_m, y_m = world.stations[device].device.trajectory.position_m(end_s)
        assert (last.x_m, last.y_m) == (x_m, y_m)


def test_events_are_in_order_and_every_send_ends(trace: MemoryTrace) -> None:
    times = [event.time_s for event in trace.events]
    assert times == sorted(times)
    kinds = EventKind.SEND_START, EventKind.SEND_END
    starts, ends = (
        sorted((e.round, e.device, e.peer) for e in trace.events if e.kind is kind)
        for kind in kinds
    )
    assert starts == ends == sorted((t.round, t.src, t.dst) for t in trace.transfers)


def test_each_device_lives_its_round_in_order(trace: MemoryTrace) -> None:
    """`receive` and `deadline` are about what a device hears, whenever that happens."""
    others = EventKind.RECEIVE, EventKind.DEADLINE
    for device, number in itertools.product(range(4), (1, 2, 3)):
        mine = [e for e in trace.events if (e.device, e.round) == (device, number)]
        kinds = [e.kind.value for e in mine if e.kind not in others]
        expected = ["plan", "compute_start", "compute_end", *["send_start"] * 3]
        assert kinds == [*expected, *["send_end"] * 3, "aggregate", "round_end"]
        heard = [e for e in mine if e.kind in others]
        assert sorted(e.peer for e in heard if e.peer is not None) == [
            other for other in range(4) if other != device
        ]
        assert all((e.cause is Cause.DEADLINE) == (e.kind is EventKind.DEADLINE) for e in heard)


def test_the_slow_delay_the_fast_but_nobody_waits_beyond_a_deadline(trace: MemoryTrace) -> None:
    fast, slow = 1.0e12 / 0.5e12, 1.0e12 / 0.05e12
    for row in trace.rounds:
        assert row.compute_s == (fast if row.device < 2 else slow)
        if row.device < 2:
            assert row.wait_s >= slow - fast - row.send_s
        deadlines = [t.deadline_at_s for t in trace.transfers if t.round == row.round]
        assert row.end_s <= max(deadlines)
        ends = [t.end_s for t in trace.transfers if t.round == row.round]
        assert row.end_s == max(ends)


@pytest.mark.parametrize("graph", ["none", "complete", "ring", "random"])
def test_a_device_alone_only_computes(graph: str) -> None:
    trace = simulate(scenario(rounds=2, method=method(graph), devices=[{"count": 1}]))
    assert not trace.transfers
    for row in trace.rounds:
        assert row.end_s - row.start_s == pytest.approx(row.compute_s)
        assert (row.send_s, row.wait_s, row.received, row.missed) == (0.0, 0.0, 0, 0)
        assert (row.energy_tx_j, row.energy_rx_j, row.energy_idle_j) == (0.0, 0.0, 0.0)
    clusters = [row for row in trace.rows if isinstance(row, TopologyRow)]
    assert [(row.cluster, row.cluster_size) for row in clusters] == [(0, 1)] * 2


@pytest.mark.parametrize("graph", ["complete", "ring", "random"])
def test_two_devices_exchange_once_each_way(graph: str) -> None:
    trace = simulate(scenario(method=method(graph)))
    assert sorted((t.src, t.dst) for t in trace.transfers) == [(0, 1), (1, 0)]
    assert [(row.received, row.missed) for row in trace.rounds] == [(1, 0)] * 2


def test_no_work_takes_no_time() -> None:
    trace = simulate(scenario(learning=NO_LEARNING | {"flop": 0}))
    for row in trace.rounds:
        assert (row.compute_s, row.energy_compute_j, row.flop) == (0.0, 0.0, 0.0)
    assert {t.start_s for t in trace.transfers} == {0.0}


def test_the_trace_is_flushed_and_observers_told_once_a_round() -> None:
    calls: list[tuple[str, int]] = []

    class Watch(MemoryTrace):
        def flush(self) -> None:
            calls.append(("flush", len([row for row in self.rows if isinstance(row, RoundRow)])))

    play_to_the_end(world_of(mixed(), Watch()))
    assert calls == [("flush", 4), ("flush", 8), ("flush", 12)]


def test_a_random_graph_is_new_every_round_and_hangs_on_the_seed_alone() -> None:
    def partners(**sections: object) -> list[set[tuple[int, int]]]:
        trace = simulate(
            scenario(rounds=12, method=method("random"), devices=[{"count": 6}], **sections)
        )
        sent = [(t.round, t.src, t.dst) for t in trace.transfers]
        return [{(a, b) for number, a, b in sent if number == k} for k in range(1, 13)]

    graphs = partners()
    assert len({tuple(sorted(graph)) for graph in graphs}) > 6
    assert partners(learning=NO_LEARNING | {"flop": 0}) == graphs
    assert partners(seed=2) != graphs
