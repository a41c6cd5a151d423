"""The rows of every device: its rounds tile time, and its energy is the integral of its power."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest

from cosim.methods.topology.clusters import Clusters
from cosim.scenario.model import Scenario
from cosim.scenario.profile import Profile
from cosim.trace.schema import (
    Cause,
    EventKind,
    RoundRow,
    TopologyRow,
    TransferOutcome,
)
from tests.simulation.laws_of_transfers import updates_of
from tests.simulation.small_networks import MemoryTrace

Spans = list[tuple[float, float]]


LEAVE, JOIN = EventKind.LEAVE, EventKind.JOIN


def union(spans: Iterable[tuple[float, float]]) -> Spans:
    """Disjoint and in order."""
    merged: Spans = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def overlap_s(first: Iterable[tuple[float, float]], second: Iterable[tuple[float, float]]) -> float:
    """The time that lies in both."""
    both = itertools.product(union(first), union(second))
    return math.fsum(max(min(b, d) - max(a, c), 0.0) for (a, b), (c, d) in both)


def spells_off(trace: MemoryTrace, device: int) -> Spans:
    """When a device was switched off, by its events."""
    left, joined = trace.times(LEAVE, device), trace.times(JOIN, device)
    return list(itertools.zip_longest(left, joined, fillvalue=math.inf))


def emptied_s(trace: MemoryTrace, device: int) -> float:
    """When a device's battery was empty; infinite where it never was."""
    causes = {e.cause: e.time_s for e in trace.events if (e.kind, e.device) == (LEAVE, device)}
    return causes.get(Cause.BATTERY_EMPTY, math.inf)


def check_rounds(chosen: Scenario, trace: MemoryTrace) -> None:
    """Every device has all its rounds, unless it is gone; its rows tile the time."""
    ended = Counter((e.round, e.device) for e in trace.events if e.kind is EventKind.ROUND_END)
    assert ended == Counter((row.round, row.device) for row in trace.rounds)
    for device in range(chosen.device_count):
        mine = trace.rounds_of(device)
        numbers = [row.round for row in mine]
        if chosen.method.schedule.word() == "cluster":
            # While its group sleeps, another may take a device to a later round: one row for both.
            assert numbers == sorted(set(numbers))
            assert numbers[-1:] == [chosen.rounds] or emptied_s(trace, device) < math.inf
        else:
            assert numbers == list(range(1, len(mine) + 1))
            assert len(mine) == chosen.rounds or emptied_s(trace, device) < math.inf
        assert [row.start_s for row in mine] == [0.0, *(row.end_s for row in mine)][: len(mine)]
        for row in mine:
            lasted_s = row.end_s - row.start_s
            rest = row.compute_s + row.wait_s + row.off_s
            slack = 1e-9 * lasted_s + 1e-12 * row.end_s
            assert min(row.compute_s, row.send_s, row.wait_s, row.off_s) >= 0
            assert rest <= lasted_s + slack
            assert row.send_s <= lasted_s + slack
            assert rest + row.send_s >= lasted_s - slack
            if chosen.method.schedule.word() != "asynchronous" and chosen.radio.late == "drop":
                assert rest + row.send_s <= lasted_s + slack
    if chosen.method.schedule.word() != "asynchronous":
        check_waits(chosen, trace)


def check_waits(chosen: Scenario, trace: MemoryTrace) -> None:
    """Nobody waits for longer than Γ after the last of its group has computed, or was cut off."""
    group = {
        (row.round, row.device): row.cluster if chosen.method.schedule.word() == "cluster" else 0
        for row in trace.rows
        if isinstance(row, TopologyRow)
    }
    last: dict[tuple[int, int], float] = defaultdict(float)
    for e in trace.events:
        if e.kind in (EventKind.COMPUTE_END, EventKind.CUT_OFF):
            key = e.round, group[e.round, e.device]
            last[key] = max(last[key], e.time_s)
    for row in trace.rounds:
        if (row.round, row.device) in group:
            spans = len(chosen.method.schedule.turns(row.round))
            if isinstance(chosen.method.topology, Clusters):
                spans += 2 * chosen.method.topology.exchange_attempts
            until_s = last[row.round, group[row.round, row.device]]
            until_s += spans * chosen.radio.deadline_s
            assert row.end_s <= until_s + 4 * spans * math.ulp(until_s)


def check_lives(chosen: Scenario, trace: MemoryTrace) -> None:
    """Devices leave and join by turns; a round that is planned ends once; who is off is silent."""
    for device in range(chosen.device_count):
        mine = [e for e in trace.events if e.device == device]
        turns = [e.kind for e in mine if e.kind in (LEAVE, JOIN)]
        assert turns == [LEAVE if k % 2 == 0 else JOIN for k in range(len(turns))]
        kinds: dict[int, Counter[EventKind]] = defaultdict(Counter)
        for e in mine:
            kinds[e.round][e.kind] += 1
        for number, count in kinds.items():
            assert count[EventKind.PLAN] <= 1
            mixings = len(chosen.method.schedule.turns(number))
            assert count[EventKind.AGGREGATE] <= mixings * count[EventKind.PLAN]
            whole = count[EventKind.AGGREGATE] == mixings
            ends = int(whole) + count[EventKind.CUT_OFF]
            assert ends == count[EventKind.PLAN] == count[EventKind.COMPUTE_START], number
            assert count[EventKind.COMPUTE_END] <= count[EventKind.COMPUTE_START]
        empty_s = emptied_s(trace, device)
        later = {e.kind for e in mine if e.time_s > empty_s}
        assert later <= {EventKind.ROUND_END, EventKind.EVALUATE}
        for row in trace.transfers:
            if device in (row.src, row.dst) and row.start_s > empty_s:
                assert (row.dst, row.end_s) == (device, row.start_s)
        off = spells_off(trace, device)
        for row in trace.transfers:
            if device in (row.src, row.dst):
                assert overlap_s([(row.start_s, row.end_s)], off) == 0.0
    begun, ended = (
        Counter((e.round, e.device, e.peer) for e in trace.events if e.kind is kind)
        for kind in (EventKind.SEND_START, EventKind.SEND_END)
    )
    assert begun == ended
    assert begun <= Counter((row.round, row.src, row.dst) for row in trace.transfers)
    updates = Counter((row.round, row.mixing, row.src, row.dst) for row in updates_of(trace))
    assert set(updates.values()) <= {1}


def check_counts(chosen: Scenario, trace: MemoryTrace) -> None:
    """What devices counted is what the transfers came to."""
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for row in trace.rounds:
        sums[row.device].update(received=row.received, stale=row.stale, missed=row.missed)
    on_air = {
        (e.round, e.device, e.peer, e.time_s)
        for e in trace.events
        if e.kind is EventKind.SEND_START
    }
    updates = updates_of(trace)
    for device, counted in sums.items():
        heard = [row for row in updates if row.dst == device]
        in_time = [row for row in heard if row.outcome is TransferOutcome.DELIVERED]
        late = [row for row in heard if row.outcome is TransferOutcome.LATE]
        arrived = [row for row in late if row.delivered_bits == row.bits]
        assert counted["received"] == len(in_time)
        assert counted["stale"] == len(arrived)
        lost = [
            row
            for row in heard
            if row.outcome is not TransferOutcome.DELIVERED
            and (row.round, row.src, device, row.start_s) in on_air
        ]
        # Who is cut off owes what it would have said in the mixings that are left.
        silent = sum(
            len(chosen.method.schedule.turns(e.round))
            for e in trace.events
            if e.kind is EventKind.CUT_OFF and e.device != device
        )
        refused = sum(row.outcome is TransferOutcome.CANCELLED for row in heard)
        assert len(lost) <= counted["missed"] <= len(lost) + silent + refused
    waits = chosen.method.schedule.word() != "asynchronous"
    if waits and not any(e.kind is LEAVE for e in trace.events):
        for row in trace.rounds:
            out = {t.dst for t in updates if (t.round, t.src) == (row.round, row.device)}
            back = {t.src for t in updates if (t.round, t.dst) == (row.round, row.device)}
            assert out == back


def check_time_and_energy(chosen: Scenario, trace: MemoryTrace, device: int) -> None:
    """Each row's times and energies by what happened in it: events, and transfers of any round."""
    group = [one for group in chosen.devices for one in [group] * group.count][device]
    profile = group.profile
    assert isinstance(profile, Profile)
    computed: Spans = []
    begun = None
    for e in trace.events:
        if e.device == device and e.kind is EventKind.COMPUTE_START:
            begun = e.time_s
        elif e.device == device and e.kind in (EventKind.COMPUTE_END, EventKind.CUT_OFF):
            if begun is not None:
                computed.append((begun, e.time_s))
            begun = None
    off = spells_off(trace, device)
    sent = [row for row in trace.transfers if row.src == device]
    heard = [row for row in trace.transfers if row.dst == device]
    out, into = ([(row.start_s, row.end_s) for row in rows] for rows in (sent, heard))

    def close(found: float, expected: float, watts: float, end_s: float) -> None:
        # Every event may round the time since the last one by an ulp of the clock.
        rounding = watts * math.ulp(end_s) * 4 * (len(trace.events) + 1)
        assert found == pytest.approx(expected, rel=1e-9, abs=rounding)

    amplifier_w = 10 ** (chosen.radio.p_max_dbm / 10 - 3) / profile.pa_efficiency
    transmit_w = amplifier_w + profile.transmit_circuit_w
    mine: list[RoundRow] = trace.rounds_of(device)
    for row in mine:
        span = [(row.start_s, row.end_s)]
        lasted_s = row.end_s - row.start_s
        compute_s, off_s = overlap_s(span, computed), overlap_s(span, off)
        busy_s = overlap_s(span, [*computed, *out, *off])
        close(row.compute_s, compute_s, 1.0, row.end_s)
        close(row.off_s, off_s, 1.0, row.end_s)
        close(row.send_s, overlap_s(span, out), 1.0, row.end_s)
        close(row.wait_s, lasted_s - busy_s, 1.0, row.end_s)
        close(row.energy_compute_j, compute_s * profile.compute_w, profile.compute_w, row.end_s)
        idle_s = lasted_s - compute_s - off_s
        close(row.energy_idle_j, idle_s * profile.idle_w, profile.idle_w, row.end_s)
        amplifiers_j = math.fsum(
            t.power_w / profile.pa_efficiency * overlap_s(span, [(t.start_s, t.end_s)])
            for t in sent
        )
        chain_j = profile.transmit_circuit_w * overlap_s(span, out)
        close(row.energy_tx_j, amplifiers_j + chain_j, transmit_w, row.end_s)
        heard_j = profile.receive_w * overlap_s(span, into)
        close(row.energy_rx_j, heard_j, profile.receive_w, row.end_s)
    end_s = mine[-1].end_s if mine else 0.0
    for column, rows, watts in (
        ("energy_tx_j", sent, transmit_w),
        ("energy_rx_j", heard, profile.receive_w),
    ):
        by_transfer = math.fsum(getattr(row, column) for row in rows)
        close(math.fsum(getattr(row, column) for row in mine), by_transfer, watts, end_s)
    by_transfer = math.fsum(row.sent_bits for row in sent)
    assert math.fsum(row.bits_sent for row in mine) == pytest.approx(by_transfer, rel=1e-12)
    if profile.battery_j is None:
        assert {row.battery_j for row in mine} <= {None}
        return
    parts = ("compute", "tx", "rx", "idle")
    spent_j = math.fsum(getattr(row, f"energy_{part}_j") for row in mine for part in parts)
    watts = profile.compute_w + transmit_w + profile.receive_w
    for left_j in [row.battery_j for row in mine][-1:]:
        assert left_j is not None
        close(profile.battery_j, spent_j + left_j, watts, end_s)
        assert emptied_s(trace, device) == math.inf or left_j == 0.0
