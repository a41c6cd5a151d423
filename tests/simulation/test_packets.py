"""Block errors with retransmission, and one codeword over Γ, through the whole simulator."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from cosim.trace.schema import Cause, EventKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    method,
    play_to_the_end,
    scenario,
    simulate,
    world_at,
)

BLOCK_BITS = 8448


def radio(packets: Any, **fields: Any) -> dict[str, Any]:
    return {
        "fading": {"model": "none"},
        "power": {"policy": "max_power"},
        "packets": packets,
        **fields,
    }


def pair(**sections: Any) -> Any:
    return scenario(
        devices=[{"count": 2, "profile": PROFILE, "mobility": {"model": "static"}}],
        method=method("ring"),
        **sections,
    )


@pytest.mark.parametrize("backoff_db", [0.0, 3.0])
def test_a_constant_channel_by_hand(backoff_db: float) -> None:
    """Every block is decoded at once: n blocks of b/(W·ρ) s each, the last of them padded."""
    bits = 4_000_000
    chosen = pair(radio=radio({"model": "blocks", "backoff_db": backoff_db}))
    trace = simulate(chosen, at=[(0.0, 0.0), (300.0, 0.0)])
    blocks = math.ceil(bits / BLOCK_BITS)
    for row in trace.transfers:
        snr = 10 ** (row.mean_snr_db / 10)
        efficiency = math.log2(1 + snr / 10 ** (backoff_db / 10))
        took_s = blocks * BLOCK_BITS / (20.0e6 * efficiency)
        assert row.outcome is TransferOutcome.DELIVERED
        assert row.end_s - row.start_s == pytest.approx(took_s, rel=1e-9)
        assert row.delivered_bits == bits
        assert row.sent_bits == pytest.approx(blocks * BLOCK_BITS, rel=1e-9)
    # Shannon's rate is never beaten.
    fluid = simulate(pair(radio=radio("fluid")), at=[(0.0, 0.0), (300.0, 0.0)])
    for slow, fast in zip(trace.transfers, fluid.transfers, strict=True):
        assert slow.end_s >= fast.end_s


def faded(packets: Any, rounds: int, payload_bits: int, **fields: Any) -> MemoryTrace:
    chosen = pair(
        rounds=rounds,
        learning=NO_LEARNING | {"payload_bits": payload_bits, "flop": 0.0},
        radio=radio(packets, fading={"model": "block"}, **fields),
    )
    return simulate(chosen, at=[(0.0, 0.0), (300.0, 0.0)])


@pytest.mark.slow
def test_a_codeword_is_decoded_at_the_deadline_or_never() -> None:
    """Oracle 2: the outage is 1 − exp(−(2^x − 1)/γ); with block fading nothing else happens."""
    rounds, deadline_s, payload_bits = 600, 0.5, 4_600_000
    trace = faded("codeword", rounds, payload_bits, deadline_s=deadline_s)
    x = payload_bits / (20.0e6 * deadline_s)
    lost = 0
    for row in trace.transfers:
        fits = math.log2(1 + 10 ** (row.mean_snr_db / 10)) >= x
        assert row.outcome is (TransferOutcome.DELIVERED if fits else TransferOutcome.OUTAGE)
        assert row.end_s == row.deadline_at_s
        assert row.delivered_bits == (payload_bits if fits else 0.0)
        assert row.sent_bits == pytest.approx(payload_bits, rel=1e-12)
        assert row.energy_tx_j > 0
        lost += not fits
    snr = np.array([10 ** (row.mean_snr_db / 10) for row in trace.transfers])
    # Both directions share a fade, so there are half as many draws as transfers.
    mean = np.mean(snr[::2])
    outage = -math.expm1(-(2**x - 1) / float(mean))
    # The mean of Exp(1) is known to 1/√n, which moves the outage by its derivative times that.
    error = math.sqrt(outage * (1 - outage) / rounds)
    error += (1 - outage) * (2**x - 1) / float(mean) / math.sqrt(rounds)
    assert abs(lost / len(trace.transfers) - outage) < 4.5 * error
    assert 0.1 < outage < 0.9
    kinds = {e.cause for e in trace.events if e.kind is EventKind.SEND_END}
    assert kinds == {Cause.BITS_DELIVERED, Cause.OUTAGE}


@pytest.mark.slow
def test_without_combining_a_block_below_its_rate_never_gets_through() -> None:
    """The rate is that of the mean SNR: in a fade g < 1, constant for the round, plain repetition
    is in vain, and K combined copies decode where g ≥ 1/K. Γ has room for nine copies."""
    power = {"policy": "lemma1", "channel_knowledge": "mean", "margin_db": 10.0}
    shared = {"model": "blocks", "backoff_db": 0.0}
    plain = faded(shared | {"combining": "none"}, 300, 1_000_000, power=power, deadline_s=2.0)
    chase = faded(
        shared | {"combining": "chase", "transmissions": 4},
        300,
        1_000_000,
        power=power,
        deadline_s=2.0,
    )
    got = [
        sum(t.outcome is TransferOutcome.DELIVERED for t in run.transfers) for run in (plain, chase)
    ]
    n = len(plain.transfers)
    for combined, delivered in zip((1, 4), got, strict=True):
        expected = math.exp(-1.0 / combined)
        # Both directions share a fade: n/2 draws.
        assert abs(delivered / n - expected) < 4.5 * math.sqrt(expected * (1 - expected) / (n / 2))
    for row in plain.transfers:
        # Nine copies of the one block have room in Γ, whether they get through or not.
        if row.outcome is TransferOutcome.LATE:
            assert row.delivered_bits == 0.0
        known = 10 ** (row.mean_snr_db / 10)
        assert row.sent_bits >= row.delivered_bits
        assert row.sent_bits > 0.0 or known == 0.0
    for run in (plain, chase):
        on_air = sum(row.sent_bits for row in run.transfers)
        assert sum(row.bits_sent for row in run.rounds) == pytest.approx(on_air, rel=1e-12)
        assert on_air > sum(row.delivered_bits for row in run.transfers)


def test_a_cut_counts_the_blocks_decoded_until_then() -> None:
    chosen = pair(radio=radio({"model": "blocks"}))
    trace = MemoryTrace()
    world = world_at(chosen, trace, [(0.0, 0.0), (300.0, 0.0)])
    whole = simulate(chosen, at=[(0.0, 0.0), (300.0, 0.0)]).transfers[0]
    interval_s = (whole.end_s - whole.start_s) / math.ceil(whole.bits / BLOCK_BITS)

    def cut() -> Any:
        yield world.env.timeout(whole.start_s + 100.5 * interval_s)
        world.leave(world.stations[1], Cause.AVAILABILITY, for_good=True)

    world.env.process(cut())
    play_to_the_end(world)
    assert {row.outcome for row in trace.transfers} == {TransferOutcome.CANCELLED}
    for row in trace.transfers:
        assert row.delivered_bits == 100 * BLOCK_BITS
        assert row.sent_bits == pytest.approx(100.5 * BLOCK_BITS, rel=1e-9)
        assert row.mean_snr_db == pytest.approx(whole.mean_snr_db, abs=1e-9)


def test_a_codeword_that_is_cut_off_was_on_the_air_until_then() -> None:
    """A quarter of Γ: a quarter of its bits were sent, and none is decoded."""
    trace = MemoryTrace()
    world = world_at(
        pair(radio=radio("codeword", deadline_s=2.0)), trace, [(0.0, 0.0), (300.0, 0.0)]
    )

    def cut() -> Any:
        while not world.stations[0].outgoing:
            yield world.env.timeout(0.25)
        (transmission,) = world.stations[0].outgoing.values()
        yield world.env.timeout(transmission.start_s + 0.5 - world.env.now)
        world.leave(world.stations[1], Cause.AVAILABILITY, for_good=True)

    world.env.process(cut())
    play_to_the_end(world)
    for row in trace.sent(0, 1):
        assert (row.outcome, row.delivered_bits) == (TransferOutcome.CANCELLED, 0.0)
        assert row.sent_bits == pytest.approx(0.25 * row.bits, rel=1e-9)
    assert trace.rounds_of(0)[0].bits_sent == pytest.approx(0.25 * row.bits, rel=1e-9)


@pytest.mark.parametrize("fields", [{"share": "dynamic"}, {"late": "stale"}])
@pytest.mark.parametrize("packets", ["blocks", "codeword"])
def test_what_does_not_fit_is_refused(packets: str, fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="is for packets 'fluid'"):
        pair(radio=radio(packets, **fields))
