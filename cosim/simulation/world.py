"""The world: one clock, the devices in it, the air between them, and what is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from simpy import Environment

from cosim.mobility.trajectory import Trajectory
from cosim.physics.compute import compute_time_flop_s
from cosim.physics.energy import compute_energy_j, idle_energy_j
from cosim.randomness import stream
from cosim.scenario.devices import Profile
from cosim.scenario.model import Scenario
from cosim.simulation.learner import Learner
from cosim.simulation.medium import Exchange, Medium
from cosim.simulation.recorder import Recorder
from cosim.topology.collision import predicted_collision_rate
from cosim.topology.graphs import Neighbours, components, neighbours
from cosim.trace.schema import (
    Cause,
    EvaluationRow,
    EventKind,
    LayerRow,
    PositionRow,
    RoundRow,
    TopologyRow,
)


@dataclass
class Device:
    """A device as the simulation sees it; its learning state is the learner's."""

    id: int
    profile: Profile
    trajectory: Trajectory
    battery_j: float | None = None

    def compute_time_s(self, flop: float) -> float:
        """FLOP over the profile's attained FLOP/s."""
        profile = self.profile
        return float(compute_time_flop_s(flop, profile.peak_flop_s, profile.utilisation))


@dataclass(frozen=True)
class RoundResult:
    """What a round cost a device and brought it."""

    compute_s: float
    flop: int
    loss: float | None
    exchange: Exchange


@dataclass
class World:
    """Everything that a process may ask; it decides nothing by itself."""

    env: Environment
    scenario: Scenario
    devices: Sequence[Device]
    learner: Learner
    medium: Medium
    record: Recorder
    _positions_written: int = field(default=0, init=False)

    def plan(self, round_: int) -> Neighbours:
        """The round's graph, by the recipe's topology."""
        random = stream(self.scenario.seed, "topology", round_)
        ids = [device.id for device in self.devices]
        graph = neighbours(ids, self.scenario.method.topology, random)
        for device in ids:
            self.record.event(EventKind.PLAN, device, round_, Cause.SCHEDULE)
        return graph

    def evaluate(self, round_: int) -> None:
        """Scores every device; an observation of the experimenter, so it takes no time."""
        measurements = self.learner.evaluate([device.id for device in self.devices])
        for found in measurements:
            score = found.score
            self.record.write(
                EvaluationRow(
                    time_s=self.env.now,
                    round=round_,
                    device=found.device,
                    task=found.task,
                    metric=score.metric,
                    value=score.value,
                    n=score.n,
                )
            )
        for device in dict.fromkeys(found.device for found in measurements):
            self.record.event(EventKind.EVALUATE, device, round_, Cause.SCHEDULE)
        self.record.scored(round_, measurements)

    def write_layers(self, device: int) -> None:
        """What a device's mask keeps, once it has one."""
        for state in self.learner.layers(device):
            self.record.write(
                LayerRow(
                    device=device,
                    layer=state.layer,
                    module=state.module,
                    spectral_entropy=None,
                    density=state.density,
                    parameters=state.parameters,
                    active=state.active,
                )
            )

    def close_round(
        self, round_: int, start_s: float, graph: Neighbours, results: Sequence[RoundResult]
    ) -> None:
        """Writes a round that has ended now for all devices."""
        for device, result in zip(self.devices, results, strict=True):
            self.record.event(EventKind.ROUND_END, device.id, round_, Cause.NEIGHBOURS_SETTLED)
            self.record.write(self._round_row(device, round_, start_s, result))
        self._write_topology(round_, graph)
        self._write_positions()

    def _round_row(
        self, device: Device, round_: int, start_s: float, result: RoundResult
    ) -> RoundRow:
        """Times that add up to the round, and energy that is power times time.

        The device draws compute watts while it fine-tunes and idle watts otherwise; the radio's
        watts come on top for as long as each transfer is on the air.
        """
        end_s, profile, exchange = self.env.now, device.profile, result.exchange
        compute_j = float(compute_energy_j(result.compute_s, profile.compute_w))
        otherwise_s = max(end_s - start_s - result.compute_s, 0.0)
        idle_j = float(idle_energy_j(otherwise_s, profile.idle_w))
        if device.battery_j is not None:
            spent_j = compute_j + idle_j + exchange.energy_tx_j + exchange.energy_rx_j
            device.battery_j = max(device.battery_j - spent_j, 0.0)
        x_m, y_m = device.trajectory.position_m(end_s)
        return RoundRow(
            round=round_,
            device=device.id,
            start_s=start_s,
            end_s=end_s,
            compute_s=result.compute_s,
            send_s=exchange.send_s,
            wait_s=max(otherwise_s - exchange.send_s, 0.0),
            flop=float(result.flop),
            loss=result.loss,
            bits_sent=exchange.bits_sent,
            received=len(exchange.inbox),
            missed=exchange.missed,
            energy_compute_j=compute_j,
            energy_tx_j=exchange.energy_tx_j,
            energy_rx_j=exchange.energy_rx_j,
            energy_idle_j=idle_j,
            battery_j=device.battery_j,
            x_m=float(x_m),
            y_m=float(y_m),
        )

    def _write_topology(self, round_: int, graph: Neighbours) -> None:
        """Every device's cluster, a connected group of the round's graph, and the collision rate
        of its aggregation set: itself and its neighbours, as eq. 19 predicts it and as the masks
        have it."""
        rates: dict[tuple[int, ...], tuple[float | None, float | None]] = {}
        for number, group in enumerate(components(graph)):
            for device in group:
                together = tuple(sorted((device, *graph[device])))
                if together not in rates:
                    rates[together] = self._collision_rates(together)
                self.record.write(TopologyRow(round_, device, number, len(group), *rates[together]))

    def _collision_rates(self, together: tuple[int, ...]) -> tuple[float | None, float | None]:
        density, sizes = self.learner.densities(together)
        predicted = None
        if sizes.size:
            predicted = float(np.average(predicted_collision_rate(density), weights=sizes))
        return predicted, self.learner.collision(together)

    def _write_positions(self) -> None:
        """Samples of all paths since the last round, at whole multiples of the sampling step."""
        step_s = self.scenario.trace.positions_every_s
        reached = int(np.floor(self.env.now / step_s)) + 1
        times = np.arange(self._positions_written, reached) * step_s
        self._positions_written = reached
        paths = [device.trajectory.position_m(times) for device in self.devices]
        for k, time_s in enumerate(times):
            for device, path in zip(self.devices, paths, strict=True):
                x_m, y_m = path[k]
                self.record.write(PositionRow(float(time_s), device.id, float(x_m), float(y_m)))
