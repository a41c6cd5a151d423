"""Devices that come and go: by their own times, or for good when a battery is empty."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from simpy import Event

from cosim.simulation.clock import CutOff
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.trace.schema import Cause


def come_and_go(world: World, station: Station) -> Generator[Event, Any, None]:
    """Switches a device on and off by its spells, until it is gone; both happen before whatever
    else ends in their instant."""
    assert station.device.spells is not None
    env = world.env
    for from_s, until_s in station.device.spells:
        if until_s <= env.now:
            continue
        if from_s > env.now:
            world.leave(station, Cause.AVAILABILITY)
            yield CutOff(env, from_s - env.now)
        if station.gone:
            return
        world.join(station)
        if math.isinf(until_s):
            return
        yield CutOff(env, until_s - env.now)
    world.leave(station, Cause.AVAILABILITY, for_good=True)
