"""Whole random scenarios whose neighbours send at once: the laws of devices hold, and p_max, half
duplex and one receiver at a time."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cosim.scenario.model import Scenario
from cosim.trace.schema import TransferKind, TransferOutcome
from tests.simulation.laws_of_devices import (
    check_counts,
    check_lives,
    check_rounds,
    check_time_and_energy,
)
from tests.simulation.laws_of_transfers import updates_of
from tests.simulation.random_scenarios import areas, decades, fadings, groups, topologies
from tests.simulation.small_networks import (
    MemoryTrace,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)

PILOT, GUARD = 7, 5


def over_the_air(
    values: int, bandwidth_hz: float, method: Any, p_max_dbm: float, fading: Any, **sections: Any
) -> Scenario:
    """Γ, by which laws say how long devices may wait, is as long as all turns together."""
    threshold_db, devices = sections.pop("threshold_db"), sections["devices"]
    count = sum(group["count"] for group in devices)
    digital = (count - 1) * PILOT + PILOT + 32
    turn_s = (digital + math.ceil(values / 2) + 3 * GUARD) / bandwidth_hz
    access = {
        "model": "air",
        "threshold_db": threshold_db,
        "pilot_symbols": PILOT,
        "guard_symbols": GUARD,
    }
    return scenario(
        learning={"model": "none", "payload_bits": 32 * values, "flop": sections.pop("flop")},
        adapter={"bits_per_value": 32},
        trace={"positions_every_s": 1.0},
        method=method,
        radio={
            "access": access,
            "bandwidth_hz": bandwidth_hz,
            "deadline_s": count * turn_s * (1 + 1e-9) + 1e-9,
            "p_max_dbm": p_max_dbm,
            "fading": fading,
        },
        **sections,
    )


def method_of(graph: Any, schedule: str) -> Any:
    """Graphs that ask what links carry do not."""
    if isinstance(graph, dict) and graph["graph"] == "random":
        graph = graph | {"limit_by_links": False}
    return {"name": "air_fedavg", "topology": graph, "schedule": schedule}


scenarios = st.builds(
    over_the_air,
    values=st.integers(1, 10**6),
    bandwidth_hz=decades(3, 8),
    method=st.builds(
        method_of,
        topologies.filter(lambda graph: graph != "none"),
        st.sampled_from(["synchronous", "cluster"]),
    ),
    p_max_dbm=st.floats(-30, 60),
    fading=fadings,
    threshold_db=st.sampled_from([None, -20.0, 0.0, 20.0]),
    flop=st.sampled_from([0.0, 1.0e9, 3.0e11]),
    seed=st.integers(0, 2**63 - 1),
    rounds=st.integers(1, 3),
    devices=st.lists(groups, min_size=1, max_size=2).filter(
        lambda some: sum(group["count"] for group in some) <= 7
    ),
    area=areas,
)


def check_sums(chosen: Scenario, trace: MemoryTrace) -> None:
    p_max_w = 10 ** (chosen.radio.p_max_dbm / 10 - 3)
    on_air = [row for row in trace.transfers if row.end_s > row.start_s]
    for row in updates_of(trace):
        assert row.bits == row.sent_bits == row.delivered_bits == 0
        assert row.symbols is not None
        assert row.power_w <= p_max_w * (1 + 1e-12)
        assert (row.estimate_error is not None) == (row.outcome is TransferOutcome.DELIVERED)
        if row.outcome is TransferOutcome.OUTAGE:
            assert (row.power_w, row.symbols, row.end_s) == (0.0, 0, row.start_s)
    for one in on_air:
        assert one.end_s <= one.deadline_at_s + 4 * math.ulp(one.end_s)
        told = [
            row.power_w
            for row in on_air
            if (row.src, row.start_s, row.kind) == (one.src, one.start_s, TransferKind.CONTROL)
        ]
        assert math.fsum(told) <= p_max_w * (1 + 1e-9)
        for other in on_air:
            if one.start_s < other.end_s and other.start_s < one.end_s:
                assert one.dst != other.src
                same = (one.src, one.kind, one.start_s) == (other.src, other.kind, other.start_s)
                assert (
                    one.src != other.src
                    or (same and one.kind is TransferKind.CONTROL)
                    or (one is other)
                )


@pytest.mark.slow
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios)
def test_a_random_scenario_over_the_air_keeps_the_laws(chosen: Scenario) -> None:
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    play_to_the_end(world)
    assert not world.medium.superposition._stars
    for station in world.stations:
        assert station.inbox._all_ended is None
        assert station.life is None or not station.life.is_alive
    for outcome in {row.outcome for row in updates_of(trace)}:
        event(f"{chosen.method.schedule}: {outcome.value}")
    check_sums(chosen, trace)
    check_rounds(chosen, trace)
    check_lives(chosen, trace)
    check_counts(chosen, trace)
    for device in range(chosen.device_count):
        check_time_and_energy(chosen, trace, device)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios)
def test_a_seed_gives_one_trace(chosen: Scenario) -> None:
    assert simulate(chosen).rows == simulate(chosen).rows
