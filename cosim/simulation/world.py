"""The world: one clock, the devices in it, the air between them, and what is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from simpy import Environment, Event

from cosim.learning.records import LayerState
from cosim.methods.message import Graph
from cosim.scenario.model import Scenario
from cosim.simulation.learner import Learner
from cosim.simulation.medium import Medium
from cosim.simulation.recorder import Recorder
from cosim.simulation.rows import (
    answer_rows,
    diagnostic_rows,
    evaluation_rows,
    layer_rows,
    position_rows,
    round_row,
)
from cosim.simulation.station import Station
from cosim.topology.collision import predicted_collision_rate
from cosim.trace.schema import Cause, EventKind, TopologyRow

# Rows of positions that are held in memory before they are written down.
POSITIONS_AT_ONCE = 1 << 19


@dataclass
class RoundResult:
    """A round's result is that of a device's learning in it.

    loss: mean training loss; None where it was cut off before.
    flop: of its fine-tuning and its mixing.
    """

    loss: float | None = None
    flop: float = 0.0


@dataclass(frozen=True)
class Seat:
    """A seat is a device's place in a round.

    cluster: the number of its group.
    size: how many of its group are there.
    neighbours: those of them that it exchanges with.
    unheard: those that it would have, in a round in which nobody speaks.
    graph: the plan's, as far as the method's weights ask for it.
    """

    cluster: int
    size: int
    neighbours: tuple[int, ...]
    unheard: tuple[int, ...]
    graph: Graph


@dataclass
class World:
    """The world is the state that the simulated processes share, and the transitions that concern
    several of them: devices that come and go, rounds that close, rows that are written.

    env: the clock.
    scenario: what is played.
    stations: the devices, by id.
    learner: their learning.
    medium: the air between them.
    record: where rows go.
    clusters: those that were formed last.
    warnings: sentences for the manifest.
    came_s: when a device was first there, by id.
    seated: ids of those that have had a seat.
    finishers: ids of those that have ended a round's steps.
    stragglers: ids of those that the compute deadline has stopped before.
    """

    env: Environment
    scenario: Scenario
    stations: Sequence[Station]
    learner: Learner
    medium: Medium
    record: Recorder
    clusters: tuple[tuple[int, ...], ...] = ()
    warnings: list[str] = field(default_factory=list)
    came_s: dict[int, float] = field(default_factory=dict, init=False)
    seated: set[int] = field(default_factory=set, init=False)
    finishers: set[int] = field(default_factory=set, init=False)
    stragglers: set[int] = field(default_factory=set, init=False)
    _positions_written: int = field(default=0, init=False)
    _closed: Counter[int] = field(default_factory=Counter, init=False)
    _gone: Counter[int] = field(default_factory=Counter, init=False)
    _reported: int = field(default=0, init=False)
    # For diagnostics: each device's last round and aggregation set.
    _sets: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict, init=False)

    def due(self, round_: int) -> bool:
        """Whether devices are evaluated after this round."""
        return round_ % self.scenario.evaluation.every == 0 or round_ == self.scenario.rounds

    def evaluate(self, round_: int, stations: Sequence[Station]) -> None:
        """Evaluates devices; an observation of the experimenter, so it takes no time."""
        devices = [station.id for station in stations]
        sets = self._aggregation_sets(round_, devices) if self.scenario.trace.diagnostics else None
        evaluation = self.learner.evaluate(devices, sets)
        measurements, now_s = evaluation.measurements, float(self.env.now)
        for row in evaluation_rows(measurements, now_s, round_):
            self.record.write(row)
        for answer_row in answer_rows(evaluation.sheets, round_):
            self.record.write(answer_row)
        for device in dict.fromkeys(measured.device for measured in measurements):
            self.record.event(EventKind.EVALUATE, device, round_, Cause.SCHEDULE)
        self.record.scored(round_, measurements)
        for diagnostic_row in diagnostic_rows(evaluation.diagnostics, now_s, round_):
            self.record.write(diagnostic_row)

    def _aggregation_sets(self, round_: int, devices: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Of every device that did not sit this round out, itself and its neighbours."""
        sets = {device: self._sets[device] for device in devices if device in self._sets}
        return {device: together for device, (last, together) in sets.items() if last == round_}

    def write_layers(self, device: int, layers: Sequence[LayerState]) -> None:
        """Writes what a device's mask keeps, where that is told."""
        for row in layer_rows(device, layers):
            self.record.write(row)

    def join(self, station: Station) -> None:
        """Switches a device on; it takes part from the next round that begins."""
        if station.present or station.gone:
            return
        station.present = True
        self.came_s.setdefault(station.id, float(self.env.now))
        station.meter.switch(True)
        self.record.event(EventKind.JOIN, station.id, station.round, Cause.AVAILABILITY)
        station.announce_presence()

    def leave(self, station: Station, cause: Cause, *, for_good: bool = False) -> None:
        """Switches a device off: its transmissions end, its spectrum is free, its round is lost."""
        if for_good:
            self._part_with(station)
            station.announce_presence()
        if station.present:
            station.present = False
            self.medium.cancel(station, cause)
            station.inbox.lose()
            self.learner.lose(station.id)
            station.meter.switch(False)
            self.record.event(EventKind.LEAVE, station.id, station.round, cause)
            if station.life is not None and station.life.is_alive:
                station.life.interrupt(cause)

    def retire(self, station: Station) -> None:
        """Retires a device that has ended its last round: what it still has in the air is of no
        use."""
        self.medium.cancel(station, Cause.SCHEDULE)
        if station.present:
            station.meter.switch(False)
        station.present = False
        self._part_with(station)

    def _part_with(self, station: Station) -> None:
        if not station.gone:
            station.gone = True
            self._gone[station.closed] += 1

    def somebody(self, stations: Sequence[Station]) -> Generator[Event, Any, bool]:
        """Waits until one of the devices is there; False where none will ever be again."""
        while not any(station.present for station in stations):
            if all(station.gone for station in stations):
                return False
            awaited = [station.awaited(self.env) for station in stations if not station.gone]
            yield self.env.any_of(awaited)
        return True

    def places_m(self, stations: Sequence[Station]) -> list[tuple[float, float]]:
        """The places where devices are now."""
        ids = [station.id for station in stations]
        places = self.medium.channel.positions_m(ids, float(self.env.now))
        return [(x_m, y_m) for x_m, y_m in places.tolist()]

    def close_round(
        self,
        station: Station,
        round_: int,
        place_m: tuple[float, float],
        result: RoundResult,
        seat: Seat | None,
        cause: Cause,
    ) -> None:
        """Writes a device's round that has ended now; the next row begins here."""
        now_s = float(self.env.now)
        self.record.event(EventKind.ROUND_END, station.id, round_, cause)
        self.record.write(round_row(station, round_, now_s, place_m, result.flop, result.loss))
        station.row_since_s = now_s
        if station.gone:
            self._gone[station.closed] -= 1
            self._gone[round_] += 1
        station.closed = round_
        self._closed[round_] += 1
        if seat is not None:
            self.seated.add(station.id)
            together = tuple(sorted((station.id, *seat.neighbours)))
            if self.scenario.trace.diagnostics:
                self._sets[station.id] = (round_, together)
            rates = self._collision_rates(together)
            self.record.write(TopologyRow(round_, station.id, seat.cluster, seat.size, *rates))

    def sit_out(self, station: Station, round_: int) -> None:
        """Lets a round pass without a device and without a row; its next row covers the time."""
        self._closed[round_] += 1

    def report_closed_rounds(self) -> None:
        """Tells observers of every round that all devices have closed, or are gone from."""
        while self._reported < self.scenario.rounds:
            number = self._reported + 1
            gone = sum(count for closed, count in self._gone.items() if closed < number)
            if self._closed[number] == 0 or self._closed[number] + gone < len(self.stations):
                return
            self._reported = number
            self.record.round_closed(number)

    def _collision_rates(self, together: tuple[int, ...]) -> tuple[float | None, float | None]:
        """Computes, of a device and its neighbours, the collision rate that eq. 19 predicts, and
        that of their masks."""
        described = self.learner.describe(together, True)
        predicted = None
        if described.sizes.size:
            rates = predicted_collision_rate(described.densities)
            predicted = float(np.average(rates, weights=described.sizes))
        return predicted, described.collision

    def write_positions(self) -> None:
        """Writes samples of all paths since the last call, at whole multiples of the sampling
        step."""
        step_s = self.scenario.trace.positions_every_s
        reached = int(np.floor(self.env.now / step_s)) + 1
        if reached == self._positions_written:
            return
        ids = [station.id for station in self.stations]
        span_s = (self._positions_written * step_s, (reached - 1) * step_s)
        at_once = max(POSITIONS_AT_ONCE // len(ids), 1)
        for first in range(self._positions_written, reached, at_once):
            last = min(first + at_once, reached)
            times = np.arange(first, last, dtype=np.float64) * step_s
            for row in position_rows(ids, times, self.medium.channel.paths_m(ids, times, span_s)):
                self.record.write(row)
            self._positions_written = last
            if last < reached:  # a wait of months is not to be held in memory
                self.record.spill()
