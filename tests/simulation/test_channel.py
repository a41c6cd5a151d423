"""One channel for both directions, the same for every method, untouched by other devices; and
transfers solved in chunks end where the whole solution ends."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.mobility.trajectory import PiecewiseLinear, Static, Trajectory
from cosim.physics.fading import SumOfSinusoids, clarke_power_gains
from cosim.physics.pathloss import log_distance_gain
from cosim.physics.rate import rate_bit_s
from cosim.randomness import stream
from cosim.scenario.model import Scenario
from cosim.scenario.radio import Radio
from cosim.simulation.links import grid as grid_room
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.fluid import advance, solve
from cosim.simulation.links.transmission import Transmission
from cosim.simulation.world import World
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ZERO_MARGIN,
    MemoryTrace,
    delivered_bits,
    duration_s,
    mean_snr_db,
    scenario,
    transmissions,
    world_of,
)

TIMES_S = np.linspace(0.0, 30.0, 61)
WALK = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0], "pause_s": [0.0, 2.0]}


def walkers(count: int, fading: str, **sections: object) -> World:
    chosen = scenario(
        devices=[{"count": count, "profile": PROFILE, "mobility": WALK}],
        radio={"fading": {"model": fading}},
        **sections,
    )
    return world_of(chosen, MemoryTrace())


def pair_gains(world: World, sender: int, receiver: int, round_: int) -> np.ndarray:
    return world.medium.channel.slot_gains([(sender, receiver)], TIMES_S, [round_])


@pytest.mark.parametrize("fading", ["block", "clarke"])
def test_a_link_is_reciprocal(fading: str) -> None:
    world = walkers(3, fading)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        there = pair_gains(world, first, second, 1)
        np.testing.assert_array_equal(there, pair_gains(world, second, first, 1))
    assert not np.array_equal(pair_gains(world, 0, 1, 1), pair_gains(world, 0, 2, 1))


def test_a_block_is_one_draw_a_pair_and_round() -> None:
    channel = walkers(2, "block").medium.channel

    def fade(time_s: float, round_: int) -> float:
        gain = channel.gains([(0, 1)], time_s, [round_]) / channel.mean_gains([(0, 1)], time_s)
        return float(gain[0])

    assert fade(0.0, 1) == pytest.approx(fade(25.0, 1), rel=1e-12)
    draws = np.array([fade(0.0, round_) for round_ in range(1, 401)])
    assert len(np.unique(draws)) == 400
    # Exp(1): mean 1 with standard error 0.05, P(below ln 2) = ½ with standard error 0.025.
    assert abs(draws.mean() - 1.0) < 4 * 0.05
    assert abs((draws < math.log(2)).mean() - 0.5) < 4 * 0.025


@pytest.mark.parametrize("fading", ["block", "clarke"])
@pytest.mark.parametrize("method", ["lora", "local"])
def test_every_method_meets_the_same_channel(fading: str, method: str) -> None:
    ours, theirs = walkers(3, fading), walkers(3, fading, method=method)
    for round_ in (1, 2):
        np.testing.assert_array_equal(
            pair_gains(ours, 0, 2, round_), pair_gains(theirs, 0, 2, round_)
        )


@pytest.mark.parametrize("fading", ["block", "clarke"])
def test_a_seventh_device_changes_nobody_elses_path_or_fades(fading: str) -> None:
    six, seven = walkers(6, fading), walkers(7, fading)
    # Whoever is asked first must not matter either.
    seven.stations[6].device.trajectory.position_m(1000.0)
    pair_gains(seven, 6, 0, 1)
    for device in range(6):
        np.testing.assert_array_equal(
            six.stations[device].device.trajectory.position_m(TIMES_S),
            seven.stations[device].device.trajectory.position_m(TIMES_S),
        )
    for first in range(6):
        for second in range(first + 1, 6):
            for round_ in (1, 2):
                np.testing.assert_array_equal(
                    pair_gains(six, first, second, round_),
                    pair_gains(seven, second, first, round_),
                )


def test_the_seed_moves_everything() -> None:
    one, two = walkers(2, "block", seed=1), walkers(2, "block", seed=2)
    assert not np.array_equal(pair_gains(one, 0, 1, 1), pair_gains(two, 0, 1, 1))


def moving(seed: int, bits: int) -> tuple[Scenario, Channel, list[int]]:
    chosen = scenario(
        seed=seed,
        learning=NO_LEARNING | {"payload_bits": bits},
        devices=[{"count": 4, "profile": PROFILE, "mobility": WALK}],
        radio={"fading": {"model": "clarke", "sinusoids": 16}, "deadline_s": 4.0},
    )
    return chosen, world_of(chosen, MemoryTrace()).medium.channel, [bits] * 3


def solved(channel: Channel, bits: list[int]) -> list[Transmission]:
    return transmissions(channel, 0, [1, 2, 3], bits, 2.5, 1)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [10_000, 3_000_000, 20_000_000, 200_000_000])
def test_solving_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    _, channel, wanted = moving(3, bits)
    monkeypatch.setattr(grid_room, "_CHUNK", 10**9)
    whole = solved(channel, wanted)
    assert whole[0].grid.slots > 500
    for chunk in (1, 7, 64, 499):
        monkeypatch.setattr(grid_room, "_CHUNK", chunk)
        for part, one in zip(solved(channel, wanted), whole, strict=True):
            assert duration_s(part) == pytest.approx(duration_s(one), rel=1e-9)
            assert delivered_bits(part) == pytest.approx(delivered_bits(one), rel=1e-9)
            assert mean_snr_db(part) == pytest.approx(mean_snr_db(one), abs=1e-9)
            assert part.power_w == one.power_w


class Paused(Static):
    """A device that could walk but rests: the slots are short, the channel is constant."""

    speed_limit_m_s = 3.0


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [64, 320, 511, 512])
def test_lemma_1_ends_at_the_deadline_however_many_chunks_there_are(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """The last chunk may have only a few slots, and a few bits to carry."""
    monkeypatch.setattr(grid_room, "_CHUNK", chunk)
    doppler = math.hypot(3.0, 3.0) * 3.5e9 / 299_792_458.0
    width_s = math.sqrt(9 / (16 * math.pi)) / doppler / 4
    radio = Radio(deadline_s=2560.5 * width_s, power=ZERO_MARGIN)
    for distance in range(20, 40):
        channel = Channel(radio, [Paused(0.0, 0.0), Paused(float(distance), 0.0)], distance)
        (sent,) = transmissions(channel, 0, [1], [10_000_000 + 997 * distance], 1.0, 1)
        assert sent.grid.slots == 3072
        assert duration_s(sent) == radio.deadline_s
        assert delivered_bits(sent) == sent.message.bits


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6), share=st.floats(1e-6, 1.0), bits=st.integers(10**4, 10**8))
def test_a_cut_has_the_bits_of_the_rate_until_then(seed: int, share: float, bits: int) -> None:
    """Also of a cut long before the planned end, in whose first slot it lies."""
    _, channel, wanted = moving(seed, bits)
    for sent in solved(channel, wanted):
        on_air = min(duration_s(sent), channel.radio.deadline_s)
        elapsed = share * on_air
        carried = integrated_bits(channel, sent, sent.share_hz, 0.0, elapsed)
        advance(channel, [(sent, elapsed)])
        assert sent.carried_bits == pytest.approx(min(carried, bits), rel=1e-3, abs=1e-6)
        advance(channel, [(sent, on_air)])
        assert sent.carried_bits == pytest.approx(delivered_bits(sent), rel=1e-3)
        assert sent.mean_snr_db == pytest.approx(mean_snr_db(sent), abs=5e-3)


def integrated_bits(
    channel: Channel, sent: Transmission, share_hz: float, from_s: float, to_s: float
) -> float:
    """∫R dt by the middles of 4,000 parts."""
    edges = np.linspace(from_s, to_s, 4001)
    gains = channel.slot_gains([sent.link], sent.start_s + edges, [sent.round])[0]
    rates = rate_bit_s(share_hz, sent.power_w * gains / channel.noise_w(share_hz))
    return float(rates @ np.diff(edges))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), at=st.floats(0.0, 1.0), factor=st.sampled_from([1.0, 1.5, 3.0]))
def test_a_new_share_midway_is_solved_from_there(seed: int, at: float, factor: float) -> None:
    """The same share again changes nothing, and a wider one is what two rates in turn carry."""
    _, channel, wanted = moving(seed, 3_000_000)
    for sent in solved(channel, wanted):
        before_s, before_hz = duration_s(sent), sent.share_hz
        changes_s = at * min(before_s, channel.radio.deadline_s)
        advance(channel, [(sent, changes_s)])
        sent.share_hz = before_hz * factor
        solve(channel, [sent])
        if factor == 1.0:
            assert duration_s(sent) == pytest.approx(before_s, rel=1e-3)
            continue
        assert duration_s(sent) <= before_s * (1 + 1e-3)
        ends_s = min(duration_s(sent), channel.radio.deadline_s)
        bits = integrated_bits(channel, sent, before_hz, 0.0, changes_s)
        bits += integrated_bits(channel, sent, before_hz * factor, changes_s, ends_s)
        assert delivered_bits(sent) == pytest.approx(bits, rel=1e-3)


def test_the_channel_is_sampled_often_enough_for_the_fastest_pair() -> None:
    """0.423/√(f1² + f2²) over four; a pair at rest needs one slot only."""
    paths: list[Trajectory] = [
        PiecewiseLinear((0.0, 0.0), iter(()), speed_limit_m_s=2.0),
        PiecewiseLinear((9.0, 0.0), iter(()), speed_limit_m_s=1.0),
        Static(5.0, 5.0),
        Static(7.0, 7.0),
    ]
    channel = Channel(Radio(), paths, 1)
    doppler = math.hypot(2.0, 1.0) * 3.5e9 / 299_792_458.0
    expected = 10.0 / (math.sqrt(9 / (16 * math.pi)) / doppler / 4)
    fast, slower, resting = channel.slots([(0, 1), (0, 2), (2, 3)], 10.0)
    # Rounded up to three binary digits.
    assert expected <= fast <= 1.25 * expected + 1
    assert len(bin(fast)[2:].rstrip("0")) <= 3
    assert slower <= fast
    assert resting == 1


def test_links_that_turn_and_links_that_do_not_follow_their_paths() -> None:
    """A device that turns within the slots is evaluated at its own path, the others by tables."""
    turning = PiecewiseLinear(
        (0.0, 0.0), iter([(1.0, 2.0, 0.0), (3.0, 2.0, 1.5)]), speed_limit_m_s=2.0
    )
    straight = PiecewiseLinear((50.0, 0.0), iter([(10.0, 50.0, 10.0)]), speed_limit_m_s=1.0)
    resting = Static(0.0, 30.0)
    channel = Channel(Radio(), [turning, straight, resting], 1)
    edges = np.linspace(0.5, 2.5, 301)
    middles = (edges[:-1] + edges[1:]) / 2
    for sender, receivers in ((0, [1, 2]), (1, [0, 2]), (2, [0, 1])):
        links = [(sender, receiver) for receiver in receivers]
        gains = channel.slot_gains(links, edges, [1, 1])
        for k, receiver in enumerate(receivers):
            low, high = sorted((sender, receiver))
            streams = [stream(1, "fading", low, high)]
            (fading,) = SumOfSinusoids.draw_all(streams, carrier_hz=3.5e9)
            travelled = [channel.trajectories[end].travelled_m(middles) for end in (low, high)]
            places = [channel.trajectories[end].position_m(middles) for end in (low, high)]
            distance = np.linalg.norm(places[0] - places[1], axis=-1)
            mean = log_distance_gain(distance, exponent=3.0, carrier_hz=3.5e9)
            expected = mean * clarke_power_gains([fading], *(path[None] for path in travelled))[0]
            np.testing.assert_allclose(gains[k], expected, rtol=0, atol=1e-9 * mean.max())
