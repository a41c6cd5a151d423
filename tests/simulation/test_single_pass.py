"""Packets that are sent once, through the whole simulator: times, losses, and who is told."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from cosim.methods.message import NOTHING_LOST, Flight, Graph, Passage, Turn
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.setup import build
from cosim.trace.schema import Cause, TransferKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    scenario,
    simulate,
)

BITS, PACKET_BITS = 4_000_000, 30_000
NEAR = [(0.0, 0.0), (300.0, 0.0)]
MEAN = {"policy": "lemma1", "channel_knowledge": "mean", "margin_db": 10.0}


class Told(NullLearner):
    """Keeps what it is told of losses, by turn, receiver and sender."""

    def __init__(self, chosen: Scenario) -> None:
        super().__init__(BITS, build.given_work(chosen))
        self.flights: dict[tuple[Turn, int, int], Flight] = {}

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Any:
        assert set(flights) == set(inbox)
        for sender, one in flights.items():
            assert isinstance(one, Flight)
            self.flights[turn, device, sender] = one
        return super().mix(device, inbox, ages, turn, graph, flights)


def chosen_of(packets: Any = None, rounds: int = 1, **radio: Any) -> Scenario:
    data: dict[str, Any] = {"fading": {"model": "none"}, "power": {"policy": "max_power"}, **radio}
    data["packets"] = {"model": "one_shot", "packet_bits": PACKET_BITS, **(packets or {})}
    return scenario(
        rounds=rounds,
        learning=NO_LEARNING | {"payload_bits": BITS, "flop": 0.0},
        devices=[{"count": 2, "profile": PROFILE, "mobility": {"model": "static"}}],
        method={"name": "lora", "topology": "ring"},
        radio=data,
    )


def played(chosen: Scenario, at: Any = NEAR, **others: Any) -> tuple[MemoryTrace, Told]:
    learner = Told(chosen)
    return simulate(chosen, at=at, learner=learner, **others), learner


@pytest.mark.parametrize("backoff_db", [0.0, 3.0])
def test_a_pass_takes_its_bits_over_its_rate_and_loses_nothing_where_nothing_moves(
    backoff_db: float,
) -> None:
    trace, learner = played(chosen_of({"backoff_db": backoff_db}))
    for row in trace.transfers:
        efficiency = math.log2(1 + 10 ** (row.mean_snr_db / 10) / 10 ** (backoff_db / 10))
        took_s = BITS / (20.0e6 * efficiency)
        assert row.end_s - row.start_s == pytest.approx(took_s, rel=1e-9)
        assert (row.outcome, row.packets_lost, row.mixing) == (TransferOutcome.DELIVERED, 0, 0)
        assert row.delivered_bits == BITS
        assert row.sent_bits == pytest.approx(BITS, rel=1e-9)
        amplifier_w = row.power_w / PROFILE["pa_efficiency"]
        expected_j = (amplifier_w + PROFILE["transmit_circuit_w"]) * took_s
        assert row.energy_tx_j == pytest.approx(expected_j, rel=1e-9)
        assert row.energy_rx_j == pytest.approx(PROFILE["receive_w"] * took_s, rel=1e-9)
    assert set(learner.flights.values()) == {Flight(PACKET_BITS, (), 1.0)}


def test_a_channel_that_is_too_weak_loses_everything_at_the_deadline() -> None:
    """The rate must fit into Γ, and the SNR does not carry it: nobody sends longer for that."""
    trace, learner = played(chosen_of(deadline_s=0.05))
    packets = math.ceil(BITS / PACKET_BITS)
    for row in trace.transfers:
        assert 20.0e6 * 0.05 * math.log2(1 + 10 ** (row.mean_snr_db / 10)) < BITS
        assert row.end_s == pytest.approx(row.deadline_at_s, abs=1e-12)
        assert (row.outcome, row.cause) == (TransferOutcome.DELIVERED, Cause.BITS_DELIVERED)
        assert (row.packets_lost, row.delivered_bits) == (packets, 0.0)
    assert {flight.lost for flight in learner.flights.values()} == {tuple(range(packets))}


def test_stated_erasures_are_lost_at_their_rate_and_by_no_other_message() -> None:
    rounds, epsilon, packets = 40, 0.2, math.ceil(BITS / PACKET_BITS)
    trace, learner = played(chosen_of({"erasure": epsilon}, rounds))
    lost = np.zeros((rounds, 2, packets), dtype=bool)
    for row in trace.transfers:
        flight = learner.flights[Turn(row.round), row.dst, row.src]
        assert flight.delivery == 1 - epsilon
        assert row.packets_lost == len(flight.lost)
        lost[row.round - 1, row.src, list(flight.lost)] = True
        of_last = BITS - (packets - 1) * PACKET_BITS
        sizes = [of_last if number == packets - 1 else PACKET_BITS for number in flight.lost]
        assert row.delivered_bits == BITS - sum(sizes)
    n = lost.size
    assert abs(lost.mean() - epsilon) < 4.5 * math.sqrt(epsilon * (1 - epsilon) / n)
    # Those of both directions, and of rounds that follow each other, have nothing in common.
    for one, other in ((lost[:, 0], lost[:, 1]), (lost[:-1], lost[1:])):
        both = float((one & other).mean())
        assert abs(both - epsilon**2) < 4.5 * math.sqrt(epsilon**2 / one.size)
    again, _ = played(chosen_of({"erasure": epsilon}, rounds))
    assert again.rows == trace.rows


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_certain_erasures(epsilon: float) -> None:
    trace, _ = played(chosen_of({"erasure": epsilon}))
    packets = math.ceil(BITS / PACKET_BITS)
    assert {row.packets_lost for row in trace.transfers} == {round(packets * epsilon)}


@pytest.mark.slow
@pytest.mark.parametrize(("backoff_db", "least"), [(0.0, 0.6), (6.0, 0.2), (12.0, 0.09)])
def test_in_block_fading_messages_are_lost_as_the_outage_formula_has_it(
    backoff_db: float, least: float
) -> None:
    """The rate is that of the mean SNR less m: all packets of a round stand or fall with one
    |z|², and P(lost) = 1 − exp(−(2^ρ − 1)/SNR̄) = 1 − exp(−1/m); slower rates lose less, down to
    the one that Γ asks for, which the margin of 10 dB leaves."""
    rounds = 400
    packets = {"backoff_db": backoff_db}
    chosen = chosen_of(packets, rounds, fading={"model": "block"}, power=MEAN, deadline_s=10.0)
    trace, learner = played(chosen)
    outage = -math.expm1(-(10 ** (-min(backoff_db, 10.0) / 10)))
    assert least < outage < 1.5 * least
    share = np.mean([row.packets_lost == math.ceil(BITS / PACKET_BITS) for row in trace.transfers])
    assert {row.packets_lost for row in trace.transfers} == {0, math.ceil(BITS / PACKET_BITS)}
    # Both directions share a fade.
    assert abs(float(share) - outage) < 4.5 * math.sqrt(outage * (1 - outage) / rounds)
    for flight in learner.flights.values():
        assert flight.delivery == pytest.approx(1 - outage, rel=1e-9)


def test_in_moving_fading_single_packets_are_lost() -> None:
    """Packets of a tenth of the coherence time, a walk through many fades: the share of lost ones
    is near the outage at the mean gain of the start."""
    walk = {"model": "random_waypoint", "speed_m_s": [1.0, 1.0]}
    data = chosen_of({"backoff_db": 3.0}, 40, fading={"model": "clarke"}, power=MEAN).model_dump()
    data["devices"][0]["mobility"] = walk
    data["radio"] |= {"bandwidth_hz": 2.0e6, "deadline_s": 5.0, "p_max_dbm": 40.0}
    data["area"] = {"shape": "disc", "radius_m": 300.0}
    chosen = Scenario.model_validate(data | {"method": {"name": "lora", "topology": "ring"}})
    trace = simulate(chosen)
    shares = []
    for row in trace.transfers:
        assert row.packets_lost is not None
        shares.append(row.packets_lost / math.ceil(BITS / PACKET_BITS))
    some = [share for share in shares if 0 < share < 1]
    assert len(some) > len(shares) / 2
    assert abs(np.mean(shares) - -math.expm1(-(10**-0.3))) < 0.04


def test_nobody_can_tell_the_chance_of_a_rate_that_follows_the_fading() -> None:
    _, learner = played(chosen_of(fading={"model": "block"}))
    assert {flight.delivery for flight in learner.flights.values()} == {None}


def test_what_is_cut_short_has_lost_what_was_lost_until_then() -> None:
    chosen = chosen_of({"erasure": 0.5})
    (whole, _), spells = played(chosen), {0: [(0.0, 0.2)]}
    trace, learner = played(chosen, spells=spells)
    (row,) = [row for row in trace.transfers if row.src == 0]
    (full,) = [row for row in whole.transfers if row.src == 0]
    assert row.outcome is TransferOutcome.CANCELLED
    assert row.end_s < full.end_s
    sent = math.floor(BITS * (row.end_s - row.start_s) / (full.end_s - full.start_s) / PACKET_BITS)
    assert row.packets_lost is not None
    assert 0 < row.packets_lost < sent
    assert row.delivered_bits == (sent - row.packets_lost) * PACKET_BITS
    assert learner.flights == {}


def test_experts_and_announcements_are_sent_until_they_arrive() -> None:
    chosen = scenario(
        rounds=2,
        learning=NO_LEARNING | {"payload_bits": 400_000},
        devices=[{"count": 6, "profile": PROFILE, "mobility": {"model": "static"}}],
        method={
            "name": "proposed",
            "topology": {"graph": "clusters", "max_collision_rate": 0.001, "exchange_every": 1},
        },
        radio={"fading": {"model": "none"}, "packets": {"model": "one_shot", "erasure": 1.0}},
    )
    trace = simulate(chosen)
    kinds = {kind: [r for r in trace.transfers if r.kind is kind] for kind in TransferKind}
    assert kinds[TransferKind.EXPERT]
    assert kinds[TransferKind.CONTROL]
    for row in (*kinds[TransferKind.EXPERT], *kinds[TransferKind.CONTROL]):
        assert row.packets_lost is None
        assert (row.outcome, row.delivered_bits) == (TransferOutcome.DELIVERED, row.bits)
    for row in kinds[TransferKind.UPDATE]:
        assert row.delivered_bits == 0.0


@pytest.mark.parametrize("changed", [{"share": "dynamic"}, {"late": "stale"}])
def test_a_pass_keeps_its_rate_and_ends_by_the_deadline(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="packets 'one_shot' keep their rate and end at Γ"):
        chosen_of(**changed)


LEARNING: dict[str, Any] = {
    "rounds": 1,
    "tasks": {"sums": {"dataset": "chain_sum", "samples": 20}},
    "devices": [{"count": 2}],
}


@pytest.mark.parametrize("method", ["lora", "lori", "proposed", "decaf", "fedrot_lora"])
def test_updates_that_must_arrive_whole_are_refused(method: str) -> None:
    radio = {"packets": "one_shot"}
    with pytest.raises(ValidationError, match="mixes whole ones"):
        Scenario.model_validate(LEARNING | {"method": method, "radio": radio})
    # What sends nothing loses nothing, and where nothing is learnt there is nothing to lose.
    Scenario.model_validate(LEARNING | {"method": "local", "radio": radio})
    Scenario.model_validate(LEARNING | {"learning": NO_LEARNING, "method": method, "radio": radio})


@pytest.mark.parametrize("codec", [{"name": "rounded"}, {"name": "top_k", "share": 0.5}])
def test_values_that_are_read_by_others_are_refused(codec: Any) -> None:
    method = {"name": "dfl_imperfect", "codec": codec}
    with pytest.raises(ValidationError, match="use codec 'floating'"):
        Scenario.model_validate(LEARNING | {"method": method, "radio": {"packets": "one_shot"}})
    Scenario.model_validate(LEARNING | {"method": method, "radio": {"packets": "blocks"}})


def test_the_inverse_probability_needs_one_that_is_known() -> None:
    method = {
        "name": "dfl_imperfect",
        "aggregation": {"name": "erased_mean", "missing": "inverse_probability"},
    }
    unknown: dict[str, Any] = {"packets": "one_shot"}
    with pytest.raises(ValidationError, match="channel_knowledge: mean"):
        Scenario.model_validate(LEARNING | {"method": method, "radio": unknown})
    for known in (
        {"packets": {"model": "one_shot", "erasure": 0.1}},
        {"power": {"policy": "lemma1", "channel_knowledge": "mean"}},
        {"fading": "none"},
        {"packets": "fluid"},
    ):
        radio = {**unknown, **known}
        if radio.get("fading") == "none":
            radio["fading"] = {"model": "none"}
        Scenario.model_validate(LEARNING | {"method": method, "radio": radio})
