"""What silence costs on the air: beacons, who waits for them, and who answers whom."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cosim.learning.records import Outgoing
from cosim.methods.message import Turn
from cosim.methods.workload import Workload
from cosim.preflight.disk import rows_at_most
from cosim.scenario.model import Scenario
from cosim.trace.schema import EventKind, TransferKind, TransferOutcome
from tests.simulation.small_networks import (
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    RecordingLearner,
    metres,
    scenario,
    simulate,
)

BITS, BEACON = 500_000, 64


class Taciturn(RecordingLearner):
    """A learner whose devices speak in given rounds only, and answer in all."""

    def __init__(self, chosen: Scenario, speak: Mapping[int, set[int]]) -> None:
        super().__init__(chosen)
        self.speak = speak
        self.answered: list[tuple[int, list[int]]] = []
        self.told: dict[int, float] = {}

    def inform(self, device: int, bits: float, rate: float | None) -> None:
        """Keeps what a device was told."""
        assert rate is not None
        self.told[device] = rate

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """Something in a round of its own, and in an answer."""
        if turn.answer:
            self.answered.append((device, list(receivers)))
        elif turn.round not in self.speak.get(device, set()):
            return None
        return super().messages(device, turn, receivers)


def chosen(edge: str = "sender", **sections: Any) -> Scenario:
    """Three devices that compute for 2 s, and then have 1 MHz and 2 s each."""
    sending = {"name": "on_drift", "edge": edge, "beacon_bits": BEACON}
    method = {"name": "ef_hc", "sending": sending, "topology": "complete"}
    learning = {"model": "none", "payload_bits": BITS, "flop": 1.0e12}
    devices = [{"count": 3, "profile": PROFILE, "mobility": "static"}]
    parts = {"method": method, "learning": learning, "devices": devices, "radio": ROUND_RADIO}
    return scenario(**(parts | sections))


# Near each other on a line: SNR 7 between neighbours in any equal share, 7/4 between the ends.
NEAR = [(0.0, 0.0), (metres(7.0), 0.0), (2 * metres(7.0), 0.0)]
# The third so far that 64 bits take longer than Γ.
FAR = [(0.0, 0.0), (metres(7.0), 0.0), (metres(1e-6), 0.0)]


def played(
    asked: Scenario, speak: Mapping[int, set[int]], at: Any = NEAR, **more: Any
) -> tuple[MemoryTrace, Taciturn]:
    learner = Taciturn(asked, speak)
    return simulate(asked, at, learner=learner, **more), learner


def beacons(trace: MemoryTrace) -> list[Any]:
    return [row for row in trace.transfers if row.kind is TransferKind.BEACON]


def updates(trace: MemoryTrace) -> list[Any]:
    return [row for row in trace.transfers if row.kind is TransferKind.UPDATE]


def test_a_silent_round_costs_only_beacons_each_as_long_as_its_bits_at_its_rate() -> None:
    trace, _ = played(chosen(), {})
    assert updates(trace) == []
    links = sorted((row.src, row.dst) for row in beacons(trace))
    assert links == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    for row in beacons(trace):
        snr = 7.0 if abs(row.src - row.dst) == 1 else 7.0 / 4
        # Half of the band at half of the power: the noise is halved, too.
        air_s = BEACON / (0.5e6 * math.log2(1 + snr))
        assert (row.bits, row.outcome) == (BEACON, TransferOutcome.DELIVERED)
        assert row.end_s - row.start_s == pytest.approx(air_s, rel=1e-9)
        assert row.power_w == pytest.approx(0.5)
    slowest_s = BEACON / (0.5e6 * math.log2(1 + 7.0 / 4))
    for row in trace.rounds:
        assert row.end_s == pytest.approx(2.0 + slowest_s, rel=1e-9)
        assert (row.received, row.missed, row.silent, row.edges_used) == (0, 0, 2, 0.0)
        assert row.bits_sent == 2 * BEACON
        assert row.send_s <= slowest_s * (1 + 1e-9)


def test_who_speaks_is_heard_and_who_is_silent_is_neither_received_nor_missed() -> None:
    trace, learner = played(chosen(), {0: {1}})
    assert {(row.src, row.dst) for row in updates(trace)} == {(0, 1), (0, 2)}
    assert {row.src for row in beacons(trace)} == {1, 2}
    counts = [(row.received, row.missed, row.silent, row.edges_used) for row in trace.rounds]
    assert counts == [(0, 0, 2, 0.0), (1, 0, 1, 0.5), (1, 0, 1, 0.5)]
    assert [sorted(inbox) for _, inbox, _ in sorted(learner.mixed)] == [[], [0], [0]]
    # Nobody waits for Γ, which would end at 4 s.
    assert max(row.end_s for row in trace.rounds) < 3.5


def test_a_beacon_that_is_lost_is_waited_for_and_not_missed() -> None:
    trace, _ = played(chosen(), {}, FAR)
    lost = [row for row in beacons(trace) if row.outcome is not TransferOutcome.DELIVERED]
    assert {(row.src, row.dst) for row in lost} == {(0, 2), (1, 2), (2, 0), (2, 1)}
    assert {row.end_s for row in lost} == {4.0}
    for row in trace.rounds:
        assert (row.received, row.missed, row.silent) == (0, 0, 2)
        assert row.end_s == 4.0


def test_silence_that_needs_no_beacon_is_counted_and_costs_nothing() -> None:
    asked = chosen()
    sending = asked.method.sending.model_copy(update={"beacon_bits": 0})
    free = asked.model_copy(update={"method": asked.method.with_(sending=sending)})
    trace, _ = played(free, {})
    assert trace.transfers == []
    assert [(row.silent, row.edges_used, row.end_s) for row in trace.rounds] == [(2, 0.0, 2.0)] * 3


def test_without_neighbours_no_edge_is_used_or_unused() -> None:
    trace = simulate(scenario(method="local"))
    assert [(row.silent, row.edges_used) for row in trace.rounds] == [(0, None)] * 2


def test_silent_devices_answer_those_whom_they_heard() -> None:
    trace, learner = played(chosen("either", rounds=2), {0: {1}})
    assert sorted(learner.answered) == [(1, [0]), (2, [0])]
    first = [row for row in trace.transfers if row.round == 1]
    sent = {(row.src, row.dst) for row in first if row.kind is TransferKind.UPDATE}
    assert sent == {(0, 1), (0, 2), (1, 0), (2, 0)}
    told = max(row.end_s for row in first if row.kind is TransferKind.UPDATE and row.src == 0)
    for row in first:
        if row.kind is TransferKind.UPDATE and row.src != 0:
            assert row.start_s >= min(t.end_s for t in first if (t.src, t.dst) == (0, row.src))
            assert row.bandwidth_hz == pytest.approx(1e6), "to one receiver alone"
            assert row.start_s <= told
    by_round = [
        [(row.received, row.missed, row.silent) for row in trace.rounds if row.round == number]
        for number in (1, 2)
    ]
    assert by_round == [[(2, 0, 0), (1, 0, 1), (1, 0, 1)], [(0, 0, 2)] * 3]
    mixed = [(device, sorted(inbox)) for device, inbox, _ in learner.mixed]
    assert sorted(mixed)[:2] == [(0, []), (0, [1, 2])]


def test_nobody_answers_what_did_not_arrive() -> None:
    trace, learner = played(chosen("either"), {0: {1}}, FAR)
    assert learner.answered == [(1, [0])]
    assert [(row.received, row.missed, row.silent) for row in trace.rounds] == [
        (1, 0, 1),
        (1, 0, 1),
        (0, 1, 1),
    ]


def test_nobody_waits_for_the_answer_of_a_device_that_is_gone() -> None:
    """Device 1 leaves while the update to it is on the air, after its own beacon."""
    trace, learner = played(chosen("either"), {0: {1}}, spells={1: [(0.0, 2.1)]})
    assert trace.times(EventKind.CUT_OFF, 1) == [2.1]
    assert learner.answered == [(2, [0])]
    (row,) = trace.rounds_of(0)
    assert (row.received, row.missed) == (1, 0)
    assert row.end_s < 4.0


def test_devices_are_told_the_rates_of_their_links_where_the_method_asks() -> None:
    """By Lemma 1 over the nearest two: SNR 7 and 7 in the middle, 7 and 7/4 at the ends."""
    _, learner = played(chosen(), {})
    assert learner.told == {}
    asked = chosen()
    sending = asked.method.sending.model_copy(update={"by": "rate"})
    by_rate = asked.model_copy(update={"method": asked.method.with_(sending=sending)})
    _, learner = played(by_rate, {})
    # 1/Σ(1/snr) of a share W/2 is twice that of W: p_max against the sum of needs.
    middle = math.log2(1 + 2 / (1 / 7 + 1 / 7))
    end = math.log2(1 + 2 / (1 / 7 + 4 / 7))
    mean = (middle + 2 * end) / 3
    assert learner.told == pytest.approx({0: end / mean, 1: middle / mean, 2: end / mean})
    assert sum(learner.told.values()) == pytest.approx(3.0)


def test_the_rows_that_are_foreseen_suffice_for_beacons_and_answers() -> None:
    asked = chosen("either", rounds=3)
    trace, _ = played(asked, {0: {1}, 1: {2}, 2: {3}})
    most = rows_at_most(asked, [Workload.of_flop(1e12)] * 3, 0)
    assert len(trace.transfers) == 3 * (6 + 2)
    assert len(trace.transfers) <= most["transfers"] == 3 * 12
    assert len(trace.events) <= most["events"]


@pytest.mark.parametrize("edge", ["sender", "either"])
def test_a_device_that_the_compute_deadline_stops_is_silent_by_a_beacon(edge: str) -> None:
    trace = simulate(chosen(edge, training={"compute_deadline_s": 1.0}), NEAR)
    assert {row.kind for row in trace.transfers} == {TransferKind.BEACON}
    assert {row.start_s for row in trace.transfers} == {1.0}
    counts = [(row.received, row.missed, row.silent) for row in trace.rounds]
    assert counts == [(0, 0, 2)] * 3
    assert max(row.end_s for row in trace.rounds) < 1.001
