"""How long a run may stand still because nobody is there, as far as it is known before."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.methods.meaning import has_rounds_in_step
from cosim.mobility.availability import Spell
from cosim.scenario.model import Scenario
from cosim.simulation.station import Device


def waits_s(scenario: Scenario, devices: Sequence[Device]) -> float:
    """The time in s, at most, in which a run waits for devices whose spells are recorded.

    Devices that begin a round together wait while nobody is there; on clocks of their own each one
    may wait for its last spell. Spells that are drawn, or repeated, are not looked at.
    """
    recorded = [device.spells for device in devices if isinstance(device.spells, tuple)]
    spells: list[Spell] = sorted(
        (max(since, 0.0), until)
        for of_device in recorded
        for since, until in of_device
        if until > 0
    )
    if not spells:
        return 0.0
    if not has_rounds_in_step(scenario.method.schedule):
        return spells[-1][0]
    if any(device.spells is None for device in devices):
        return 0.0
    waited = until_s = 0.0
    for since_s, ends_s in spells:
        waited += max(since_s - until_s, 0.0)
        until_s = max(until_s, ends_s)
    return waited


def nobody_before_s(devices: Sequence[Device]) -> float:
    """The time until which surely nobody is there: 0 s unless all devices' spells are recorded."""
    first = [
        min((max(since, 0.0) for since, until in device.spells if until > 0), default=float("inf"))
        if isinstance(device.spells, tuple)
        else 0.0
        for device in devices
    ]
    soonest_s = min(first, default=0.0)
    return soonest_s if soonest_s < float("inf") else 0.0
