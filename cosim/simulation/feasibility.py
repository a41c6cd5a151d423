"""What a scenario asks of its radio, its devices and this machine, before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from cosim.learning.workload import Workload
from cosim.physics.decibel import db_to_ratio, dbm_to_w, ratio_to_db, w_to_dbm
from cosim.physics.fading import coherence_time_s, doppler_hz, effective_doppler_hz
from cosim.physics.power import lemma1_power_w, spectral_efficiency_needed
from cosim.scenario.model import Scenario
from cosim.scenario.radio import Radio
from cosim.simulation.build import area_of, build_devices, given_work
from cosim.simulation.channel import Channel
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.disk import disk_words, estimate_disk
from cosim.simulation.equipment import equipment
from cosim.simulation.large_scale import mean_gain
from cosim.simulation.plan import receivers_at_most
from cosim.simulation.waiting import nobody_before_s, waits_s
from cosim.simulation.warnings import world_warnings

# Beyond this many bit/s/Hz a Rayleigh link seldom delivers.
_DEMANDING_BIT_S_HZ = 4.0

_FALLBACK_DOES = {
    "scale": "powers will be scaled down",
    "drop_weakest": "the weakest receivers will get no power",
    "max_power": "p_max will be shared equally",
}


@dataclass(frozen=True)
class Fact:
    """One line of an explanation; a warning says what will probably go wrong."""

    name: str
    value: str
    warning: str | None = None


@dataclass(frozen=True)
class Explanation:
    """What a scenario asks for, a line each, and what its user should look twice at."""

    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]


def margin_db(radio: Radio) -> float:
    """What is radiated above Lemma 1's demand, 0 where the policy is another."""
    return radio.power.margin_db if radio.power.policy == "lemma1" else 0.0


def radio_facts(scenario: Scenario, first_bits: int, later_bits: int) -> list[Fact]:
    """Payload against W·Γ, Lemma 1's power at the mean distance, coherence time against Γ."""
    receivers, radio = receivers_at_most(scenario), scenario.radio
    devices = build_devices(scenario)
    channel = Channel(radio, [device.trajectory for device in devices], scenario.seed)
    if receivers == 0:
        return [Fact("exchange", f"none: method '{scenario.method.name}' sends nothing")]
    distance_m = area_of(scenario).mean_distance_m
    packets = radio.packets
    no_retransmission = None
    if packets.model == "blocks" and margin_db(radio) <= packets.backoff_db:
        no_retransmission = (
            "the rate leaves no time before Γ for a single retransmission: lower backoff_db below "
            "the margin"
        )
    efficiency = float(
        spectral_efficiency_needed(first_bits, receivers, radio.bandwidth_hz, radio.deadline_s)
    )
    gain = float(mean_gain(np.array(distance_m), radio.path_loss, radio.carrier_hz))
    noise = float(channel.noise_w(radio.bandwidth_hz / receivers))
    margin = margin_db(radio)
    fallback = radio.power.fallback if radio.power.policy == "lemma1" else "max_power"
    total_w = receivers * float(
        lemma1_power_w(
            first_bits,
            receivers=receivers,
            bandwidth_hz=radio.bandwidth_hz,
            deadline_s=radio.deadline_s,
            gain=gain,
            noise_w=noise,
        )
        * db_to_ratio(margin)
    )
    p_max_w = float(dbm_to_w(radio.p_max_dbm))
    speeds = sorted((device.trajectory.speed_limit_m_s for device in devices), reverse=True)
    dopplers = [float(doppler_hz(speed, radio.carrier_hz)) for speed in [*speeds[:2], 0.0][:2]]
    coherence_s = float(coherence_time_s(float(effective_doppler_hz(*dopplers))))
    asked = (
        None
        if efficiency <= _DEMANDING_BIT_S_HZ
        else f"more than {_DEMANDING_BIT_S_HZ:g}: size bandwidth_hz·deadline_s to at least "
        f"{first_bits * receivers / _DEMANDING_BIT_S_HZ:.3g}"
    )
    without_margin_w = total_w / float(db_to_ratio(margin))
    power_warning = None
    if without_margin_w > p_max_w:
        power_warning = f"infeasible: {_FALLBACK_DOES[fallback]}, transfers will miss Γ"
    elif total_w > p_max_w:
        left_db = float(ratio_to_db(p_max_w / without_margin_w))
        power_warning = f"p_max leaves {left_db:.1f} dB of the margin"
    return [
        Fact("payload", f"{first_bits:,} bit first, {later_bits:,} bit later, to each receiver"),
        Fact(
            "receivers", f"at most {receivers}, each with {radio.bandwidth_hz / receivers:.4g} Hz"
        ),
        Fact("Q·n/(W·Γ)", f"{efficiency:.2f} bit/s/Hz", asked),
        *([Fact("packets", packets.model, no_retransmission)] if packets.model != "fluid" else []),
        Fact(
            "Lemma 1",
            f"{_dbm(total_w)} for {receivers} receivers at the mean distance "
            f"{distance_m:.1f} m and the mean gain {float(ratio_to_db(gain)):.1f} dB, margin "
            f"{margin:g} dB; p_max {radio.p_max_dbm:g} dBm",
            power_warning,
        ),
        Fact(
            "coherence time",
            "infinite: nothing moves"
            if np.isinf(coherence_s)
            else f"{coherence_s * 1e3:.1f} ms for the fastest pair; Γ is "
            f"{radio.deadline_s / coherence_s:.0f} of them",
        ),
    ]


def _dbm(power_w: float) -> str:
    """A power in words; it is infinite where the bits are far too many for the band."""
    return f"{float(w_to_dbm(power_w)):.1f} dBm" if np.isfinite(power_w) else "no finite power"


def compute_fact(scenario: Scenario, work: Sequence[Workload]) -> Fact:
    """How long a mean round's fine-tuning takes, over all devices and by profile; work: (M,)."""
    flop = [own.flop for own in work]
    by_profile: dict[str, list[float]] = {}
    for one, own in zip(equipment(scenario), work, strict=True):
        by_profile.setdefault(one.name, []).append(compute_time_s(one.profile, own))
    times = [time_s for them in by_profile.values() for time_s in them]
    said = f"{min(flop):.3g} to {max(flop):.3g} FLOP a round: "
    said += f"{min(times):.2f} to {max(times):.2f} s"
    if len(by_profile) > 1:
        slower = sorted(by_profile.items(), key=lambda item: median(item[1]))
        each = ", ".join(f"{len(them)} {name}: {median(them):.2f} s" for name, them in slower)
        said += f" (medians: {each})"
    return Fact("fine-tuning", said)


def explain(scenario: Scenario) -> Explanation:
    """Everything that `cosim check` says; reads the tasks and the model's shapes, trains nothing.

    Raises `CosimError` where the scenario could not start.
    """
    learning = scenario.learning
    recipe = scenario.method
    parts = f"A {recipe.projection}, B {recipe.expansion}, {recipe.topology.graph} graph, "
    parts += f"{recipe.aggregation} aggregation, {recipe.composition} expert"
    facts = [Fact("method", f"{recipe.name}: {parts}")]
    devices, learnt = build_devices(scenario), []
    waited_s, absent_s = waits_s(scenario, devices), nobody_before_s(devices)
    if learning.model == "none":
        bits, work = (learning.payload_bits,) * 2, [given_work(scenario)] * scenario.device_count
        disk = estimate_disk(scenario, work, waits_s=waited_s, absent_s=absent_s)
    else:
        from cosim.learning.expect import expect

        expected = expect(scenario)
        bits, work = (expected.first_bits, expected.later_bits), expected.work
        facts.append(Fact("trained", f"{expected.trained:,} values a device"))
        facts += [Fact(f"task {name}", said) for name, said in expected.tasks.items()]
        facts.append(Fact("memory", expected.memory))
        learnt = list(expected.warnings)
        stored = expected.storage, expected.modules
        disk = estimate_disk(scenario, work, *stored, waits_s=waited_s, absent_s=absent_s)
    facts.append(Fact("disk", *disk_words(disk, Path("runs"))))
    facts += [compute_fact(scenario, work), *radio_facts(scenario, *bits)]
    warnings = [*world_warnings(scenario, devices, work), *learnt]
    odd = [f"{fact.name}: {fact.warning}" for fact in facts if fact.warning is not None]
    return Explanation(tuple(facts), (*warnings, *odd))
