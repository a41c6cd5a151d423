"""Rounds in which nobody speaks, by a coin that all toss, and edges that count both ways or not."""

from typing import Any

import pytest

from cosim.methods.sending.by_coin import ByCoin
from cosim.trace.schema import EventKind, TopologyRow
from tests.simulation.small_networks import (
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    RecordingLearner,
    metres,
    scenario,
    simulate,
)

SEED, P = 4, 0.3
# Of 4 Mbit by Γ = 2 s: near enough for half of the bandwidth, and for all of it alone.
NEAR_M, FAR_M = metres(31.0), metres(7.0)
# The one in the middle has half of its bandwidth for each.
LINE = [(0.0, 0.0), (FAR_M, 0.0), (FAR_M + NEAR_M, 0.0)]
SPEEDS_S = (2.0, 3.0, 4.0)


def played(rounds: int, radio: dict[str, Any] | None = None, **parts: Any) -> Any:
    """A trace and what was mixed, of three devices on a line, the first the fastest."""
    groups = [
        {"count": 1, "profile": PROFILE | {"peak_flop_s": 2.0e12 / takes_s}} for takes_s in SPEEDS_S
    ]
    method = {"name": "flexatc", "topology": "line", **parts}
    chosen = scenario(
        rounds=rounds,
        seed=SEED,
        method=method,
        devices=groups,
        radio=ROUND_RADIO | (radio or {}),
    )
    learner = RecordingLearner(chosen)
    return simulate(chosen, at=LINE, learner=learner), learner


def coins(rounds: int, p: float = P) -> dict[int, bool]:
    part = ByCoin(probability=p)
    return {n: part.opens(n, part.stream(SEED, n)) for n in range(1, rounds + 1)}


def senders(learner: RecordingLearner, device: int) -> list[list[int]]:
    """Whom a device mixed, each time."""
    return [sorted(inbox) for inbox, _ in learner.mixed_by(device)]


@pytest.fixture(scope="module")
def tossed() -> tuple[MemoryTrace, RecordingLearner]:
    played_: tuple[MemoryTrace, RecordingLearner] = played(
        200, sending={"name": "by_coin", "probability": P}
    )
    return played_


def test_on_the_air_is_what_the_coin_says(tossed: tuple[MemoryTrace, RecordingLearner]) -> None:
    trace, _ = tossed
    tosses = coins(200)
    on_air = {row.round for row in trace.transfers}
    assert on_air == {number for number, opens in tosses.items() if opens}
    assert abs(len(on_air) / 200 - P) < 4 * (P * (1 - P) / 200) ** 0.5


def test_in_a_closed_round_nobody_sends_waits_or_misses(
    tossed: tuple[MemoryTrace, RecordingLearner],
) -> None:
    """Each mixes when it has computed, and the round ends with the slowest of them."""
    trace, learner = tossed
    closed = {number for number, opens in coins(200).items() if not opens}
    assert closed
    for row in trace.rounds:
        if row.round in closed:
            assert row.end_s - row.start_s == pytest.approx(max(SPEEDS_S))
            assert (row.received, row.missed, row.stale, row.bits_sent) == (0, 0, 0, 0)
            assert (row.energy_tx_j, row.energy_rx_j) == (0.0, 0.0)
            neighbours = 2 if row.device == 1 else 1
            assert (row.silent, row.edges_used) == (neighbours, 0.0)
    begun = {(e.device, e.round): e.time_s for e in trace.events if e.kind == EventKind.PLAN}
    for event in trace.events:
        if event.kind == EventKind.AGGREGATE and event.round in closed:
            took_s = event.time_s - begun[event.device, event.round]
            assert took_s == pytest.approx(SPEEDS_S[event.device])
    for device in range(3):
        for number, inbox in enumerate(senders(learner, device), start=1):
            assert bool(inbox) <= (number not in closed)


def test_a_closed_round_leaves_nobody_alone_in_its_group(
    tossed: tuple[MemoryTrace, RecordingLearner],
) -> None:
    """The graph is as it was drawn; it is not used."""
    trace, _ = tossed
    assert {row.cluster_size for row in trace.rows if isinstance(row, TopologyRow)} == {3}


def test_a_coin_that_always_falls_on_one_side_is_every_turn() -> None:
    always, _ = played(5, sending={"name": "by_coin", "probability": 1.0})
    every, _ = played(5, sending="every_turn")
    assert always.rows == every.rows


@pytest.mark.parametrize("schedule", ["synchronous", "cluster"])
@pytest.mark.parametrize("late", ["drop", "stale"])
def test_an_edge_counts_where_both_directions_arrived(late: str, schedule: str) -> None:
    """Device 0 is heard and does not hear: mutual, neither mixes the other, however late."""
    radio = {"late": late}
    parts = {"sending": "every_turn", "schedule": schedule}
    trace, mutual = played(3, radio, **parts)
    delivered = {(row.src, row.dst) for row in trace.transfers if row.outcome == "delivered"}
    assert delivered == {(0, 1), (1, 2), (2, 1)}
    assert [senders(mutual, device) for device in range(3)] == [[[]] * 3, [[2]] * 3, [[1]] * 3]
    # Device 1 has heard both others, and has been heard by one.
    assert [row.edges_used for row in trace.rounds] == [0.0, 0.5, 1.0] * 3
    one_way = {"aggregation": "mean", "weights": {"name": "metropolis", "absent": "keep_own"}}
    other, keep_own = played(3, radio, **parts, **one_way)
    late_ones = [[], [1], [1]] if late == "stale" else [[]] * 3
    assert [senders(keep_own, device) for device in range(3)] == [
        late_ones,
        [[0, 2]] * 3,
        [[1]] * 3,
    ]
    assert other.transfers == trace.transfers
    assert [row.edges_used for row in other.rounds] == [0.0, 1.0, 1.0] * 3


@pytest.mark.parametrize("name", ["uniform", "by_rows"])
def test_weights_of_what_was_heard_know_the_neighbours_where_their_shares_are_kept(
    name: str,
) -> None:
    """Device 0 does not hear 1, as above, and knows it for its neighbour; others it knows not."""
    parts: dict[str, Any] = {"sending": "every_turn", "aggregation": "mean"}
    known = {}
    for absent in ("keep_own", "mutual", "renormalise"):
        trace, learner = played(1, weights={"name": name, "absent": absent}, **parts)
        assert (1, 0) not in {(r.src, r.dst) for r in trace.transfers if r.outcome == "delivered"}
        known[absent] = dict(learner.graphs)
    assert known["keep_own"] == known["mutual"] == {0: {0: (1,)}, 1: {1: (0, 2)}, 2: {2: (1,)}}
    assert known["renormalise"] == {0: {}, 1: {}, 2: {}}


def test_what_comes_late_and_before_its_receiver_mixes_does_not_count_either() -> None:
    """Device 0 still waits for the slow one, 4, when the late message of 1 comes: 1 sends to three
    at once. What 0 said to two was in time, but 1 knows that it has not been heard by Γ."""
    d_m = metres(45.0)
    groups = [{"count": 4, "profile": PROFILE}]
    groups.append({"count": 1, "profile": PROFILE | {"peak_flop_s": 1.0e11}})
    chosen = scenario(
        method={
            "name": "flexatc",
            "sending": "every_turn",
            "topology": {"graph": "erdos_renyi", "probability": 1, "range_m": 1.15 * d_m},
        },
        devices=groups,
        radio=ROUND_RADIO | {"late": "stale"},
    )
    learner = RecordingLearner(chosen)
    at = [(d_m, 0.0), (0.0, 0.0), (0.0, d_m), (0.0, -d_m), (2 * d_m, 0.0)]
    trace = simulate(chosen, at=at, learner=learner)
    (late,), (in_time,) = trace.sent(1, 0), trace.sent(0, 1)
    assert (late.outcome, in_time.outcome) == ("late", "delivered")
    assert late.end_s < trace.times(EventKind.AGGREGATE, 0)[0]
    assert [senders(learner, device) for device in range(5)] == [[[4]], [[]], [[]], [[]], [[0]]]


@pytest.mark.parametrize("seed", range(6))
def test_whoever_is_cut_off_in_a_closed_round_is_missed_by_nobody(seed: int) -> None:
    """In an open one its neighbours wait for it in vain."""
    chosen = scenario(
        seed=seed, method="flexatc", devices=[{"count": 3, "profile": PROFILE}], radio=ROUND_RADIO
    )
    trace = simulate(chosen, at=LINE, spells={0: [(0.0, 1.0)]})
    assert len([event for event in trace.events if event.kind == EventKind.CUT_OFF]) == 1
    sending = chosen.method.sending
    opens = sending.opens(1, sending.stream(seed, 1))
    missed = [sum(row.missed for row in trace.rounds_of(device)) for device in (1, 2)]
    assert [count > 0 for count in missed] == [opens, opens]


def test_both_sides_of_the_coin_were_tried() -> None:
    sending = ByCoin()
    assert {sending.opens(1, sending.stream(seed, 1)) for seed in range(6)} == {True, False}
