"""Closed forms of the physics page through the simulator: outage and delay under block fading,
truncated means, sum power, the ergodic limit (oracles 2 to 5).

Quantiles within 1 % take some 10^5 links, for which the event loop is too slow: those tests ask
the simulation's channel and solver for one sender with thousands of receivers on a circle, and
others hold the whole event loop to the same law with fewer.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import exp1, j0, k1
from scipy.stats import kstest

from cosim.mobility.trajectory import Leg, PiecewiseLinear, Static
from cosim.physics.rate import ergodic_efficiency_bit_s_hz
from cosim.scenario.radio import Radio
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.transmission import Transmission
from cosim.trace.schema import Cause, EventKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ZERO_MARGIN,
    duration_s,
    scenario,
    simulate,
    transmissions,
)

BLOCK = {"model": "block"}
MEGABIT = 1_000_000


def star(radio: Radio, bits: int, receivers: int, rounds: int) -> list[Transmission]:
    """All transfers of a device to receivers 100 m around it, independently faded every round."""
    angles = 2 * math.pi * np.arange(receivers) / receivers
    ring = [Static(100 * math.cos(a), 100 * math.sin(a)) for a in angles]
    channel = Channel(radio, [Static(0.0, 0.0), *ring], 11)
    others = list(range(1, receivers + 1))
    return [
        sent
        for round_ in range(rounds)
        for sent in transmissions(channel, 0, others, [bits] * receivers, 0.0, round_)
    ]


@pytest.mark.slow
def test_delay_quantiles_under_block_fading() -> None:
    """Oracle 2. A sample quantile at level q has the relative standard error
    √(q(1−q)/n)/(dF/d ln t); with n = 10^5 draws 4.5 of them are below 1 % at all these levels."""
    receivers, rounds, bandwidth, p_max_dbm = 2_000, 50, 2.0e9, 53.0
    radio = Radio(
        bandwidth_hz=bandwidth,
        deadline_s=0.2,
        p_max_dbm=p_max_dbm,
        fading=BLOCK,
        power={"policy": "max_power"},
    )
    sent = star(radio, MEGABIT, receivers, rounds)
    channel = Channel(radio, [Static(0.0, 0.0), Static(100.0, 0.0)], 11)
    share_hz, n = bandwidth / receivers, receivers * rounds
    (gain,) = channel.mean_gains([(0, 1)], 0.0)
    snr = 10 ** (p_max_dbm / 10 - 3) / receivers * gain / channel.noise_w(bandwidth / receivers)
    delays = np.array([duration_s(one) for one in sent])

    def cdf(t: float) -> float:
        return math.exp(-(2 ** (MEGABIT / (share_hz * t)) - 1) / snr)

    outage = 1 - math.exp(-(2 ** (MEGABIT / (share_hz * radio.deadline_s)) - 1) / snr)
    late = np.mean(np.isinf(delays))
    assert abs(late - outage) < 4.5 * math.sqrt(outage * (1 - outage) / n)
    for level in (0.1, 0.25, 0.5, 0.75):
        exact = MEGABIT / (share_hz * math.log2(1 - snr * math.log(level)))
        slope = (cdf(exact * 1.001) - cdf(exact / 1.001)) / (2 * math.log(1.001))
        tolerance = 4.5 * math.sqrt(level * (1 - level) / n) / slope
        assert tolerance < 0.01
        found = float(np.sort(delays)[math.ceil(level * n) - 1])
        assert found == pytest.approx(exact, rel=tolerance)
    median = MEGABIT / (share_hz * math.log2(1 + snr * math.log(2)))
    assert cdf(median) == pytest.approx(0.5)

    # Oracle 3: the mean is infinite, the mean of min(t, Γ) is ∫(1 − F) over [0, Γ].
    truncated = np.minimum(delays, radio.deadline_s)
    exact_mean, _ = quad(lambda t: 1 - cdf(t), 1e-3, radio.deadline_s)
    error = truncated.std() / math.sqrt(n)
    assert abs(truncated.mean() - exact_mean - 1e-3) < 4.5 * error


@pytest.mark.slow
def test_the_mean_power_is_infinite_and_its_truncated_mean_is_not() -> None:
    """Oracle 3: p* = p̄/g, so E[p*; g > g0] = p̄·E1(g0), which grows like −ln g0 without end."""
    receivers, rounds = 2_000, 25
    radio = Radio(p_max_dbm=60, bandwidth_hz=2.0e9, fading=BLOCK, power=ZERO_MARGIN)
    sent = star(radio, MEGABIT, receivers, rounds)
    assert all(one.cause is not Cause.INFEASIBLE_POWER for one in sent)
    channel = Channel(radio, [Static(0.0, 0.0), Static(100.0, 0.0)], 11)
    (gain,) = channel.mean_gains([(0, 1)], 0.0)
    x = MEGABIT * receivers / (radio.bandwidth_hz * radio.deadline_s)
    typical = channel.noise_w(radio.bandwidth_hz / receivers) * math.expm1(x * math.log(2)) / gain
    ratio = np.array([one.power_w for one in sent]) / typical
    for least in (0.3, 0.1, 0.03):
        kept = np.where(ratio < 1 / least, ratio, 0.0)
        # E[1/g²; g > g0] = e^(−g0)/g0 − E1(g0).
        variance = math.exp(-least) / least - exp1(least) - exp1(least) ** 2
        assert abs(kept.mean() - exp1(least)) < 4.5 * math.sqrt(variance / len(sent))


def test_the_event_loop_keeps_the_law_of_delays() -> None:
    """Oracle 2 at random distances: F(t) of each transfer's own γ is uniform, up to the outage.

    A pair's two directions share a fade, so one of them counts. Kolmogorov's 1.95/√n has a level
    of one in a thousand.
    """
    chosen = scenario(
        rounds=60,
        learning=NO_LEARNING | {"payload_bits": 2 * MEGABIT},
        area={"shape": "disc", "radius_m": 200},
        devices=[{"count": 8, "profile": PROFILE, "mobility": {"model": "static"}}],
        radio={"deadline_s": 1.5, "fading": BLOCK, "power": {"policy": "max_power"}},
    )
    trace = simulate(chosen)
    rows = [row for row in trace.transfers if row.src < row.dst]
    radio, share_hz = chosen.radio, chosen.radio.bandwidth_hz / 7
    noise = 1.380649e-23 * 290.0 * share_hz * 10**0.9
    at_1_m = (299_792_458.0 / (4 * math.pi * radio.carrier_hz)) ** 2
    levels, outages, expected = [], 0, []
    for row in rows:
        snr = row.power_w * at_1_m * max(row.distance_m, 1.0) ** -3.0 / noise
        outage = -math.expm1(-(2 ** (row.bits / (share_hz * radio.deadline_s)) - 1) / snr)
        expected.append(outage)
        if row.outcome is TransferOutcome.DELIVERED:
            t = row.end_s - row.start_s
            cdf = math.exp(-(2 ** (row.bits / (share_hz * t)) - 1) / snr)
            levels.append(cdf / (1 - outage))
        else:
            outages += 1
    assert outages > 50
    spread = math.sqrt(sum(p * (1 - p) for p in expected))
    assert abs(outages - sum(expected)) < 4.5 * spread
    assert kstest(levels, "uniform").statistic < 1.95 / math.sqrt(len(levels))


@pytest.mark.slow
def test_two_receivers_at_one_distance_share_the_power() -> None:
    """Oracle 4: P(feasible) = 2A·e^(−2A)·K1(2A); a triangle, whose device 0 has two receivers."""
    rounds, bits = 1_500, 30 * MEGABIT
    chosen = scenario(
        rounds=rounds,
        learning={"model": "none", "payload_bits": bits, "flop": 0.0},
        trace={"positions_every_s": 1e6},
        devices=[{"count": 3, "profile": PROFILE}],
        radio={"fading": BLOCK, "power": ZERO_MARGIN, "p_max_dbm": 20},
    )
    side = 120.0
    corners = [(0.0, 0.0), (side, 0.0), (side / 2, side * math.sqrt(3) / 2)]
    trace = simulate(chosen, at=corners)
    starts = [e for e in trace.events if e.kind is EventKind.SEND_START and e.device == 0]
    feasible = {e.round for e in starts if e.cause is Cause.COMPUTE_FINISHED}
    sent = [row for row in trace.transfers if row.src == 0]
    late = {row.round for row in sent if row.outcome is not TransferOutcome.DELIVERED}
    assert feasible == set(range(1, rounds + 1)) - late
    radio = chosen.radio
    at_1_m = (299_792_458.0 / (4 * math.pi * radio.carrier_hz)) ** 2
    noise = 1.380649e-23 * 290.0 * radio.bandwidth_hz / 2 * 10**0.9
    x = bits * 2 / (radio.bandwidth_hz * radio.deadline_s)
    a = noise * (2**x - 1) / (at_1_m * side**-3.0 * 0.1)
    exact = 2 * a * math.exp(-2 * a) * k1(2 * a)
    assert 0.1 < exact < 0.9
    assert abs(len(feasible) / rounds - exact) < 4.5 * math.sqrt(exact * (1 - exact) / rounds)


def pacing() -> Iterator[Leg]:
    """1 m to and fro at 20 m/s, 1 km away: the path grows, the distance hardly changes."""
    while True:
        yield 0.05, 1_000.0, 1.0
        yield 0.05, 1_000.0, 0.0


@pytest.mark.slow
def test_a_long_transfer_tends_to_the_ergodic_rate() -> None:
    """Oracle 5 with Clarke's fading: Q·n/(W·C).

    No function of a Rayleigh fade is correlated in time more than its power, J0² (maximal
    correlation), so the mean rate over T has at most the variance
    Var R·(2/T)·∫(1 − τ/T)·J0²(2πf·τ) dτ. N = 64 sinusoids lower the fourth moment by 1/N, hence
    the mean of f = log2(1 + γg) by ½·f''(1)/N to first order.
    """
    links, speed, expected_s, p_max_dbm = 24, 20.0, 10.0, 43.0
    radio = Radio(deadline_s=20.0, p_max_dbm=p_max_dbm, power={"policy": "max_power"})
    durations = []
    snr = capacity = 0.0
    for seed in range(links):
        walker = PiecewiseLinear((1_000.0, 0.0), pacing(), speed_limit_m_s=speed)
        channel = Channel(radio, [Static(0.0, 0.0), walker], seed)
        (gain,) = channel.mean_gains([(0, 1)], 0.0)
        snr = 10 ** (p_max_dbm / 10 - 3) * gain / channel.noise_w(radio.bandwidth_hz)
        capacity = float(ergodic_efficiency_bit_s_hz(snr))
        bits = round(radio.bandwidth_hz * capacity * expected_s)
        durations.append(duration_s(transmissions(channel, 0, [1], [bits], 0.0, 1)[0]))
    second, _ = quad(lambda g: math.log2(1 + snr * g) ** 2 * math.exp(-g), 0, 60)
    lags = np.linspace(0.0, expected_s, 1_000_001)
    doppler = speed * radio.carrier_hz / 299_792_458.0
    shrunk = 2 * np.mean((1 - lags / expected_s) * j0(2 * math.pi * doppler * lags) ** 2)
    error = math.sqrt((second / capacity**2 - 1) * shrunk / links)
    bias = 0.5 * snr**2 / ((1 + snr) ** 2 * math.log(2) * capacity) / 64
    assert 4.5 * error + bias < 0.03
    assert np.mean(durations) == pytest.approx(expected_s, rel=4.5 * error + bias)
