"""Whole runs that must agree: scaled worlds, doubled spectrum and bits, relabelled devices
(oracle 9)."""

import math
from typing import Any

import pytest

from cosim import randomness
from cosim.simulation.links import large_scale as large_scale_module
from cosim.simulation.links import small_scale as small_scale_module
from cosim.trace.schema import TransferOutcome, TransferRow
from tests.simulation.small_networks import PROFILE, MemoryTrace, scenario, simulate

PLACES = [(0.0, 0.0), (40.0, 10.0), (-25.0, 60.0), (90.0, -70.0)]
BITS, EXPONENT = 12_000_000, 3.2
POWERS: list[dict[str, Any]] = [
    {"policy": "max_power"},
    {"policy": "lemma1", "margin_db": 2},
    {"policy": "lemma1", "margin_db": 0, "fallback": "drop_weakest"},
    {"policy": "lemma1", "margin_db": 0, "channel_knowledge": "mean", "fallback": "max_power"},
]
FADINGS = [{"model": "none"}, {"model": "block"}, {"model": "clarke", "sinusoids": 16}]


def traced(
    stretch: float = 1.0,
    bits: int = BITS,
    places: list[tuple[float, float]] = PLACES,
    speeds: tuple[float, ...] = (1e12, 2e12, 3e12, 4e12),
    **radio: Any,
) -> MemoryTrace:
    groups = [{"count": 1, "profile": PROFILE | {"peak_flop_s": one}} for one in speeds]
    chosen = scenario(
        rounds=3,
        area={"radius_m": 1_000.0},
        learning={"model": "none", "payload_bits": bits, "flop": 1.0e12},
        devices=groups,
        radio={
            "bandwidth_hz": 10e6,
            "p_max_dbm": 9.0,
            "path_loss": {"model": "log_distance", "exponent": EXPONENT},
        }
        | radio,
    )
    return simulate(chosen, at=[(stretch * x, stretch * y) for x, y in places])


def keyed(trace: MemoryTrace) -> dict[tuple[int, int, int], TransferRow]:
    return {(row.round, row.src, row.dst): row for row in trace.transfers}


def assert_same_course(ours: MemoryTrace, theirs: MemoryTrace, bits_ratio: float = 1.0) -> None:
    """The same outcomes at the same times and SNR; bits in proportion."""
    first, second = keyed(ours), keyed(theirs)
    assert first.keys() == second.keys()
    for key, row in first.items():
        other = second[key]
        assert other.outcome == row.outcome
        assert (other.start_s, other.end_s, other.mean_snr_db) == pytest.approx(
            (row.start_s, row.end_s, row.mean_snr_db), rel=1e-9
        )
        assert other.delivered_bits == pytest.approx(bits_ratio * row.delivered_bits, rel=1e-9)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("fading", FADINGS)
def test_scaling_distance_power_and_noise_together(
    fading: dict[str, Any], power: dict[str, Any]
) -> None:
    """Distances times s cost s^α, and the noise figure costs its dB: p_max grows by both."""
    stretch, noise_db = 2.5, 4.0
    plain = traced(fading=fading, power=power)
    scaled = traced(
        stretch,
        fading=fading,
        power=power,
        noise_figure_db=9.0 + noise_db,
        p_max_dbm=9.0 + 10 * EXPONENT * math.log10(stretch) + noise_db,
    )
    assert_same_course(plain, scaled)
    ratio = stretch**EXPONENT * 10 ** (noise_db / 10)
    for key, row in keyed(plain).items():
        assert keyed(scaled)[key].power_w == pytest.approx(ratio * row.power_w, rel=1e-9)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("fading", FADINGS)
def test_doubling_spectrum_and_bits(fading: dict[str, Any], power: dict[str, Any]) -> None:
    """Twice the band has twice the noise: at twice the power limit the SNR and times stay."""
    plain = traced(fading=fading, power=power)
    doubled = traced(
        bits=2 * BITS,
        fading=fading,
        power=power,
        bandwidth_hz=20e6,
        p_max_dbm=9.0 + 10 * math.log10(2),
    )
    assert_same_course(plain, doubled, bits_ratio=2.0)


def test_the_cases_above_are_not_all_alike() -> None:
    outcomes = {
        row.outcome
        for power in POWERS
        for fading in FADINGS
        for row in traced(fading=fading, power=power).transfers
    }
    assert outcomes == {TransferOutcome.DELIVERED, TransferOutcome.LATE, TransferOutcome.OUTAGE}


@pytest.mark.slow
@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("fading", FADINGS)
@pytest.mark.parametrize("large_scale", [{}, {"path_loss": {"model": "d2d_outdoor"}}])
def test_relabelling_devices_permutes_the_trace(
    monkeypatch: pytest.MonkeyPatch,
    fading: dict[str, Any],
    power: dict[str, Any],
    large_scale: dict[str, Any],
) -> None:
    """Device k becomes device `new[k]` with its place, its profile and its pairs' streams."""
    new = [2, 0, 3, 1]
    old = [new.index(label) for label in range(4)]
    speeds = (1e12, 2e12, 3e12, 4e12)
    radio = {"fading": fading, "power": power} | large_scale
    plain = traced(speeds=speeds, **radio)

    def renamed(seed: int, purpose: str, first: int, second: int, *ids: int) -> Any:
        return randomness.stream(seed, purpose, *randomness.pair(old[first], old[second]), *ids)

    for module in (small_scale_module, large_scale_module):
        monkeypatch.setattr(module, "stream", renamed)
    permuted = traced(
        places=[PLACES[k] for k in old], speeds=tuple(speeds[k] for k in old), **radio
    )
    found = keyed(permuted)
    assert len(found) == len(plain.transfers)
    for row in plain.transfers:
        other = found[row.round, new[row.src], new[row.dst]]
        named = other._replace(number=row.number, src=row.src, dst=row.dst)._asdict()
        expected = row._asdict()
        assert {k: v for k, v in named.items() if not isinstance(v, float)} == {
            k: v for k, v in expected.items() if not isinstance(v, float)
        }
        floats = {k: v for k, v in expected.items() if isinstance(v, float)}
        assert {k: named[k] for k in floats} == pytest.approx(floats, rel=1e-9)
    rounds = {(row.round, row.device): row for row in permuted.rounds}
    for one in plain.rounds:
        other_round = rounds[one.round, new[one.device]]._replace(device=one.device)
        assert other_round._asdict() == {
            k: pytest.approx(v, rel=1e-9, abs=1e-12) if isinstance(v, float) else v
            for k, v in one._asdict().items()
        }
