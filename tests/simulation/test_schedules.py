"""Who waits for whom: everybody, one's own cluster, or nobody."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cosim.learning.records import Outgoing
from cosim.methods.message import Turn
from cosim.scenario.model import Scenario
from cosim.trace.schema import EventKind, TopologyRow, TransferOutcome
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
NEAR_M = metres(15.0)
SCHEDULES = ["synchronous", "cluster", "asynchronous"]


def by(schedule: str, graph: Any = "complete") -> dict[str, Any]:
    return {"name": "proposed_single_cluster", "topology": graph, "schedule": schedule}


def groups(*profiles: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"count": 1, "profile": profile} for profile in profiles]


def speeds(*seconds: float) -> list[dict[str, Any]]:
    """Profiles of devices that compute 1 TFLOP in so many seconds."""
    return groups(*(PROFILE | {"peak_flop_s": 2.0e12 / one} for one in seconds))


def played(
    schedule: str, at: Sequence[tuple[float, float]], spells: Any = None, **sections: Any
) -> tuple[MemoryTrace, RecordingLearner]:
    graph = sections.pop("graph", "complete")
    chosen = scenario(**({"radio": ROUND_RADIO, "method": by(schedule, graph)} | sections))
    learner = RecordingLearner(chosen)
    return simulate(chosen, at=at, spells=spells, learner=learner), learner


def ends(trace: MemoryTrace, device: int) -> list[float]:
    return [row.end_s for row in trace.rounds_of(device)]


PAIRS = [(0.0, 0.0), (NEAR_M, 0.0), (0.0, 9 * NEAR_M), (NEAR_M, 9 * NEAR_M)]


@pytest.mark.parametrize("schedule", ["synchronous", "cluster"])
def test_a_fast_pair_waits_for_a_slow_pair_only_where_all_wait(schedule: str) -> None:
    """Two pairs, each its own cluster; 4 Mbit to one neighbour take 1 s."""
    pairs = {"graph": "nearest", "degree": 1}
    devices = [{"count": 2, "profile": PROFILE}, {"count": 2, "profile": SLOW}]
    trace, learner = played(schedule, PAIRS, graph=pairs, devices=devices, rounds=3)
    slow = [21.0, 42.0, 63.0]
    fast = [3.0, 6.0, 9.0] if schedule == "cluster" else slow
    assert [ends(trace, k) for k in range(4)] == [
        pytest.approx(own, rel=1e-12) for own in (fast, fast, slow, slow)
    ]
    for device, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        assert learner.mixed_by(device) == [({other: (other, n)}, {other: 0}) for n in (1, 2, 3)]
    clusters = {
        (row.device, row.cluster, row.cluster_size)
        for row in trace.rows
        if isinstance(row, TopologyRow)
    }
    assert clusters == {(0, 0, 2), (1, 0, 2), (2, 1, 2), (3, 1, 2)}


def test_a_slow_device_holds_up_its_own_cluster() -> None:
    """Device 1 is the slow one: 0 waits for it, and 2 and 3 do not."""
    pairs = {"graph": "nearest", "degree": 1}
    trace, _ = played("cluster", PAIRS, graph=pairs, devices=speeds(2, 20, 2, 2), rounds=2)
    assert ends(trace, 0) == pytest.approx([21.0, 42.0], rel=1e-12)
    assert ends(trace, 2) == pytest.approx([3.0, 6.0], rel=1e-12)
    assert trace.rounds_of(0)[0].wait_s == pytest.approx(18.0, rel=1e-12)


def test_a_group_begins_when_the_last_of_its_members_has_ended() -> None:
    """Clusters change from round to round, and each waits for those it is made of, and only
    for them."""
    seconds = (1.0, 2.5, 4.0, 7.0, 11.0, 16.0)
    places = [(k * NEAR_M / 50, 0.0) for k in range(6)]
    graph = {"graph": "random", "degree": 1}
    trace, _ = played("cluster", places, graph=graph, devices=speeds(*seconds), rounds=12)
    groups: dict[tuple[int, int], list[int]] = {}
    for row in trace.rows:
        if isinstance(row, TopologyRow):
            groups.setdefault((row.round, row.cluster), []).append(row.device)
    end_s = {(row.round, row.device): row.end_s for row in trace.rounds}
    begin_s = {(e.round, e.device): e.time_s for e in trace.events if e.kind is EventKind.PLAN}
    waited = 0
    for (number, _), members in groups.items():
        assert len({end_s[number, device] for device in members}) == 1
        before = [end_s.get((number - 1, device), 0.0) for device in members]
        assert {begin_s[number, device] for device in members} == {max(before)}
        waited += max(before) > min(before)
    assert waited > 10
    assert len({tuple(sorted(groups[n, 0])) for n in range(1, 13)}) > 1
    # A later round of some is over before an earlier one of others.
    assert any(
        end_s[later] < end_s[earlier]
        for earlier, later in itertools.product(end_s, repeat=2)
        if later[0] > earlier[0]
    )


@pytest.mark.parametrize("late", ["drop", "stale"])
def test_one_cluster_of_all_is_the_synchronous_schedule(late: str) -> None:
    def rows(schedule: str) -> list[Any]:
        walk = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0]}
        chosen = scenario(
            rounds=4,
            method=by(schedule),
            devices=[
                {"count": 2, "profile": PROFILE, "mobility": walk},
                {"count": 2, "profile": SLOW, "mobility": walk},
            ],
            radio={"fading": {"model": "clarke", "sinusoids": 16}, "p_max_dbm": 10, "late": late},
        )
        return simulate(chosen).rows

    synchronous = rows("synchronous")
    assert rows("cluster") == synchronous
    outcomes = {row.outcome for row in synchronous if hasattr(row, "outcome")}
    assert outcomes == {TransferOutcome.DELIVERED, TransferOutcome.LATE}


PAIR = [(0.0, 0.0), (NEAR_M, 0.0)]


def test_asynchronous_devices_wait_for_nobody() -> None:
    """Device 0 computes at 0, 2 and 4 s and is done when its last update is sent, at 7 s; device 1
    ends its first round at 20 s."""
    trace, learner = played("asynchronous", PAIR, devices=groups(PROFILE, SLOW), rounds=3)
    assert ends(trace, 0) == pytest.approx([2.0, 4.0, 7.0], rel=1e-12)
    assert ends(trace, 1) == pytest.approx([20.0, 40.0, 60.0], rel=1e-12)
    assert trace.times(EventKind.AGGREGATE, 0) == ends(trace, 0)
    assert [row.wait_s for row in trace.rounds] == pytest.approx([0.0] * 6, abs=1e-12)
    # Device 1 mixes the newest of what had come; none of its own finds a receiver.
    assert learner.mixed_by(0) == [({}, {})] * 3
    assert learner.mixed_by(1) == [({0: (0, 3)}, {0: 0}), ({}, {}), ({}, {})]
    assert [row.received for row in trace.rounds_of(1)] == [3, 0, 0]
    assert [t.outcome for t in trace.sent(0, 1)] == [TransferOutcome.DELIVERED] * 3
    assert [(t.outcome, t.end_s - t.start_s) for t in trace.sent(1, 0)] == [
        (TransferOutcome.CANCELLED, 0.0)
    ]
    # What it sends while it computes costs both.
    second = trace.rounds_of(0)[1]
    assert (second.compute_s, second.send_s) == pytest.approx((2.0, 1.0), rel=1e-12)
    assert second.energy_tx_j == pytest.approx(1.0 / 0.4 + 0.25, rel=1e-12)
    assert second.energy_compute_j == pytest.approx(10.0, rel=1e-12)


def test_the_next_update_is_sent_when_the_air_is_free_of_the_last() -> None:
    """Computing takes 0.25 s and sending 1 s: a round takes as long as its transfer."""
    trace, _ = played("asynchronous", PAIR, devices=speeds(0.25, 0.25), rounds=4)
    assert [t.start_s for t in trace.sent(0, 1)] == pytest.approx([0.25, 1.25, 2.25, 3.25])
    assert [t.end_s for t in trace.sent(0, 1)] == pytest.approx([1.25, 2.25, 3.25, 4.25])
    assert ends(trace, 0) == pytest.approx([0.25, 1.25, 2.25, 4.25], rel=1e-12)
    assert {t.outcome for t in trace.transfers} == {TransferOutcome.DELIVERED}


class Unequal(RecordingLearner):
    """Device 0's updates are a few bits; the others' have the scenario's size."""

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        outgoing = super().messages(device, turn, receivers)
        assert outgoing is not None
        return replace(outgoing, bits=dict.fromkeys(receivers, 4)) if device == 0 else outgoing


@pytest.mark.parametrize(("bits", "age"), [(2_000_000, 1), (3_500_000, 2), (7_000_000, 4)])
def test_the_slower_the_transfer_the_older_the_update(bits: int, age: int) -> None:
    """Device 0 mixes every 0.4 s. Device 1 sends at 1 s, at 4 Mbit/s: 2 Mbit are there at 1.5 s and
    mixed at 1.6 s, after the mixing at 1.2 s; 7 Mbit are there at 2.75 s and mixed at 2.8 s."""
    chosen = scenario(
        rounds=8,
        learning=NO_LEARNING | {"payload_bits": bits},
        method=by("asynchronous"),
        devices=speeds(0.4, 1.0),
        radio=ROUND_RADIO,
    )
    learner = Unequal(chosen)
    simulate(chosen, at=PAIR, learner=learner)
    first = next((inbox, ages) for inbox, ages in learner.mixed_by(0) if inbox)
    assert first == ({1: (1, 1)}, {1: age})
    # What device 0 sends is there at once, and no mixing of device 1 lies between.
    heard = [ages for _, ages in learner.mixed_by(1) if ages]
    assert heard == [{0: 0}] * len(heard)
    assert len(heard) >= 2


def test_an_asynchronous_device_that_is_cut_off_holds_up_nobody() -> None:
    spells = {0: [(0.0, 1.0), (5.0, 100.0)]}
    trace, learner = played(
        "asynchronous", PAIR, spells=spells, devices=groups(PROFILE, PROFILE), rounds=2
    )
    # Cut off at 1 s; from 5 s on it computes for 2 s, and device 1 has been done since 4 s.
    assert ends(trace, 0) == pytest.approx([1.0, 7.0], rel=1e-12)
    assert ends(trace, 1) == pytest.approx([2.0, 4.0], rel=1e-12)
    assert [row.off_s for row in trace.rounds_of(0)] == pytest.approx([0.0, 4.0], rel=1e-12)
    assert learner.discarded == [(0, 1)]
    assert learner.mixed_by(0) == [({}, {})]
    assert learner.mixed_by(1) == [({}, {})] * 2


def test_a_cluster_whose_members_are_away_waits_alone() -> None:
    """Devices 2 and 3 are away from 1 s to 10 s; 0 and 1 go on as if nothing was."""
    pairs = {"graph": "nearest", "degree": 1}
    away = [(0.0, 1.0), (10.0, 1000.0)]
    trace, learner = played(
        "cluster",
        PAIRS,
        spells={2: away, 3: away},
        graph=pairs,
        devices=[{"count": 4, "profile": PROFILE}],
        rounds=3,
    )
    assert ends(trace, 0) == pytest.approx([3.0, 6.0, 9.0], rel=1e-12)
    # Both were cut off, so nobody was left to wait; then two rounds of 3 s.
    assert ends(trace, 2) == pytest.approx([1.0, 13.0, 16.0], rel=1e-12)
    assert learner.mixed_by(2) == [({3: (3, n)}, {3: 0}) for n in (2, 3)]


def test_nobody_waits_for_a_group_that_sleeps() -> None:
    """Device 4 is away from 0.5 s to 1000 s. Alone in a round's random graph it sleeps, and later
    groups that count it among them begin without it: they are as quick as without device 4."""
    square = [(100.0, 0.0), (0.0, 100.0), (-100.0, 0.0), (0.0, -100.0), (0.0, 0.0)]
    for seed in range(1, 8):
        trace, _ = played(
            "cluster",
            square,
            spells={4: [(0.0, 0.5), (1000.0, math.inf)]},
            graph={"graph": "random", "degree": 1},
            devices=[{"count": 5, "profile": PROFILE}],
            rounds=6,
            seed=seed,
        )
        gamma_s = 2.0
        for device in range(4):
            assert len(ends(trace, device)) == 6
            # Six rounds of 2 s of computing, and at most Γ of the air and Γ of silence.
            assert ends(trace, device)[-1] <= 6 * (2.0 + 2 * gamma_s)


@pytest.mark.parametrize("rounds", [1, 3])
def test_one_device_alone_is_the_same_by_every_schedule(rounds: int) -> None:
    traces = [
        played(schedule, [(0.0, 0.0)], devices=groups(PROFILE), rounds=rounds)[0]
        for schedule in SCHEDULES
    ]
    assert traces[0].rounds == traces[1].rounds == traces[2].rounds
    assert ends(traces[0], 0) == [2.0 * n for n in range(1, rounds + 1)]
    assert not any(trace.transfers for trace in traces)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_a_graph_nobody_ever_waits(schedule: str) -> None:
    chosen = scenario(
        rounds=2,
        method={"name": "local", "schedule": schedule},
        devices=groups(PROFILE, SLOW),
        radio=ROUND_RADIO,
    )
    trace = simulate(chosen, at=PAIR)
    fast = [20.0, 40.0] if schedule == "synchronous" else [2.0, 4.0]
    assert ends(trace, 0) == fast
    assert ends(trace, 1) == [20.0, 40.0]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_deterministic(schedule: str) -> None:
    def chosen(seed: int) -> Scenario:
        return scenario(
            seed=seed,
            rounds=5,
            method=by(schedule, {"graph": "random", "degree": 2}),
            devices=[
                {
                    "count": 6,
                    "profile": {"mix": {"flagship_phone": 1, "raspberry_pi_5": 1}},
                    "availability": {"model": "exponential", "mean_on_s": 8, "mean_off_s": 2},
                }
            ],
            radio={"share": "dynamic", "late": "stale"},
        )

    rows = simulate(chosen(1)).rows
    assert simulate(chosen(1)).rows == rows
    assert simulate(chosen(2)).rows != rows
