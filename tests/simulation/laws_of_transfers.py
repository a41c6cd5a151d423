"""The rows of all transfers: bits, powers, shares of the band, deadlines, and who holds experts."""

import math
from collections import defaultdict

import pytest

from cosim.methods.topology.clusters import Clusters
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.world import World
from cosim.trace.schema import (
    TransferKind,
    TransferOutcome,
    TransferRow,
)
from tests.simulation.small_networks import MemoryTrace


def check_transfers(chosen: Scenario, transfers: list[TransferRow]) -> None:
    radio, sent = chosen.radio, defaultdict(list)
    p_max_w = 10 ** (radio.p_max_dbm / 10 - 3)
    for row in transfers:
        sent[row.round, row.mixing, row.src, row.kind, row.start_s].append(row)
        assert row.deadline_at_s == row.start_s + radio.deadline_s
        assert row.start_s <= row.end_s
        assert 0 <= row.delivered_bits <= row.bits
        assert row.delivered_bits <= row.sent_bits
        if radio.packets.model == "fluid":
            assert row.sent_bits == row.delivered_bits
        if radio.packets.model == "codeword":
            part = min((row.end_s - row.start_s) / radio.deadline_s, 1.0) if row.power_w else 0.0
            slack = row.bits * 4 * math.ulp(row.end_s) / radio.deadline_s
            assert row.sent_bits == pytest.approx(row.bits * part, rel=1e-9, abs=slack)
        once = radio.packets.model == "one_shot" and row.kind is TransferKind.UPDATE
        assert (row.packets_lost is not None) == (once and row.power_w > 0)
        assert 0 <= row.mixing < len(chosen.method.schedule.turns(row.round))
        assert min(row.energy_tx_j, row.energy_rx_j, row.power_w, row.distance_m) >= 0
        assert row.bandwidth_hz <= radio.bandwidth_hz * (1 + 1e-9)
        match row.outcome:
            case TransferOutcome.DELIVERED if row.packets_lost:
                assert row.delivered_bits < row.bits
                assert row.sent_bits == pytest.approx(row.bits, rel=1e-9)
                assert row.end_s <= row.deadline_at_s
            case TransferOutcome.DELIVERED:
                assert row.delivered_bits == row.bits
                assert row.end_s <= row.deadline_at_s
            case TransferOutcome.LATE if once:
                raise AssertionError("a single pass ends in time")
            case TransferOutcome.LATE if radio.late == "drop":
                assert row.delivered_bits < row.bits
                assert row.end_s == row.deadline_at_s
            case TransferOutcome.LATE:
                assert row.end_s >= row.deadline_at_s
            case TransferOutcome.OUTAGE if radio.packets.model == "codeword" and row.power_w > 0:
                assert (row.delivered_bits, row.end_s) == (0.0, row.deadline_at_s)
            case TransferOutcome.OUTAGE:
                assert (row.delivered_bits, row.end_s, row.power_w) == (0.0, row.start_s, 0.0)
            case TransferOutcome.CANCELLED:
                # All of the bits where it was cut an ulp of the clock before its end.
                assert row.end_s <= row.deadline_at_s
        if once and getattr(radio.packets, "erasure", None) is not None:
            continue  # what arrives is drawn, whatever the channel carries
        # The rate is concave in the SNR: no more bits than at the mean SNR all the time, but for
        # the few ulps by which clock times round. Where the share varies, W is above it.
        band_hz = row.bandwidth_hz if radio.share == "fixed" else radio.bandwidth_hz
        capacity = band_hz * math.log1p(10 ** (row.mean_snr_db / 10)) / math.log(2)
        on_air_s = row.end_s - row.start_s + 2 * math.ulp(row.end_s)
        assert row.delivered_bits <= capacity * on_air_s * (1 + 1e-9)
    for transmissions in sent.values():
        assert math.fsum(row.power_w for row in transmissions) <= p_max_w * (1 + 1e-9)
        # Without power nothing goes on the air: an expert's attempts then end as they begin, one
        # after the other.
        attempts = {(row.dst, row.power_w == 0): row for row in transmissions}
        assert len({row.dst for row in transmissions}) == len(attempts)
        assert sum(row.power_w > 0 for row in transmissions) == sum(
            not idle for _, idle in attempts
        )
        transmissions = list(attempts.values())
        if radio.share == "fixed":
            used = math.fsum(row.bandwidth_hz for row in transmissions)
            assert used <= radio.bandwidth_hz * (1 + 1e-9)
            if all(row.outcome is not TransferOutcome.CANCELLED for row in transmissions):
                assert used == pytest.approx(radio.bandwidth_hz, rel=1e-9)
        used_hz_s = math.fsum(row.bandwidth_hz * (row.end_s - row.start_s) for row in transmissions)
        span_s = max(row.end_s for row in transmissions) - transmissions[0].start_s
        assert used_hz_s <= radio.bandwidth_hz * span_s * (1 + 1e-9)


def updates_of(trace: MemoryTrace) -> list[TransferRow]:
    """What neighbours send each other, without experts and announcements."""
    return [row for row in trace.transfers if row.kind is TransferKind.UPDATE]


def check_experts(chosen: Scenario, world: World, trace: MemoryTrace) -> None:
    """Whoever has all bits of an expert holds it, in time or late, and is not sent it again."""
    learner = world.learner
    assert isinstance(learner, NullLearner)
    held: dict[int, set[int]] = defaultdict(set)
    for row in trace.transfers:
        if row.kind is TransferKind.EXPERT:
            assert isinstance(chosen.method.topology, Clusters)
            whole = row.outcome in (TransferOutcome.DELIVERED, TransferOutcome.LATE)
            if whole and row.delivered_bits == row.bits:
                assert row.src in learner.bank(row.dst)
                held[row.dst].add(row.src)
    for device, senders in held.items():
        assert senders | {device} <= learner.bank(device)
