"""Batteries that computing alone empties before the last round, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.scenario.model import Scenario
from cosim.simulation.station import Device


def emptied(
    scenario: Scenario, devices: Sequence[Device], computes_s: Sequence[float]
) -> list[str]:
    """A sentence on devices whose mean rounds draw more for computing than their battery holds.

    computes_s: of each device's mean round, a compute deadline not counted in.
    """
    deadline_s = scenario.training.compute_deadline_s
    spans_s = [
        takes_s if deadline_s is None else min(takes_s, deadline_s) for takes_s in computes_s
    ]
    needs_j = {
        device.id: scenario.rounds * span_s * device.profile.compute_w
        for device, span_s in zip(devices, spans_s, strict=True)
        if device.profile.battery_j is not None
    }
    short = [
        device
        for device in devices
        if device.id in needs_j and needs_j[device.id] > (device.profile.battery_j or 0.0)
    ]
    if not short:
        return []
    first = short[0]
    return [
        f"batteries of {len(short)} of {len(devices)} devices are empty before the last round "
        f"ends, by computing alone: device {first.id} has {first.profile.battery_j:g} J, and "
        f"{scenario.rounds} rounds take {needs_j[first.id]:.3g} J"
    ]
