"""Devices that the compute deadline leaves nothing of their rounds, in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cosim.scenario.model import Scenario
from cosim.simulation.setup.named_devices import named_devices
from cosim.simulation.station import Device


def stragglers_of_a_mean_round(
    scenario: Scenario, devices: Sequence[Device], computes_s: Sequence[float]
) -> list[str]:
    """A sentence on devices whose mean round is longer than the compute deadline."""
    deadline_s = scenario.training.compute_deadline_s
    if deadline_s is None:
        return []
    late = [
        device.id
        for device, takes_s in zip(devices, computes_s, strict=True)
        if takes_s > deadline_s
    ]
    if not late:
        return []
    remainder = "nothing of a round" if _keeps_nothing(scenario) else "the last blocks"
    if scenario.method.aggregation.by_block and _keeps_nothing(scenario):
        remainder = "nothing, as there are no blocks where nothing is learnt"
    return [
        f"training.compute_deadline_s stops {len(late)} of {len(devices)} devices in a mean round, "
        f"which keep {remainder}: {named_devices(late)}"
    ]


def stragglers_of_every_round(
    scenario: Scenario, stragglers: Collection[int], finishers: Collection[int]
) -> list[str]:
    """A sentence on devices that computed, and never to the end.

    stragglers, finishers: those that the compute deadline has ever stopped, and those that have
    ever ended a round's steps before it.
    """
    never = sorted(set(stragglers) - set(finishers))
    if not never or not _keeps_nothing(scenario):
        return []
    return [
        "training.compute_deadline_s stopped every round of "
        f"{named_devices(never)}: nothing that they computed was kept"
    ]


def _keeps_nothing(scenario: Scenario) -> bool:
    """Whether a device that the compute deadline stops loses its whole round."""
    by_block = scenario.method.aggregation.by_block
    return not by_block or scenario.learning.model == "none"
