"""Dynamic shares: who is still in the air has all of the bandwidth, at the power it has."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.scenario.model import Scenario
from cosim.simulation.world import World
from cosim.trace.schema import EventKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    in_use_hz,
    metres,
    play_to_the_end,
    scenario,
    world_at,
)

MBIT = 1_000_000


def star(bits: int, snrs: list[float], **radio: Any) -> tuple[Scenario, list[tuple[float, float]]]:
    """Device 0 amid others so far away that they have these SNRs; the others never send to 0 in
    time to matter: they compute for longer than Γ."""
    slow = PROFILE | {"peak_flop_s": 1.0e9}
    chosen = scenario(
        learning=NO_LEARNING | {"payload_bits": bits},
        devices=[{"count": 1, "profile": PROFILE}, {"count": len(snrs), "profile": slow}],
        radio=ROUND_RADIO | {"deadline_s": 4.0, "share": "dynamic"} | radio,
    )
    angles = [2 * math.pi * k / len(snrs) for k in range(len(snrs))]
    ring = [
        (metres(snr) * math.cos(angle), metres(snr) * math.sin(angle))
        for snr, angle in zip(snrs, angles, strict=True)
    ]
    return chosen, [(0.0, 0.0), *ring]


def in_use(
    chosen: Scenario, at: list[tuple[float, float]]
) -> tuple[MemoryTrace, dict[float, float]]:
    """The trace, and device 0's bandwidth from each change on."""
    trace, used = MemoryTrace(), dict[float, float]()

    def probe(world: World) -> None:
        used[float(world.env.now)] = in_use_hz(world.stations[0])

    play_to_the_end(world_at(chosen, trace, at), probe)
    return trace, used


@pytest.mark.parametrize(
    ("noise", "first_snr", "second_snr", "alone_snr"),
    # Of half of the power; constant noise is that of all of W, and the second's stays.
    [("share", 3.0, 1.0, 0.5), ("constant", 1.5, 0.5, 0.5)],
)
def test_the_last_in_the_air_has_all_of_the_bandwidth(
    noise: str, first_snr: float, second_snr: float, alone_snr: float
) -> None:
    """1 Mbit each over 1 MHz, sent at 2 s; only the share changes, the power does not."""
    chosen, at = star(MBIT, [3.0, 1.0], noise=noise)
    trace, used = in_use(chosen, at)
    ends_s = 1.0 / (0.5 * math.log2(1 + first_snr))
    carried = 0.5 * ends_s * math.log2(1 + second_snr)
    alone_s = (1.0 - carried) / math.log2(1 + alone_snr)
    (first,), (second,) = trace.sent(0, 1), trace.sent(0, 2)
    assert (first.outcome, second.outcome) == (TransferOutcome.DELIVERED, TransferOutcome.DELIVERED)
    assert first.end_s == pytest.approx(2.0 + ends_s, rel=1e-12)
    assert second.end_s == pytest.approx(2.0 + ends_s + alone_s, rel=1e-12)
    assert (first.power_w, second.power_w) == pytest.approx((0.5, 0.5), rel=1e-12)
    took_s = ends_s + alone_s
    assert first.bandwidth_hz == pytest.approx(0.5e6, rel=1e-12)
    assert second.bandwidth_hz == pytest.approx(
        (0.5e6 * ends_s + 1e6 * alone_s) / took_s, rel=1e-12
    )
    mean_snr = (second_snr * ends_s + alone_snr * alone_s) / took_s
    assert second.mean_snr_db == pytest.approx(10 * math.log10(mean_snr), abs=1e-9)
    # The amplifiers' power is what it was; the chain is shared by two, then by one.
    assert second.energy_tx_j == pytest.approx(
        took_s * 0.5 / 0.4 + 0.25 * (ends_s / 2 + alone_s), rel=1e-12
    )
    middle = [hz for time_s, hz in used.items() if 2.0 <= time_s < second.end_s]
    assert middle == pytest.approx([1.0e6] * len(middle), rel=1e-12)
    assert len(middle) >= 2
    assert used[second.end_s] == 0.0


def test_three_end_one_after_the_other() -> None:
    """Shares of W/3, W/2, W; by hand with the SNR of a third of the power over the share."""
    chosen, at = star(MBIT, [63.0, 15.0, 3.0])
    trace, _ = in_use(chosen, at)
    left = {1: 1.0, 2: 1.0, 3: 1.0}
    now_s, snr = 2.0, {1: 63.0, 2: 15.0, 3: 3.0}
    for n in (3, 2, 1):
        rate = {k: math.log2(1 + snr[k] * n / 3) / n for k in left}
        first = min(left, key=lambda k: left[k] / rate[k])
        step_s = left[first] / rate[first]
        now_s += step_s
        left = {k: left[k] - rate[k] * step_s for k in left if k != first}
        (row,) = trace.sent(0, first)
        assert row.outcome is TransferOutcome.DELIVERED
        assert row.end_s == pytest.approx(now_s, rel=1e-12)
    assert not left


def test_those_who_end_together_end_together() -> None:
    """Equal links end in one instant, and nobody's share is changed for no time."""
    chosen, at = star(MBIT, [3.0, 3.0, 3.0])
    trace, _ = in_use(chosen, at)
    rows = [t for t in trace.transfers if t.src == 0]
    assert [row.outcome for row in rows] == [TransferOutcome.DELIVERED] * 3
    assert [row.end_s for row in rows] == pytest.approx([2.0 + 1.5] * 3, rel=1e-12)
    assert [row.bandwidth_hz for row in rows] == pytest.approx([1e6 / 3] * 3, rel=1e-9)


def test_one_without_power_leaves_its_share_to_the_others() -> None:
    """Lemma 1's demand of the farthest alone does not fit: it is dropped, and is an outage."""
    power = {"policy": "lemma1", "margin_db": 0, "fallback": "drop_weakest"}
    chosen, at = star(MBIT, [15.0, 1e-3], power=power, deadline_s=2.0)
    trace, _ = in_use(chosen, at)
    (near,), (far,) = trace.sent(0, 1), trace.sent(0, 2)
    assert (far.outcome, far.end_s) == (TransferOutcome.OUTAGE, 2.0)
    # Lemma 1 aimed at 1 Mbit in 2 s over half of W: 1 bit/s/Hz, SNR 1; over all of W it is ½.
    assert near.end_s == pytest.approx(2.0 + 1.0 / math.log2(1.5), rel=1e-12)
    assert near.bandwidth_hz == pytest.approx(1.0e6, rel=1e-12)
    started = [e for e in trace.events if e.kind is EventKind.SEND_START and e.device == 0]
    assert len(started) == 2


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    bits=st.floats(4.0, 8.0).map(lambda exponent: round(10**exponent)),
    snrs=st.lists(st.floats(-2.0, 3.0).map(lambda e: float(10**e)), min_size=1, max_size=5),
    noise=st.sampled_from(["share", "constant"]),
    fading=st.sampled_from(["none", "block"]),
    late=st.sampled_from(["drop", "stale"]),
    seed=st.integers(0, 2**32),
)
def test_no_transfer_is_later_than_with_fixed_shares(
    bits: int, snrs: list[float], noise: str, fading: str, late: str, seed: int
) -> None:
    """B·log2(1 + p·h/(N0·B)) grows with B: more bandwidth at the same power is never slower."""
    runs = {}
    for share in ("fixed", "dynamic"):
        radio = {"noise": noise, "fading": {"model": fading}, "late": late, "share": share}
        chosen, at = star(bits, snrs, **radio)
        trace, _ = in_use(chosen.model_copy(update={"seed": seed}), at)
        runs[share] = {t.dst: t for t in trace.transfers if t.src == 0}
    assert runs["fixed"].keys() == runs["dynamic"].keys()
    for receiver, fixed in runs["fixed"].items():
        dynamic = runs["dynamic"][receiver]
        assert dynamic.power_w == fixed.power_w
        assert dynamic.end_s <= fixed.end_s * (1 + 1e-12)
        assert dynamic.delivered_bits >= fixed.delivered_bits * (1 - 1e-9)
        assert dynamic.bandwidth_hz >= fixed.bandwidth_hz * (1 - 1e-12)
        assert dynamic.bandwidth_hz <= 1.0e6 * (1 + 1e-12)
        if fixed.outcome is TransferOutcome.DELIVERED:
            assert dynamic.outcome is TransferOutcome.DELIVERED
    first = min(runs["fixed"].values(), key=lambda row: row.end_s)
    assert runs["dynamic"][first.dst].end_s == pytest.approx(first.end_s, rel=1e-12)
