"""Whole random scenarios: bits are conserved, spectrum is never oversold, time never goes back,
energy is the integral of power, everything ends, and a seed is the only thing that chance hangs
on."""

import pytest
from hypothesis import HealthCheck, event, given, settings

from cosim.scenario.model import Scenario
from cosim.simulation.world import World
from cosim.trace.schema import (
    Cause,
    EventKind,
    TransferKind,
    TransferOutcome,
)
from tests.simulation.laws_of_devices import (
    check_counts,
    check_lives,
    check_rounds,
    check_time_and_energy,
)
from tests.simulation.laws_of_transfers import check_experts, check_transfers
from tests.simulation.random_scenarios import scenarios
from tests.simulation.small_networks import (
    MemoryTrace,
    in_use_hz,
    play_to_the_end,
    simulate,
    world_of,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios)
def test_a_random_scenario_keeps_the_laws(chosen: Scenario) -> None:
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    limit_hz = chosen.radio.bandwidth_hz * (1 + 1e-9)
    limit_w = 10 ** (chosen.radio.p_max_dbm / 10 - 3) * (1 + 1e-9)
    clock = [0.0]

    def probe(now: World) -> None:
        assert now.env.now >= clock[0]
        clock[0] = now.env.now
        for station in now.stations:
            assert 0 <= in_use_hz(station) <= limit_hz
            assert (
                sum(transmission.power_w for transmission in station.outgoing.values()) <= limit_w
            )
            assert station.present or not (station.outgoing or station.incoming)
            assert station.meter.battery_j is None or station.meter.battery_j >= 0

    play_to_the_end(world, probe)
    for station in world.stations:
        assert not station.outgoing
        assert not station.incoming
        assert station.inbox._all_ended is None
        assert station.life is None or not station.life.is_alive
    assert not world.medium._changed
    assert not world.medium._bursts
    tell_what_occurred(chosen, trace)
    times = [row.time_s for row in trace.events]
    assert times == sorted(times)
    check_transfers(chosen, trace.transfers)
    check_rounds(chosen, trace)
    check_lives(chosen, trace)
    check_experts(chosen, world, trace)
    check_counts(chosen, trace)
    for device in range(chosen.device_count):
        check_time_and_energy(chosen, trace, device)


def tell_what_occurred(chosen: Scenario, trace: MemoryTrace) -> None:
    """For `--hypothesis-show-statistics`: that the laws are tried where they may fail."""
    for outcome in {row.outcome for row in trace.transfers}:
        event(f"{chosen.method.schedule}: {outcome.value}")
    for kind in {(e.kind, e.cause) for e in trace.events if e.kind is EventKind.CUT_OFF}:
        event(f"{chosen.method.schedule}: cut off, {kind[1].value}")
    if any(row.stale for row in trace.rounds):
        event(f"{chosen.method.schedule}: stale arrival")
    if any(t.outcome is TransferOutcome.CANCELLED and t.end_s > t.start_s for t in trace.transfers):
        event(f"{chosen.method.schedule}: cancelled in the air")
    if any(e.kind is EventKind.JOIN for e in trace.events):
        event("somebody is back")
    if any(e.cause is Cause.BATTERY_EMPTY for e in trace.events):
        event("a battery is empty")
    if trace.rounds and max(row.round for row in trace.rounds) < chosen.rounds:
        event("the run ends early")
    event(f"packets {chosen.radio.packets.model}")
    for row in trace.transfers:
        if row.kind is TransferKind.EXPERT:
            late = row.outcome is TransferOutcome.LATE and row.delivered_bits == row.bits
            event(f"expert {row.outcome.value}{' and whole' if late else ''}")


@pytest.mark.slow
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(chosen=scenarios)
def test_a_seed_gives_one_trace_and_another_seed_another(chosen: Scenario) -> None:
    rows = simulate(chosen).rows
    assert simulate(chosen).rows == rows
    assert simulate(chosen.model_copy(update={"seed": chosen.seed ^ 1})).rows != rows
