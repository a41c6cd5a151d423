"""Each connected group of a round's graph on its own clock."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from simpy import Event, Process

from cosim.simulation.energy.meter import Spent
from cosim.simulation.rounds.group_round import group_round
from cosim.simulation.rounds.plan import Plan
from cosim.simulation.rounds.planning import planned
from cosim.simulation.station import Station
from cosim.simulation.world import World


class ClusterClocks:
    """A group begins a round when its own members have ended the round before, and waits for no
    other group.

    The graph of a round is planned when the first group has ended the one before, over all
    devices that are not gone for good. Members that are not there when their group begins sit
    the round out. A group of which nobody is there sleeps until somebody is; a later group that
    can begin does not wait for a sleeping one, but takes its members over, who sit that one out.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._asleep: dict[int, int] = {}
        self._stirred = world.env.event()

    def play(self) -> Generator[Event, Any, None]:
        """Plays all rounds."""
        world = self.world
        before: dict[int, Process] = {}
        for number in range(1, world.scenario.rounds + 1):
            if before:
                yield world.env.any_of(list(dict.fromkeys(before.values())))
            lasting = [station for station in world.stations if not station.gone]
            plan = yield from planned(world, number, lasting)
            now: dict[int, Process] = {}
            for group in plan.groups:
                earlier = {device: before[device] for device in group if device in before}
                played = world.env.process(self._group(plan, group, earlier))
                now.update(dict.fromkeys(group, played))
            if not now:
                break
            before = now
        yield world.env.all_of(list(dict.fromkeys(before.values())))

    def _group(
        self, plan: Plan, group: Sequence[int], earlier: dict[int, Process]
    ) -> Generator[Event, Any, None]:
        world = self.world
        members = [world.stations[device] for device in group]
        yield from self._ready(members, earlier)
        sleepers = [station for station in members if station.id in self._asleep]
        for station in sleepers:
            world.sit_out(station, self._asleep.pop(station.id))
        if sleepers:
            self._stir()
        if not any(station.present for station in members):
            members = yield from self._sleep(members, plan.round)
        # Who left for good while its group waited is owed a row of what it spent until then.
        still = [
            station for station in members if not station.gone or station.meter.spent != Spent()
        ]
        if still:
            yield from group_round(world, plan, still, waits=True)
            if world.due(plan.round):
                world.evaluate(plan.round, still)
        world.report_closed_rounds()

    def _ready(
        self, members: Sequence[Station], earlier: dict[int, Process]
    ) -> Generator[Event, Any, None]:
        """Waits for the members' earlier groups, but for sleeping ones only as long as nobody of
        this group could begin."""
        world = self.world
        while True:
            busy = [s for s in members if s.id in earlier and not earlier[s.id].processed]
            free = [station for station in members if station not in busy]
            awake = [station for station in busy if station.id not in self._asleep]
            if not awake and (not busy or any(station.present for station in free)):
                return
            ends = dict.fromkeys(earlier[station.id] for station in busy)
            away = [s.awaited(world.env) for s in free if not (s.present or s.gone)]
            yield world.env.any_of([*ends, *away, self._stirred])

    def _sleep(
        self, members: Sequence[Station], round_: int
    ) -> Generator[Event, Any, list[Station]]:
        """Waits until one of the members is there; returns those whom no other group has taken."""
        world = self.world
        self._asleep.update(dict.fromkeys((station.id for station in members), round_))
        self._stir()
        while True:
            sleepers = [station for station in members if self._asleep.get(station.id) == round_]
            if any(station.present for station in sleepers) or all(
                station.gone for station in sleepers
            ):
                for station in sleepers:
                    del self._asleep[station.id]
                return sleepers
            away = [station.awaited(world.env) for station in sleepers if not station.gone]
            yield world.env.any_of([*away, self._stirred])

    def _stir(self) -> None:
        """Tells the groups that wait that somebody has fallen asleep or was taken over."""
        stirred, self._stirred = self._stirred, self.world.env.event()
        stirred.succeed()
