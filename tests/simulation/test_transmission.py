"""One transfer against the formulas of the physics page, Lemma 1 at its edge, and its failures."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.scenario.radio import Radio
from cosim.trace.schema import Cause, EventKind, TransferOutcome
from tests.simulation.small_networks import NO_LEARNING, PROFILE, ZERO_MARGIN, scenario, simulate

SCALED = {"policy": "lemma1", "fallback": "scale"}
K_J_K, C_M_S = 1.380649e-23, 299_792_458.0


def radio(**fields: object) -> dict[str, object]:
    return {"fading": {"model": "none"}, **fields}


@pytest.mark.parametrize("noise", ["share", "constant"])
@pytest.mark.parametrize("path_loss", ["log_distance", "paper"])
def test_a_transfer_by_hand(noise: str, path_loss: str) -> None:
    """Device 0 sends 4 Mbit to two receivers at 50 m and 130 m, 3 dB above Lemma 1."""
    W, n, Q, deadline, f_c = 20.0e6, 2, 4_000_000, 2.0, 3.5e9
    band = W / n if noise == "share" else W
    sigma2 = K_J_K * 290.0 * band * 10 ** (9.0 / 10)
    reference_db = 20 * math.log10(4 * math.pi * f_c / C_M_S) if path_loss == "log_distance" else 0
    chosen = scenario(
        devices=[{"count": 3, "profile": PROFILE}],
        radio=radio(
            bandwidth_hz=W,
            deadline_s=deadline,
            carrier_hz=f_c,
            noise=noise,
            path_loss={"model": path_loss, "exponent": 3.2},
            power={"policy": "lemma1", "margin_db": 3},
        ),
    )
    trace = simulate(chosen, at=[(0.0, 0.0), (30.0, -40.0), (50.0, 120.0)])
    start_s = 1.0e12 / (1.0e12 * 0.5)
    for receiver, distance in ((1, 50.0), (2, 130.0)):
        (row,) = [t for t in trace.transfers if (t.src, t.dst) == (0, receiver)]
        h = 10 ** (-reference_db / 10) * distance**-3.2
        p = sigma2 / h * (2 ** (Q * n / (W * deadline)) - 1) * 10**0.3
        snr = p * h / sigma2
        rate = W / n * math.log2(1 + snr)
        t = Q / rate
        found = row._asdict()
        assert {key: found[key] for key in ("bits", "outcome", "round", "kind")} == {
            "bits": Q,
            "outcome": "delivered",
            "round": 1,
            "kind": "update",
        }
        expected = {
            "start_s": start_s,
            "end_s": start_s + t,
            "deadline_at_s": start_s + deadline,
            "distance_m": distance,
            "bandwidth_hz": W / n,
            "power_w": p,
            "mean_snr_db": 10 * math.log10(snr),
            "mean_rate_bit_s": rate,
            "delivered_bits": Q,
            # Two transfers share each chain from beginning to end.
            "energy_tx_j": t * (p / 0.4 + 0.25 / 2),
            "energy_rx_j": t * 0.75 / 2,
        }
        assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    demand=st.floats(1e-6, 20.0),
    gamma=st.floats(1e-3, 100.0),
    bandwidth=st.floats(1e5, 1e9),
    distances=st.lists(st.floats(1.0, 60.0), min_size=1, max_size=3),
    fading=st.sampled_from(["none", "block", "clarke"]),
    flop=st.sampled_from([0.0, 1e9, 1e17]),
)
def test_lemma_1_without_margin_ends_exactly_at_the_deadline_and_is_delivered(
    demand: float, gamma: float, bandwidth: float, distances: list[float], fading: str, flop: float
) -> None:
    """`demand` is x = Q·n/(W·Γ); p_max is so large that every demand fits."""
    n = len(distances)
    bits = max(1, round(demand * bandwidth * gamma / n))
    chosen = scenario(
        learning={"model": "none", "payload_bits": bits, "flop": flop},
        devices=[{"count": n + 1, "profile": PROFILE}],
        trace={"positions_every_s": 1e6},
        radio=radio(
            bandwidth_hz=bandwidth,
            deadline_s=gamma,
            path_loss={"model": "paper", "exponent": 2},
            p_max_dbm=60,
            power=ZERO_MARGIN,
            fading={"model": fading},
        ),
    )
    trace = simulate(chosen, at=[(0.0, 0.0), *((distance, 0.0) for distance in distances)])
    sent = [row for row in trace.transfers if row.src == 0]
    assert len(sent) == n
    for row in sent:
        assert row.outcome is TransferOutcome.DELIVERED
        assert row.end_s == row.deadline_at_s
        assert row.delivered_bits == bits
    assert all(row.missed == 0 for row in trace.rounds)


def test_an_infeasible_demand_is_scaled_to_p_max_and_late() -> None:
    W, gamma, bits = 1.0e6, 1.5, 30_000_000
    chosen = scenario(
        learning=NO_LEARNING | {"payload_bits": bits},
        devices=[{"count": 3, "profile": PROFILE}],
        radio=radio(bandwidth_hz=W, deadline_s=gamma, p_max_dbm=10, power=SCALED),
    )
    trace = simulate(chosen, at=[(0.0, 0.0), (300.0, 0.0), (0.0, 900.0)])
    sent = [row for row in trace.transfers if row.src == 0]
    assert math.fsum(row.power_w for row in sent) == pytest.approx(0.01, rel=1e-12)
    # Scaled together: the demands are in proportion to 1/h, so both see the same SNR.
    assert sent[1].power_w / sent[0].power_w == pytest.approx(3.0**3, rel=1e-12)
    for row in sent:
        rate = W / 2 * math.log2(1 + 10 ** (row.mean_snr_db / 10))
        assert row.outcome is TransferOutcome.LATE
        assert row.end_s == row.deadline_at_s
        assert row.delivered_bits == pytest.approx(rate * gamma, rel=1e-12)
        assert row.delivered_bits < bits
        assert row.energy_tx_j == pytest.approx(gamma * (row.power_w / 0.4 + 0.125), rel=1e-12)
    mine = [event for event in trace.events if event.device == 0]
    starts = [event for event in mine if event.kind is EventKind.SEND_START]
    ends = [event for event in mine if event.kind is EventKind.SEND_END]
    expired = [event for event in mine if event.kind is EventKind.DEADLINE]
    assert {event.cause for event in starts} == {Cause.INFEASIBLE_POWER}
    assert {event.cause for event in ends + expired} == {Cause.DEADLINE}
    assert sorted(event.peer for event in expired if event.peer) == [1, 2]
    assert [(row.received, row.missed) for row in trace.rounds] == [(0, 2)] * 3


def test_without_power_nobody_is_on_the_air_and_nobody_waits() -> None:
    """2^(Q·n/(W·Γ)) overflows: no finite power is in proportion to it, so no transfer takes any
    time."""
    chosen = scenario(
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": 10**12},
        devices=[{"count": 3, "profile": PROFILE}],
        radio=radio(bandwidth_hz=1.0e4, power=SCALED),
    )
    trace = simulate(chosen)
    assert len(trace.transfers) == 12
    for row in trace.transfers:
        assert row.outcome is TransferOutcome.OUTAGE
        assert (row.power_w, row.delivered_bits, row.mean_rate_bit_s) == (0.0, 0.0, 0.0)
        assert row.end_s == row.start_s
        assert (row.energy_tx_j, row.energy_rx_j) == (0.0, 0.0)
        assert row.mean_snr_db == -math.inf
    for one in trace.rounds:
        assert (one.send_s, one.wait_s, one.received, one.missed) == (0.0, 0.0, 0, 2)
        assert one.end_s == one.start_s + one.compute_s
    ends = [event for event in trace.events if event.kind is EventKind.SEND_END]
    assert {event.cause for event in ends} == {Cause.OUTAGE}
    assert not [event for event in trace.events if event.kind is EventKind.RECEIVE]


def test_by_default_a_demand_without_end_takes_p_max_and_is_late() -> None:
    chosen = scenario(
        learning=NO_LEARNING | {"payload_bits": 10**12},
        devices=[{"count": 3, "profile": PROFILE}],
        radio=radio(bandwidth_hz=1.0e4, p_max_dbm=20),
    )
    rows = simulate(chosen).transfers
    assert [row.power_w for row in rows] == pytest.approx([0.05] * 6, rel=1e-12)
    assert {row.outcome for row in rows} == {TransferOutcome.LATE}
    assert all(row.end_s == row.deadline_at_s and 0 < row.delivered_bits < 1e12 for row in rows)


def test_maximum_power_is_shared_equally_by_the_receivers() -> None:
    chosen = scenario(
        devices=[{"count": 4, "profile": PROFILE}],
        radio=radio(p_max_dbm=20, power={"policy": "max_power"}),
    )
    trace = simulate(chosen, at=[(0.0, 0.0), (10.0, 0.0), (20.0, 0.0), (900.0, 0.0)])
    assert [row.power_w for row in trace.transfers] == pytest.approx([0.1 / 3] * 12, rel=1e-12)
    assert {event.cause for event in trace.events if event.kind is EventKind.SEND_START} == {
        Cause.COMPUTE_FINISHED
    }


def test_knowing_the_mean_alone_misjudges_the_fade() -> None:
    """Lemma 1 from ḡ: a fade below the mean is late, one above it is early."""
    power = ZERO_MARGIN | {"channel_knowledge": "mean"}
    chosen = scenario(rounds=20, radio=Radio(fading={"model": "block"}, power=power))
    trace = simulate(chosen, at=[(0.0, 0.0), (40.0, 0.0)])
    outcomes = {row.outcome for row in trace.transfers}
    assert outcomes == {TransferOutcome.DELIVERED, TransferOutcome.LATE}
    needed_db = 10 * math.log10(2 ** (4.0e6 / (20.0e6 * 2.0)) - 1)
    for row in trace.transfers:
        assert (row.outcome is TransferOutcome.DELIVERED) == (row.mean_snr_db > needed_db)
        if row.outcome is TransferOutcome.DELIVERED:
            assert row.end_s < row.deadline_at_s
