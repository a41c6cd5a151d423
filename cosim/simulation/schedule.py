"""Who starts a round when."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy import Event

from cosim.simulation.device import device_round
from cosim.simulation.world import World


def synchronous(world: World) -> Generator[Event, Any, None]:
    """All devices begin a round together, when the last one has ended the round before."""
    scenario = world.scenario
    world.evaluate(0)
    for number in range(1, scenario.rounds + 1):
        start_s = world.env.now
        graph = world.plan(number)
        lives = [
            world.env.process(device_round(world, device, number, graph[device.id]))
            for device in world.devices
        ]
        ended = yield world.env.all_of(lives)
        world.close_round(number, start_s, graph, [ended[life] for life in lives])
        if number % scenario.evaluation.every == 0 or number == scenario.rounds:
            world.evaluate(number)
        world.record.round_closed(number)
