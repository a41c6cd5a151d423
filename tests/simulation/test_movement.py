"""The channel follows its devices: whatever the fading and the packets, and however short."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad

from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.repeat import RepeatedPath
from cosim.mobility.trajectory import PiecewiseLinear, Static, Trajectory
from cosim.scenario.radio import Radio
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid, UnevenGrid
from cosim.simulation.links.slots import grids
from cosim.trace.schema import TransferOutcome, TransferRow
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)

SPEED_M_S, ASIDE_M, DEADLINE_S = 30.0, 4.0, 8.0


def passing() -> list[PiecewiseLinear]:
    """A car that comes from 120 m away and passes a standing device 4 m aside."""
    car = PiecewiseLinear(
        (-120.0, ASIDE_M), iter([(10.0, 180.0, ASIDE_M)]), speed_limit_m_s=SPEED_M_S
    )
    return [car, PiecewiseLinear((0.0, 0.0), iter(()), speed_limit_m_s=0.0)]


def drive_by(bits: int, packets: object) -> tuple[TransferRow, Callable[[float], float]]:
    chosen = scenario(
        learning=NO_LEARNING | {"payload_bits": bits, "flop": 0.0},
        devices=[{"count": 2, "profile": PROFILE}],
        radio={
            "fading": {"model": "none"},
            "power": {"policy": "max_power"},
            "deadline_s": DEADLINE_S,
            "packets": packets,
        },
    )
    row = simulate(chosen, at=passing()).sent(0, 1)[0]
    one_m = (299_792_458.0 / (4 * math.pi * chosen.radio.carrier_hz)) ** 2
    noise = 1.380649e-23 * 290.0 * 20.0e6 * 10**0.9

    def snr(t: float) -> float:
        apart = math.hypot(SPEED_M_S * t - 120.0, ASIDE_M)
        return float(row.power_w * one_m * apart**-3.0 / noise)

    return row, snr


@pytest.mark.parametrize("bits", [1, 100_000, 100_000_000, 600_000_000])
def test_a_drive_by_has_the_bits_of_its_closed_form(bits: int) -> None:
    row, snr = drive_by(bits, "fluid")
    took = row.end_s - row.start_s
    assert row.outcome is TransferOutcome.DELIVERED
    carried, _ = quad(lambda t: 20e6 * math.log2(1 + snr(t)), 0, took, points=[4.0], limit=500)
    # A time too short for the clock's digits is rounded by them, and not by the slots.
    assert carried == pytest.approx(bits, rel=1e-3)


def test_all_packets_see_one_channel() -> None:
    """The mean SNR of a whole Γ, by closed form: ∫v⁻³."""
    for packets in ("fluid", "codeword", {"model": "blocks", "combining": "none"}):
        row, snr = drive_by(10**10, packets)
        took = row.end_s - row.start_s
        assert took == pytest.approx(DEADLINE_S)
        mean = quad(snr, 0, took, points=[4.0], limit=500)[0] / took
        assert row.mean_snr_db == pytest.approx(10 * math.log10(mean), abs=0.02)


@pytest.mark.parametrize("fading", ["none", "block", "clarke"])
def test_a_transfer_of_a_bit_reads_the_gain_of_its_own_time(fading: str) -> None:
    """Not that of half a slot later: what Lemma 1 knows at the start is what it gets."""
    walk = {"model": "random_waypoint", "speed_m_s": [0.5, 1.5]}
    chosen = scenario(
        rounds=5,
        learning=NO_LEARNING | {"payload_bits": 1},
        devices=[{"count": 4, "profile": PROFILE, "mobility": walk}],
        radio={"fading": {"model": fading}, "power": {"policy": "max_power"}},
    )
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    play_to_the_end(world)
    channel = world.medium.channel
    for row in trace.transfers:
        gain = float(channel.gains([(row.src, row.dst)], row.start_s, [row.round])[0])
        noise = float(channel.noise_w(row.bandwidth_hz))
        level = 10 * math.log10(row.power_w * gain / noise)
        assert row.mean_snr_db == pytest.approx(level, abs=1e-3)


def slots_of(path: Trajectory, other: Trajectory, **radio: object) -> tuple[Channel, Grid]:
    chosen = Radio.model_validate(
        {"bandwidth_hz": 1e7, "shadowing": {"sigma_db": 7.0, "decorrelation_m": 10.0}} | radio
    )
    channel = Channel(chosen, [path, other], seed=1)
    (grid,) = grids(channel, [(0, 1)], [0.5], 0)
    return channel, grid


def test_a_way_that_jumps_in_every_slot_is_cut_as_short_as_any() -> None:
    times, x = np.array([0.0, 1.0]), np.array([0.0, 2.0])
    path = RepeatedPath(RecordedPath("a", times, x, np.zeros(2)), 1.0)
    channel, grid = slots_of(path, Static(1000.0, 0.0), deadline_s=64.0, fading={"model": "none"})
    edges_s = np.unique(np.concatenate([grid.edges_s(chunk) for chunk in range(grid.chunks)]))
    _, way_m, _, _ = channel.course([(0, 1)], 0.5 + edges_s)
    # 128 m in 64 s, and Γ has 8192 slots at most beside those that jumps cut.
    assert np.diff(way_m).max() <= 128.0 / 8192 + 1e-9


def test_slots_that_suffice_stay_equal() -> None:
    """Links of one grid are solved together, and one of its own alone."""
    car = RecordedPath("a", np.array([0.0, 20.0]), np.array([-200.0, 200.0]), np.zeros(2))
    other = RecordedPath("b", np.array([0.0, 20.0]), np.array([200.0, -200.0]), np.full(2, 5.0))
    _, grid = slots_of(car, other, deadline_s=10.0, fading={"model": "clarke"})
    assert not isinstance(grid, UnevenGrid)
