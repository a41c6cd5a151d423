"""What a scenario's world should make its user look twice at, in sentences.

`cosim check` tells them before a run, a run's summary after it, and its manifest keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosim.mobility.recorded.path import RecordedPath
from cosim.scenario.model import Scenario
from cosim.simulation.station import Device

_NAMED = 5


def world_warnings(scenario: Scenario, devices: Sequence[Device]) -> list[str]:
    """Sentences about where the devices are and go, known before the first event."""
    return _oddities([device.trajectory for device in devices])


def _oddities(paths: Sequence[object]) -> list[str]:
    """Which recorded devices never move, and how many jump."""
    recorded = [path for path in paths if isinstance(path, RecordedPath)]
    sentences = []
    resting = [repr(path.name) for path in recorded if not path.moves]
    if resting:
        more = f" and {len(resting) - _NAMED} more" if len(resting) > _NAMED else ""
        sentences.append(f"recorded devices that never move: {', '.join(resting[:_NAMED])}{more}")
    jumps = sum(path.jumps for path in recorded)
    if jumps:
        sentences.append(f"jumps in recorded paths (gaps and teleports take no time): {jumps}")
    return sentences
