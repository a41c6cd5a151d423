"""The channel follows its devices: whatever the fading and the packets, and however short."""

import math
from collections.abc import Callable

import pytest
from scipy.integrate import quad
from small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)

from cosim.mobility.trajectory import PiecewiseLinear
from cosim.trace.schema import Outcome, TransferRow

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
        return row.power_w * one_m * apart**-3.0 / noise

    return row, snr


@pytest.mark.parametrize("bits", [1, 100_000, 100_000_000, 600_000_000])
def test_a_drive_by_has_the_bits_of_its_closed_form(bits: int) -> None:
    row, snr = drive_by(bits, "fluid")
    took = row.end_s - row.start_s
    assert row.outcome is Outcome.DELIVERED
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
