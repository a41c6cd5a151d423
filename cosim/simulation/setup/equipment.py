"""What every device is: its profile by its group's choice, and how fast this one of them is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

from cosim.errors import ScenarioError
from cosim.randomness import stream
from cosim.scenario.catalogue import named_profile
from cosim.scenario.devices import DeviceGroup, ProfileMix
from cosim.scenario.model import Scenario
from cosim.scenario.profile import PROFILE_FILE, Profile


@dataclass(frozen=True)
class Equipment:
    """This is the equipment of one device of a group.

    group: the group's number in the scenario, from 0.
    name: the name of its profile, or where the scenario states it.
    profile: its profile, with the group's choices in it.
    """

    group: int
    name: str
    profile: Profile


def equipment(scenario: Scenario) -> list[Equipment]:
    """The equipment of every device, in the order of the ids.

    A mix is drawn from the stream (seed, "profile", device), a speed exp(σ·z) with z ~ N(0, 1)
    from (seed, "speed", device). ScenarioError, beginning with the path in the scenario, for a
    profile's file that cannot be used.
    """
    profiles = cache(named_profile)  # each file is read once
    out: list[Equipment] = []
    for number, group in enumerate(scenario.devices):
        where = f"devices.{number}.profile"
        names = _names(scenario, group, range(len(out), len(out) + group.count))
        for name in names:
            if name is None:
                assert isinstance(group.profile, Profile)
                profile, called = group.profile, where
            else:
                try:
                    profile = profiles(name)
                except ScenarioError as error:
                    raise ScenarioError(f"{where}: {error}") from error
                called = Path(name).stem if name.startswith(PROFILE_FILE) else name
            out.append(Equipment(number, called, _own(profile, group, scenario.seed, len(out))))
    return out


def _names(scenario: Scenario, group: DeviceGroup, ids: range) -> Iterator[str | None]:
    """The name of each device's profile; None where the group says the figures themselves."""
    choice = group.profile
    if not isinstance(choice, ProfileMix):
        yield from [choice if isinstance(choice, str) else None] * group.count
        return
    names, bounds = list(choice.mix), list(accumulate(choice.mix.values()))
    for device in ids:
        point = stream(scenario.seed, "profile", device).random() * bounds[-1]
        yield next((n for n, bound in zip(names, bounds, strict=True) if point < bound), names[-1])


def _own(profile: Profile, group: DeviceGroup, seed: int, device: int) -> Profile:
    changes: dict[str, object] = {}
    if group.compute is not None:
        changes["compute"] = group.compute
    if group.speed_sigma > 0:
        z = float(stream(seed, "speed", device).standard_normal())
        changes["speed"] = profile.speed * math.exp(group.speed_sigma * z)
    return profile.model_copy(update=changes) if changes else profile
