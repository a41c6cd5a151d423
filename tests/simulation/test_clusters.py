"""Clusters: what forming them costs, when they are formed anew, what goes between them."""

import math
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from cosim.mobility.trajectory import PiecewiseLinear, Trajectory
from cosim.simulation.setup.build import build_devices
from cosim.trace.schema import TopologyRow, TransferKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ZERO_MARGIN,
    MemoryTrace,
    RecordingLearner,
    play_to_the_end,
    scenario,
    simulate,
    world_at,
)

DENSITY = 0.1
NEAR = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (10.0, 10.0), (5.0, 0.0), (0.0, 5.0)]


def clusters(s_max: float, every: int = 100, **sections: Any) -> Any:
    count, attempts = sections.pop("count", 6), sections.pop("attempts", 3)
    return scenario(
        **{
            "method": {
                "name": "proposed_single_cluster",
                "topology": {
                    "graph": "clusters",
                    "max_collision_rate": s_max,
                    "exchange_every": every,
                    "exchange_attempts": attempts,
                },
            },
            "adapter": {"density": DENSITY},
            "devices": [{"count": count, "profile": PROFILE, "mobility": {"model": "static"}}],
            **sections,
        }
    )


def groups(trace: MemoryTrace, round_: int) -> dict[int, int]:
    """Device → cluster in a round."""
    return {
        row.device: row.cluster
        for row in trace.rows
        if isinstance(row, TopologyRow) and row.round == round_
    }


def of_kind(trace: MemoryTrace, kind: TransferKind) -> list[Any]:
    return [row for row in trace.transfers if row.kind is kind]


def test_a_pair_collides_in_a_hundredth_of_its_positions() -> None:
    """Eq. 19 at s = 0.1: S of two is s² = 0.01, of three 0.028; S_max 0.02 leaves pairs."""
    trace = simulate(clusters(0.02), at=NEAR)
    sizes = [list(groups(trace, 1).values()).count(cluster) for cluster in range(3)]
    assert sizes == [2, 2, 2]
    for row in trace.rows:
        if isinstance(row, TopologyRow):
            assert row.collision_predicted == pytest.approx(DENSITY**2, rel=1e-12)
    assert len(set(groups(simulate(clusters(0.5), at=NEAR), 1).values())) == 1
    assert len(set(groups(simulate(clusters(0.0), at=NEAR), 1).values())) == 6


def test_every_cluster_that_comes_into_being_is_announced_and_charged() -> None:
    """Six devices announce one density of 16 bit each, three merged clusters two numbers each, as
    long as anybody else is there to hear it."""
    chosen = clusters(0.02)
    trace = simulate(chosen, at=NEAR)
    control = of_kind(trace, TransferKind.CONTROL)
    assert sorted(row.bits for row in control) == [16] * 6 + [32] * 3
    assert all(row.outcome is TransferOutcome.DELIVERED for row in control)
    # At p_max, one after the other: none before the one that it follows has arrived.
    p_max_w = 10 ** (chosen.radio.p_max_dbm / 10 - 3)
    assert [row.power_w for row in control] == pytest.approx([p_max_w] * 9, rel=1e-12)
    merged = [row for row in control if row.bits == 32]
    first = max(row.end_s for row in control if row.bits == 16)
    for row in merged:
        assert row.start_s >= first
        first = row.end_s
    compute_start = [e.time_s for e in trace.events if e.kind == "compute_start"]
    assert set(compute_start) == {merged[-1].end_s}
    for row in trace.rounds:
        own = [t for t in trace.transfers if t.src == row.device]
        assert row.energy_tx_j == pytest.approx(sum(t.energy_tx_j for t in own), rel=1e-9)


def test_who_comes_while_clusters_are_formed_waits_for_the_next_round() -> None:
    """At 10 Hz announcements take some hundredths of a second; device 2 comes in the midst."""
    chosen = clusters(
        0.5,
        count=3,
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": 16},
        radio={"bandwidth_hz": 10.0, "fading": {"model": "none"}},
    )
    trace = simulate(chosen, at=NEAR[:3], spells={2: [(0.02, math.inf)]})
    formed_s = min(e.time_s for e in trace.events if e.kind == "compute_start")
    assert formed_s > 0.02
    assert groups(trace, 1).keys() == {0, 1}
    assert groups(trace, 2).keys() == {0, 1, 2}
    first, second = trace.rounds_of(2)
    assert first.off_s == pytest.approx(0.02)
    assert (first.compute_s, second.off_s) == (0.0, 0.0)
    assert second.compute_s > 0.0


def test_clusters_are_formed_anew_when_their_powers_no_longer_suffice() -> None:
    """Two pairs side by side; one member walks away until Lemma 1 at the mean gain exceeds p_max,
    and the next round begins with a negotiation."""
    walker = PiecewiseLinear((10.0, 0.0), iter([(100.0, 10.0, 9000.0)]), speed_limit_m_s=90.0)
    far: list[Trajectory | tuple[float, float]] = [(0.0, 0.0), walker, (0.0, 20.0), (10.0, 20.0)]
    chosen = clusters(
        0.02,
        count=4,
        rounds=12,
        area={"radius_m": 10_000.0},
        learning=NO_LEARNING | {"payload_bits": 20_000_000},
    )
    trace = simulate(chosen, at=far)
    times = {row.round for row in of_kind(trace, TransferKind.CONTROL)}
    assert 1 in times
    assert len(times) > 1, "nobody noticed that a device walked away"
    anew = min(times - {1})
    assert all(groups(trace, number) == groups(trace, 1) for number in range(1, anew))
    assert groups(trace, anew) != groups(trace, 1)


def play(chosen: Any, at: Any) -> tuple[MemoryTrace, RecordingLearner]:
    trace, learner = MemoryTrace(), RecordingLearner(chosen)
    play_to_the_end(world_at(chosen, trace, at, learner=learner))
    return trace, learner


def test_experts_go_to_everybody_every_e_rounds_and_at_the_end() -> None:
    trace, learner = play(clusters(0.02, every=2, rounds=5), NEAR)
    experts = of_kind(trace, TransferKind.EXPERT)
    assert {row.round for row in experts} == {2}, "later there is nothing that anybody lacks"
    assert all(row.outcome is TransferOutcome.DELIVERED for row in experts)
    bits = 4_000_000
    # Three heads tell the two others of two experts each, then one member each of four.
    assert sorted(row.bits for row in experts) == [2 * bits] * 6 + [4 * bits] * 3
    for device in range(6):
        assert learner.bank(device) == set(range(6))
    last, _ = play(clusters(0.02, every=100, rounds=3), NEAR)
    assert {row.round for row in of_kind(last, TransferKind.EXPERT)} == {3}


# Lemma 1 without a margin between walkers: a third of the transfers misses Γ.
WALKING = {"model": "random_waypoint", "speed_m_s": [1.0, 2.0], "pause_s": [0, 0]}
FADING: dict[str, Any] = {
    "area": {"radius_m": 20.0},
    "devices": [{"count": 6, "profile": PROFILE, "mobility": WALKING}],
    "radio": {"fading": {"model": "clarke"}, "power": ZERO_MARGIN},
}


def test_an_expert_that_misses_its_deadline_is_sent_again() -> None:
    def among_walkers(attempts: int) -> tuple[list[Any], RecordingLearner]:
        chosen = clusters(0.02, attempts=attempts, **FADING)
        paths = [device.trajectory for device in build_devices(chosen)]
        trace, learner = play(chosen, paths)
        return of_kind(trace, TransferKind.EXPERT), learner

    once, lacking = among_walkers(1)
    experts, learner = among_walkers(50)
    links = {(row.src, row.dst) for row in experts}
    assert any(lacking.experts(src, [dst]).bits[dst] > 0 for src, dst in links)
    assert all(learner.experts(src, [dst]).bits[dst] == 0 for src, dst in links)
    assert experts[:6] == once[:6], "a first attempt does not know of a second"
    by_link: dict[tuple[int, int], list[Any]] = {}
    for row in experts:
        by_link.setdefault((row.src, row.dst), []).append(row)
    for rows in by_link.values():
        assert {row.outcome for row in rows[:-1]} <= {TransferOutcome.LATE}
        assert rows[-1].outcome is TransferOutcome.DELIVERED
        assert len({row.bits for row in rows}) == 1
        for before, after in pairwise(rows):
            assert after.start_s >= before.deadline_at_s
    assert any(len(rows) > 1 for rows in by_link.values())


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_an_expert_is_given_up_after_its_attempts(attempts: int) -> None:
    """A microwatt over kilometres, with which no cluster forms and nothing is ever in time."""
    weak: dict[str, Any] = {"radio": {"fading": {"model": "none"}, "p_max_dbm": -30}}
    far = [(1000 * x, 1000 * y) for x, y in NEAR]
    trace, learner = play(clusters(0.02, attempts=attempts, **weak), far)
    experts = of_kind(trace, TransferKind.EXPERT)
    assert [row.outcome for row in experts] == [TransferOutcome.LATE] * 30 * attempts
    assert all(learner.bank(device) == {device} for device in range(6))


@pytest.mark.parametrize(
    ("every", "rounds", "after"),
    [(2, 5, [2, 5]), (2, 6, [2, 4, 6]), (1, 3, [1, 2, 3]), (5, 5, [5]), (3, 8, [3, 8])],
)
def test_no_exchange_less_than_e_rounds_before_the_last(
    every: int, rounds: int, after: list[int]
) -> None:
    topology = clusters(0.02, every=every, rounds=rounds).method.topology
    attempts = {number: topology.expert_attempts(number, rounds) for number in range(1, rounds + 1)}
    assert [number for number, times in attempts.items() if times] == after
    assert set(attempts.values()) <= {0, 3}


def test_one_cluster_has_nobody_to_exchange_with() -> None:
    trace = simulate(clusters(0.9, every=1, rounds=2), at=NEAR)
    assert not of_kind(trace, TransferKind.EXPERT)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"schedule": "asynchronous"}, "use schedule 'synchronous'"),
        ({"name": "lora"}, "use 'support_normalised'"),
    ],
)
def test_what_does_not_fit_clusters_is_refused(fields: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        scenario(
            method={"name": "proposed_single_cluster", "topology": {"graph": "clusters"}} | fields
        )
