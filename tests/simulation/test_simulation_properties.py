"""Whole random scenarios: bits are conserved, spectrum is never oversold, time never goes back,
everything ends, and a seed is the only thing that chance hangs on."""

import math
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from small_networks import (
    PROFILE,
    MemoryTrace,
    method,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)

from cosim.scenario.model import Scenario
from cosim.simulation.world import World
from cosim.trace.schema import EventKind, Outcome, TransferRow


def decades(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers over many orders of magnitude."""
    return st.floats(low, high).map(lambda exponent: float(10**exponent))


topologies = st.one_of(
    st.sampled_from(["none", "complete", "ring"]),
    st.integers(1, 4).map(lambda degree: {"graph": "random", "degree": degree}),
)
mobilities: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"model": "static"}),
    st.builds(
        lambda slow, faster, pause: {
            "model": "random_waypoint",
            "speed_m_s": [slow, slow * faster],
            "pause_s": [0.0, pause],
        },
        st.floats(0.01, 3.0),
        st.floats(1.0, 3.0),
        st.sampled_from([0.0, 5.0]),
    ),
    # At 5σ above the mean a step of 0.1 s stays below 1 m, the size of the smallest area.
    st.builds(
        lambda mean, sigma, memory: {
            "model": "gauss_markov",
            "mean_speed_m_s": mean,
            "sigma_m_s": sigma,
            "memory_s": memory,
            "step_s": 0.1,
        },
        st.floats(0.0, 3.0),
        st.floats(0.0, 1.0),
        decades(-2, 3),
    ),
)
groups = st.builds(
    lambda count, mobility, speed, battery: {
        "count": count,
        "mobility": mobility,
        "profile": PROFILE | {"peak_flop_s": speed, "battery_j": battery},
    },
    st.integers(1, 4),
    mobilities,
    decades(11, 14),
    st.sampled_from([None, 10.0]),
)
powers: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"policy": "max_power"}),
    st.builds(
        lambda margin, knowledge, fallback: {
            "policy": "lemma1",
            "margin_db": margin,
            "channel_knowledge": knowledge,
            "fallback": fallback,
        },
        st.sampled_from([0.0, 3.0, 20.0]),
        st.sampled_from(["instantaneous", "mean"]),
        st.sampled_from(["scale", "drop_weakest", "max_power"]),
    ),
)
fadings = st.sampled_from(
    [
        {"model": "none"},
        {"model": "block"},
        {"model": "clarke", "sinusoids": 8, "slots_per_coherence_time": 1},
    ]
)
areas = st.one_of(
    decades(0, 4).map(lambda radius: {"shape": "disc", "radius_m": radius}),
    decades(0, 4).map(lambda side: {"shape": "square", "side_m": side}),
)
radios = st.fixed_dictionaries(
    {
        "bandwidth_hz": decades(2, 10),
        "deadline_s": decades(-4, 0.5),
        "p_max_dbm": st.floats(-30, 60),
        "noise": st.sampled_from(["share", "constant"]),
        "path_loss": st.one_of(
            st.just({"model": "d2d_outdoor"}),
            st.fixed_dictionaries(
                {"model": st.sampled_from(["log_distance", "paper"]), "exponent": st.floats(1.5, 6)}
            ),
        ),
        "shadowing": st.sampled_from([{}, {"sigma_db": 7.0, "decorrelation_m": 5.0}]),
        "fading": fadings,
        "power": powers,
    }
)
scenarios = st.builds(
    lambda bits, flop, **sections: scenario(
        learning={"model": "none", "payload_bits": round(bits), "flop": flop},
        trace={"positions_every_s": 1.0},
        **sections,
    ),
    bits=decades(0, 15),
    flop=st.sampled_from([0.0, 1.0e9, 3.0e11]),
    seed=st.integers(0, 2**63 - 1),
    rounds=st.integers(1, 3),
    method=topologies.map(method),
    devices=st.lists(groups, min_size=1, max_size=2).filter(
        lambda some: sum(group["count"] for group in some) <= 7
    ),
    area=areas,
    radio=radios,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios)
def test_a_random_scenario_keeps_the_laws(chosen: Scenario) -> None:
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    limit_hz = chosen.radio.bandwidth_hz * (1 + 1e-9)
    clock = [0.0]

    def probe(now: World) -> None:
        assert now.env.now >= clock[0]
        clock[0] = now.env.now
        assert all(-1e-9 * limit_hz <= used <= limit_hz for used in now.medium.in_use_hz.values())

    play_to_the_end(world, probe)
    assert all(abs(used) <= 1e-9 * limit_hz for used in world.medium.in_use_hz.values())
    assert not world.medium._arrivals
    for outcome in {row.outcome for row in trace.transfers}:
        event(outcome.value)
    check_transfers(chosen, trace.transfers)
    check_rounds(chosen, trace)
    times = [row.time_s for row in trace.events]
    assert times == sorted(times)


def check_transfers(chosen: Scenario, transfers: list[TransferRow]) -> None:
    radio, sent = chosen.radio, defaultdict(list)
    p_max_w = 10 ** (radio.p_max_dbm / 10 - 3)
    for row in transfers:
        sent[row.round, row.src].append(row)
        assert row.deadline_s == row.start_s + radio.deadline_s
        assert row.start_s <= row.end_s <= row.deadline_s
        assert 0 <= row.delivered_bits <= row.bits
        assert min(row.energy_tx_j, row.energy_rx_j, row.power_w, row.distance_m) >= 0
        if row.outcome is Outcome.DELIVERED:
            assert row.delivered_bits == row.bits
        elif row.outcome is Outcome.LATE:
            assert row.delivered_bits < row.bits
            assert row.end_s == row.deadline_s
        else:
            assert row.outcome is Outcome.OUTAGE
            assert (row.delivered_bits, row.end_s, row.power_w) == (0.0, row.start_s, 0.0)
        # The rate is concave in the SNR: no more bits than at the mean SNR all the time, but for
        # the few ulps by which clock times round.
        capacity = row.bandwidth_hz * math.log1p(10 ** (row.mean_snr_db / 10)) / math.log(2)
        on_air_s = row.end_s - row.start_s + 2 * math.ulp(row.end_s)
        if row.outcome is not Outcome.OUTAGE:
            assert row.delivered_bits <= capacity * on_air_s * (1 + 1e-9)
    for flights in sent.values():
        assert math.fsum(row.power_w for row in flights) <= p_max_w * (1 + 1e-9)
        used = math.fsum(row.bandwidth_hz for row in flights)
        assert used == pytest.approx(radio.bandwidth_hz, rel=1e-9)


def check_rounds(chosen: Scenario, trace: MemoryTrace) -> None:
    devices, rounds = range(chosen.device_count), range(1, chosen.rounds + 1)
    assert [(row.round, row.device) for row in trace.rounds] == [
        (number, device) for number in rounds for device in devices
    ]
    ended = {(row.round, row.device) for row in trace.events if row.kind is EventKind.ROUND_END}
    assert len(ended) == len(trace.rounds)
    out, heard = defaultdict(list), defaultdict(list)
    for row in trace.transfers:
        out[row.round, row.src].append(row)
        heard[row.round, row.dst].append(row)
    for one in trace.rounds:
        mine = one.round, one.device
        parts = one.compute_s + one.send_s + one.wait_s
        assert parts == pytest.approx(one.end_s - one.start_s, rel=1e-9, abs=1e-12)
        assert min(one.compute_s, one.send_s, one.wait_s) >= 0
        bits = math.fsum(row.delivered_bits for row in out[mine])
        assert one.bits_sent == pytest.approx(bits, rel=1e-12)
        assert one.received == sum(row.outcome is Outcome.DELIVERED for row in heard[mine])
        assert one.received + one.missed == len(heard[mine])
        assert {row.dst for row in out[mine]} == {row.src for row in heard[mine]}


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(chosen=scenarios)
def test_a_seed_gives_one_trace_and_another_seed_another(chosen: Scenario) -> None:
    rows = simulate(chosen).rows
    assert simulate(chosen).rows == rows
    assert simulate(chosen.model_copy(update={"seed": chosen.seed ^ 1})).rows != rows
