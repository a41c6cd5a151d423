"""Network-only worlds that live in memory: a fixed payload, fixed work, no torch, no files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simpy import Environment

from cosim.mobility.trajectory import Static, Trajectory
from cosim.scenario.model import Scenario
from cosim.simulation.build import build_devices, build_learner, build_world
from cosim.simulation.channel import Channel
from cosim.simulation.medium import Medium
from cosim.simulation.recorder import Recorder
from cosim.simulation.schedule import synchronous
from cosim.simulation.world import World
from cosim.trace.schema import EventRow, PositionRow, RoundRow, Row, TransferRow

# Round figures for calculations by hand; nothing in a test should hang on a catalogue's numbers.
PROFILE: dict[str, Any] = {
    "peak_flop_s": 1.0e12,
    "utilisation": 0.5,
    "compute_w": 5.0,
    "idle_w": 0.5,
    "pa_efficiency": 0.4,
    "transmit_circuit_w": 0.25,
    "receive_w": 0.75,
}
ZERO_MARGIN = {"policy": "lemma1", "margin_db": 0}
NO_LEARNING = {"model": "none", "payload_bits": 4_000_000, "flop": 1.0e12}


def scenario(**sections: Any) -> Scenario:
    """Two static devices, one round, the complete graph; any section can be given."""
    data: dict[str, Any] = {
        "rounds": 1,
        "learning": NO_LEARNING,
        "method": "proposed_single_cluster",
        "devices": [{"count": 2, "profile": PROFILE, "mobility": {"model": "static"}}],
        "radio": {"fading": {"model": "none"}},
    }
    return Scenario.model_validate(data | sections)


def method(topology: Any) -> Any:
    """A method over the given graph."""
    if topology == "none":
        return "local"
    return {"name": "proposed_single_cluster", "topology": topology}


@dataclass
class MemoryTrace:
    """A trace sink that keeps every row in order."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Keeps a row."""
        self.rows.append(row)

    def flush(self) -> None:
        """Rows in memory are always readable."""

    @property
    def events(self) -> list[EventRow]:
        """What happened."""
        return [row for row in self.rows if isinstance(row, EventRow)]

    @property
    def transfers(self) -> list[TransferRow]:
        """Every transmission."""
        return [row for row in self.rows if isinstance(row, TransferRow)]

    @property
    def rounds(self) -> list[RoundRow]:
        """Every device's round."""
        return [row for row in self.rows if isinstance(row, RoundRow)]

    @property
    def positions(self) -> list[PositionRow]:
        """Samples of the paths."""
        return [row for row in self.rows if isinstance(row, PositionRow)]


def world_of(chosen: Scenario, trace: MemoryTrace) -> World:
    """The scenario's own world."""
    return build_world(chosen, build_learner(chosen), trace)


def world_at(
    chosen: Scenario, trace: MemoryTrace, paths: Sequence[Trajectory | tuple[float, float]]
) -> World:
    """The scenario's world with its devices on the given paths, or resting at given places."""
    env = Environment()
    trajectories = [Static(*path) if isinstance(path, tuple) else path for path in paths]
    devices = [
        replace(device, trajectory=trajectory)
        for device, trajectory in zip(build_devices(chosen), trajectories, strict=True)
    ]
    record = Recorder(env, trace, ())
    channel = Channel(chosen.radio, trajectories, chosen.seed)
    medium = Medium(env, channel, {d.id: d.profile for d in devices}, record)
    return World(env, chosen, devices, build_learner(chosen), medium, record)


def play_to_the_end(world: World, probe: Callable[[World], None] | None = None) -> None:
    """Runs all rounds event by event, asking `probe` after each, then what is left in the heap."""
    rounds = world.env.process(synchronous(world))
    while not rounds.processed:
        world.env.step()
        if probe is not None:
            probe(world)
    world.env.run()


def simulate(
    chosen: Scenario, at: Sequence[Trajectory | tuple[float, float]] | None = None
) -> MemoryTrace:
    """The trace of a whole scenario."""
    trace = MemoryTrace()
    play_to_the_end(world_of(chosen, trace) if at is None else world_at(chosen, trace, at))
    return trace
