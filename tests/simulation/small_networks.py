"""Network-only worlds that live in memory: a fixed payload, fixed work, no torch, no files."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simpy import Environment

from cosim.learning.records import FineTuned, Outgoing
from cosim.methods.message import NOTHING_LOST, Graph, Passage, Turn
from cosim.methods.workload import Workload
from cosim.mobility.availability import Spell
from cosim.mobility.trajectory import Static, Trajectory
from cosim.scenario.model import Scenario
from cosim.simulation.learner import Learner
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.fluid import solve
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.start import start
from cosim.simulation.links.transmission import Burst, Transmission
from cosim.simulation.message import AddressedMessage
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.rounds.schedule import life
from cosim.simulation.setup import build
from cosim.simulation.setup.build import build_devices, build_learner
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.trace.schema import EventKind, EventRow, PositionRow, RoundRow, Row, TransferRow

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

# 1 MHz, Γ = 2 s and 1 W, all of it used; receivers `metres(snr)` away have that SNR.
ROUND_RADIO: dict[str, Any] = {
    "bandwidth_hz": 1.0e6,
    "deadline_s": 2.0,
    "p_max_dbm": 30.0,
    "path_loss": {"model": "paper", "exponent": 2},
    "fading": {"model": "none"},
    "power": {"policy": "max_power"},
}


def metres(snr: float) -> float:
    """Where a receiver of a sender by `ROUND_RADIO` has this SNR, in any equal share."""
    return math.sqrt(1.0 / (snr * 1.380649e-23 * 290.0 * 1.0e6 * 10**0.9))


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
    directory: Path | None = None

    def add(self, row: Row) -> None:
        """Keeps a row."""
        self.rows.append(row)

    def flush(self) -> None:
        """Rows in memory are always readable."""

    @property
    def events(self) -> list[EventRow]:
        """What happened."""
        return [row for row in self.rows if isinstance(row, EventRow)]

    def times(self, kind: EventKind, device: int) -> list[float]:
        """When something happened to a device."""
        return [row.time_s for row in self.events if (row.kind, row.device) == (kind, device)]

    @property
    def transfers(self) -> list[TransferRow]:
        """Every transmission."""
        return [row for row in self.rows if isinstance(row, TransferRow)]

    def sent(self, src: int, dst: int) -> list[TransferRow]:
        """The transmissions of one link, in the order of their ends."""
        return [row for row in self.transfers if (row.src, row.dst) == (src, dst)]

    @property
    def rounds(self) -> list[RoundRow]:
        """Every device's round."""
        return [row for row in self.rows if isinstance(row, RoundRow)]

    def rounds_of(self, device: int) -> list[RoundRow]:
        """One device's rounds."""
        return [row for row in self.rounds if row.device == device]

    @property
    def positions(self) -> list[PositionRow]:
        """Samples of the paths."""
        return [row for row in self.rows if isinstance(row, PositionRow)]


def world_of(chosen: Scenario, trace: MemoryTrace) -> World:
    """The scenario's own world."""
    return build.world_of(chosen, build_devices(chosen), build_learner(chosen), trace)


class RecordingLearner(NullLearner):
    """Each update says whose and of which round it is; what is asked of the learner is kept."""

    def __init__(self, chosen: Scenario) -> None:
        assert chosen.learning.model == "none"
        super().__init__(
            chosen.learning.payload_bits, build.given_work(chosen), chosen.adapter.density
        )
        self.submitted: list[tuple[int, int]] = []
        self.finished: list[tuple[int, int]] = []
        # Of each device's last fine-tuning, unless it was cut off.
        self.spoken: dict[int, tuple[int, int]] = {}
        self.discarded: list[tuple[int, int]] = []
        self.mixed: list[tuple[int, dict[int, Any], dict[int, int]]] = []
        # What a device knew of the round's graph, each time that it mixed.
        self.graphs: list[tuple[int, Graph]] = []

    def submit(self, device: int, round_: int) -> Any:
        """A job that tells whether it was asked for its result, or discarded."""
        if round_ == 0:
            return None
        self.submitted.append((device, round_))
        return _RecordedJob(super().submit(device, round_), self, (device, round_))

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """The scenario's bits, and who speaks in which round."""
        said = device, turn.round
        return Outgoing(said, {to: self.payload_bits(said, to) for to in receivers})

    def payload_bits(self, said: tuple[int, int], receiver: int) -> int:
        """The scenario's bits."""
        return self._bits

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload:
        """Nothing is computed."""
        return Workload.none()

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Any:
        """A job that keeps what the device mixes."""
        job = super().mix(device, inbox, ages, turn, graph)
        self.graphs.append((device, graph))
        work = self.mixing_work(device, inbox)
        return _RecordedMixing(job, self, (device, dict(inbox), dict(ages)), work)

    def mixed_by(self, device: int) -> list[tuple[dict[int, Any], dict[int, int]]]:
        """Updates by sender, and their ages, of each time that a device mixed."""
        return [(inbox, ages) for one, inbox, ages in self.mixed if one == device]


class _RecordedJob:
    def __init__(self, inner: Any, learner: RecordingLearner, key: tuple[int, int]) -> None:
        self._inner, self._learner, self._key = inner, learner, key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def result(self) -> FineTuned:
        self._learner.finished.append(self._key)
        self._learner.spoken[self._key[0]] = self._key
        return FineTuned(loss=None)

    def discard(self) -> None:
        self._learner.discarded.append(self._key)
        self._learner.spoken.pop(self._key[0], None)


class _RecordedMixing:
    def __init__(self, inner: Any, learner: RecordingLearner, key: Any, work: Workload) -> None:
        self._inner, self._learner, self._key = inner, learner, key
        self.work = work

    def result(self) -> None:
        self._inner.result()
        self._learner.mixed.append(self._key)

    def discard(self) -> None:
        self._inner.discard()


def world_at(
    chosen: Scenario,
    trace: MemoryTrace,
    paths: Sequence[Trajectory | tuple[float, float]],
    *,
    spells: Mapping[int, Iterable[Spell]] | None = None,
    learner: Learner | None = None,
) -> World:
    """The scenario's world with its devices on the given paths, or resting at given places, and
    some of them there in given spells only."""
    trajectories = [Static(*path) if isinstance(path, tuple) else path for path in paths]
    devices = [
        replace(device, trajectory=trajectory, spells=(spells or {}).get(device.id, device.spells))
        for device, trajectory in zip(build_devices(chosen), trajectories, strict=True)
    ]
    return build.world_of(chosen, devices, learner or build_learner(chosen), trace)


def transmissions(
    channel: Channel,
    sender: int,
    receivers: Sequence[int],
    bits: Sequence[int],
    start_s: float,
    round_: int,
) -> list[Transmission]:
    """What a device that sends these bits at once has in the air, solved and not played."""
    burst = Burst(Environment(), len(receivers))
    sent = [
        Transmission(
            number=number,
            turn=Turn(round_),
            sender=sender,
            message=AddressedMessage(receiver, size, None),
            burst=burst,
            start_s=start_s,
            share_hz=channel.radio.bandwidth_hz / len(receivers),
            grid=Grid(channel.radio.deadline_s, 1),
        )
        for number, (receiver, size) in enumerate(zip(receivers, bits, strict=True))
    ]
    start(channel, [sent])
    solve(channel, sent)
    return sent


def duration_s(transmission: Transmission) -> float:
    """How long a solved transmission takes; infinite where it is late."""
    assert transmission.forecast is not None
    return transmission.forecast.ends_s


def delivered_bits(transmission: Transmission) -> float:
    """What is through of a solved transmission when it ends."""
    assert transmission.forecast is not None
    return transmission.forecast.carried_bits


def mean_snr_db(transmission: Transmission) -> float:
    """Over the time that a solved transmission takes."""
    assert transmission.forecast is not None
    took_s = min(transmission.forecast.ends_s, transmission.horizon_s)
    return 10 * math.log10(transmission.forecast.snr_s / took_s)


def in_use_hz(station: Station) -> float:
    """The bandwidth that a device sends in."""
    return sum(transmission.share_hz for transmission in station.outgoing.values())


def play_to_the_end(world: World, probe: Callable[[World], None] | None = None) -> None:
    """Runs all rounds event by event, asking `probe` after each, then what is left in the heap."""
    rounds = world.env.process(life(world))
    while not rounds.processed:
        world.env.step()
        if probe is not None:
            probe(world)
    world.env.run()


def simulate(
    chosen: Scenario,
    at: Sequence[Trajectory | tuple[float, float]] | None = None,
    *,
    spells: Mapping[int, Iterable[Spell]] | None = None,
    learner: Learner | None = None,
) -> MemoryTrace:
    """The trace of a whole scenario."""
    trace = MemoryTrace()
    if at is None:
        play_to_the_end(world_of(chosen, trace))
    else:
        play_to_the_end(world_at(chosen, trace, at, spells=spells, learner=learner))
    return trace
