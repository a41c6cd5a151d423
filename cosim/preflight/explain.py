"""What a scenario asks of its radio, its devices and this machine, before it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from cosim.methods.workload import Workload
from cosim.physics.decibel import w_to_dbm
from cosim.physics.over_the_air import symbols_time_s
from cosim.preflight.disk import disk_words, estimate_disk
from cosim.scenario.model import Scenario
from cosim.scenario.radio import D2dOutdoor, Radio
from cosim.si_prefix import span, with_prefix
from cosim.simulation.agreement import settled
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.links.link_need import margin_db
from cosim.simulation.setup.build import build_devices, channel_of, given_work
from cosim.simulation.setup.equipment import equipment
from cosim.simulation.setup.first_links import FirstLinks, first_links
from cosim.simulation.setup.radio_warnings import (
    SPECTRUM,
    air_overhead_symbols,
    air_turn_s,
    coherence_s,
    efficiency_needed,
    radio_warnings,
)
from cosim.simulation.setup.waiting import nobody_before_s, waits_s
from cosim.simulation.setup.warnings import world_warnings
from cosim.simulation.station import Device


@dataclass(frozen=True)
class Fact:
    """A fact is one line of an explanation.

    name: what it is about.
    value: in words.
    warning: what will probably go wrong; None where nothing will.
    amounts: the numbers in it, by a name that ends with their unit, for programs.
    """

    name: str
    value: str
    warning: str | None = None
    amounts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Explanation:
    """An explanation holds what a scenario asks for and what its user should look twice at.

    facts: a line each.
    warnings: sentences.
    work: a mean round's by device.
    scoring_flop: of a device's evaluation; None where nothing is learnt.
    """

    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]
    work: tuple[Workload, ...] = ()
    scoring_flop: float | None = None

    def __repr__(self) -> str:
        wide = max(len(fact.name) for fact in self.facts)
        lines = [f"{fact.name:{wide}}  {fact.value}" for fact in self.facts]
        return "\n".join([*lines, *(f"warning: {sentence}" for sentence in self.warnings)])


def radio_facts(
    scenario: Scenario,
    devices: Sequence[Device],
    first_bits: int,
    later_bits: int,
    links: FirstLinks | None,
    modules: int = 0,
) -> list[Fact]:
    """Payload against W·Γ, Lemma 1's power over the first links, coherence time against Γ; modules:
    that are adapted."""
    radio = scenario.radio
    receivers = scenario.method.topology.most_receivers(scenario.device_count - 1)
    warnings = radio_warnings(scenario, devices, first_bits, links, modules)
    coherence_time_s = coherence_s(scenario, devices)
    if radio.access.model == "air" and receivers:
        return _sums_on_the_air(scenario, coherence_time_s, first_bits, modules, warnings)
    if links is None:
        silent = not scenario.method.aggregation.exchanges
        why = f"method '{scenario.method.name}' sends nothing" if silent else "one device is alone"
        return [Fact("exchange", f"none: {why}")]
    packets, efficiency = radio.packets, efficiency_needed(radio, receivers, first_bits)
    share_hz = radio.bandwidth_hz / receivers
    return [
        Fact(
            "payload",
            f"{with_prefix(first_bits, 'bit')} first, {with_prefix(later_bits, 'bit')} later, to "
            "each receiver, at most",
            amounts={"first_bit": first_bits, "later_bit": later_bits},
        ),
        Fact(
            "receivers",
            f"at most {receivers}, each with {with_prefix(share_hz, 'Hz')}",
            amounts={"receivers": receivers, "share_hz": share_hz},
        ),
        Fact(SPECTRUM, f"{efficiency:.2f} bit/s/Hz", warnings.get(SPECTRUM)),
        *(
            [Fact("packets", packets.model, warnings.get("packets"))]
            if packets.model != "fluid"
            else []
        ),
        _lemma_1(scenario, links, warnings.get("Lemma 1")),
        *_lines_of_sight(radio, warnings.get("shadowing")),
        Fact(
            "coherence time",
            "infinite: nothing moves"
            if np.isinf(coherence_time_s)
            else f"{coherence_time_s * 1e3:.1f} ms for the fastest pair; Γ is "
            f"{radio.deadline_s / coherence_time_s:.0f} of them",
        ),
    ]


def _sums_on_the_air(
    scenario: Scenario,
    coherence_time_s: float,
    bits: int,
    modules: int,
    warnings: Mapping[str, str],
) -> list[Fact]:
    """What a receiver's turn takes, how many there may be, and whether channels stand still."""
    values, band_hz = bits // scenario.adapter.bits_per_value, scenario.radio.bandwidth_hz
    overhead_s = float(symbols_time_s(air_overhead_symbols(scenario, modules), band_hz))
    turn_s = air_turn_s(scenario, bits, modules)
    return [
        Fact("payload", f"{values:,} real values, to all receivers alike"),
        Fact(
            "turns",
            f"{with_prefix(turn_s, 's')} each on {with_prefix(band_hz, 'Hz')} at most, of which "
            f"{with_prefix(overhead_s, 's')} are reports, what a receiver tells, and guards; at "
            f"most {scenario.device_count} a round, as many as receivers that share a neighbour",
            amounts={"turn_s": turn_s, "overhead_s": overhead_s},
        ),
        Fact(
            "coherence time",
            "infinite: nothing moves"
            if np.isinf(coherence_time_s)
            else f"{coherence_time_s * 1e3:.1f} ms for the fastest pair",
            warnings.get("coherence time"),
        ),
    ]


def _lemma_1(scenario: Scenario, links: FirstLinks, warning: str | None) -> Fact:
    """What the links of the first graph need of p_max, and which of them need more."""
    radio = scenario.radio
    if not links.power_w.size:
        if links.present < 2:
            crowd = "nobody is" if links.present == 0 else "one device is"
            return Fact("Lemma 1", f"no link at the start: {crowd} there then")
        text = f"no link at the start: no pair of {links.present} devices "
        text += "meets in round 1" if warning is None else "can be joined"
        return Fact("Lemma 1", text, warning)
    middle_m, most_m = np.quantile(links.distances_m, (0.5, 0.9))
    middle_w, most_w = np.quantile(links.power_w, (0.5, 0.9), method="higher")
    count = links.distances_m.size
    text = f"{count} links at the start{links.assumed and f' ({links.assumed})'}: median "
    text += f"{middle_m:.1f} m, 90 % within {most_m:.1f} m; a sender needs {_dbm(float(middle_w))} "
    text += f"(median), {_dbm(float(most_w))} (90 %), margin {margin_db(radio):g} dB; "
    text += f"p_max {radio.p_max_dbm:g} dBm"
    if links.alone:
        have = "has" if links.alone == 1 else "have"
        text += f"; {links.alone} of {links.present} devices {have} no link then"
    return Fact("Lemma 1", text, warning)


def _lines_of_sight(radio: Radio, warning: str | None) -> list[Fact]:
    """What 3GPP TR 36.843 has besides path loss, where a scenario takes that."""
    if not isinstance(radio.path_loss, D2dOutdoor):
        return []
    words = "lost and found at one distance of each pair, in a step"
    return [
        Fact("line of sight", words),
        Fact("shadowing", f"σ {radio.shadowing.sigma_db:g} dB", warning),
    ]


def _dbm(power_w: float) -> str:
    """A power in words; it is infinite where the bits are far too many for the band."""
    return f"{float(w_to_dbm(power_w)):.1f} dBm" if np.isfinite(power_w) else "no finite power"


def compute_fact(scenario: Scenario, work: Sequence[Workload]) -> Fact:
    """How long a mean round's fine-tuning takes, over all devices and by profile; work: (M,)."""
    flop = [workload.flop for workload in work]
    by_profile: dict[str, list[float]] = {}
    for device, workload in zip(equipment(scenario), work, strict=True):
        by_profile.setdefault(device.name, []).append(compute_time_s(device.profile, workload))
    times = [time_s for spans in by_profile.values() for time_s in spans]
    words = f"{span(min(flop), max(flop), 'FLOP')} a round: {span(min(times), max(times), 's')}"
    if len(by_profile) > 1:
        slower = sorted(by_profile.items(), key=lambda item: median(item[1]))
        medians = ", ".join(
            f"{len(spans)} {name}: {with_prefix(median(spans), 's')}" for name, spans in slower
        )
        words += f" (medians: {medians})"
    amounts = {"least_flop": min(flop), "most_flop": max(flop)}
    return Fact(
        "fine-tuning", words, amounts={**amounts, "least_s": min(times), "most_s": max(times)}
    )


def explain(scenario: Scenario) -> Explanation:
    """Everything that `cosim check` says; reads the tasks and the model's shapes, trains nothing.

    Raises `CosimError` where the scenario could not start.
    """
    learning, method, scoring_flop, modules = scenario.learning, scenario.method, None, 0
    parts = f"A {method.projection}, B {method.expansion}, {method.topology} graph, "
    parts += f"{method.aggregation} aggregation, {method.composition} expert"
    facts = [Fact("method", f"{method.name}: {parts}")]
    devices, cautions = build_devices(scenario), []
    scenario, agreement = settled(scenario)
    facts += [] if agreement is None else [Fact("agreement", agreement)]
    waited_s, absent_s = waits_s(scenario, devices), nobody_before_s(devices)
    if learning.model == "none":
        bits, work = (learning.payload_bits,) * 2, [given_work(scenario)] * scenario.device_count
        disk = estimate_disk(scenario, work, waits_s=waited_s, absent_s=absent_s)
    else:
        from cosim.learning.forecast import forecast

        expected = forecast(scenario)
        bits, work = (expected.first_bits, expected.later_bits), expected.work
        scoring_flop = expected.scoring_flop
        facts.append(Fact("trained", f"{expected.trained:,} values a device at most"))
        facts += [
            Fact(
                f"rank {own.rank}",
                f"{own.devices} devices train {own.trained:,} values and send "
                f"{with_prefix(own.first_bits, 'bit')} first, {with_prefix(own.later_bits, 'bit')} "
                "later",
            )
            for own in expected.ranks
            if len(expected.ranks) > 1
        ]
        facts += [Fact(f"task {name}", words) for name, words in expected.tasks.items()]
        facts.append(Fact("memory", expected.memory))
        cautions = list(expected.warnings)
        storage, modules = expected.storage, expected.modules
        disk = estimate_disk(scenario, work, storage, modules, waits_s=waited_s, absent_s=absent_s)
    room = Fact("disk", *disk_words(disk, Path("runs")))
    facts.append(room)
    channel = channel_of(scenario, devices)
    links = first_links(scenario, devices, channel, bits[0])
    facts += [compute_fact(scenario, work), *radio_facts(scenario, devices, *bits, links, modules)]
    warnings = [*world_warnings(scenario, devices, work, links, bits[0], modules), *cautions]
    # Room on disk is this machine's and of this moment. A run that learns does not know the work of
    # its rounds before they are played; all else it tells as well.
    warnings += [] if room.warning is None else [f"{room.name}: {room.warning}"]
    return Explanation(tuple(facts), tuple(warnings), tuple(work), scoring_flop)
