"""A device, and its state in a running world: on or off, what it has in the air, what it spends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simpy import Environment, Event, Process

from cosim.methods.workload import Workload
from cosim.mobility.availability import Spell
from cosim.mobility.trajectory import Trajectory
from cosim.scenario.profile import Profile
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.energy.meter import Meter
from cosim.simulation.inbox import Inbox
from cosim.simulation.links.transmission import Burst, Transmission


@dataclass(frozen=True)
class Device:
    """A device is as the scenario describes it; its learning state is the learner's.

    id: its number among all devices, from 0.
    group: the number of its group in the scenario, from 0.
    profile_name: the name of its profile, or where the scenario states it.
    profile: what it computes with and draws.
    trajectory: where it is when.
    spells: the times [from, until) in s at which it is there, in order; None: always.
    """

    id: int
    group: int
    profile_name: str
    profile: Profile
    trajectory: Trajectory
    spells: Iterable[Spell] | None = None

    def compute_time_s(self, work: Workload) -> float:
        """The time that a local round takes it, by its profile."""
        return compute_time_s(self.profile, work)


@dataclass(eq=False)
class Station:
    """A station is the state of one device in a running world.

    device: what the scenario says of it.
    meter: its power and energy.
    inbox: the updates that have come for it.
    present: whether it is switched on and takes part.
    gone: whether it will never take part again.
    life: the process of its present round, which a cut-off interrupts.
    round: the number of its present round.
    closed: the last round whose row is written.
    burst: what it sent last.
    row_since_s: when its next row begins.
    outgoing, incoming: its transmissions on the air, by number.
    id: its device's.
    """

    device: Device
    meter: Meter
    inbox: Inbox
    present: bool = True
    gone: bool = False
    life: Process | None = None
    round: int = 0
    closed: int = 0
    burst: Burst | None = None
    row_since_s: float = 0.0
    outgoing: dict[int, Transmission] = field(default_factory=dict)
    incoming: dict[int, Transmission] = field(default_factory=dict)
    id: int = field(init=False)
    _awaited: Event | None = None

    def __post_init__(self) -> None:
        self.id = self.device.id

    @classmethod
    def of(cls, env: Environment, device: Device, empty: Callable[[Station], None]) -> Station:
        """Makes the station of a device that is switched on; `empty` hears of its empty battery."""
        meter = Meter(env, device.profile, lambda: empty(station))
        station = cls(device, meter, Inbox(env))
        return station

    def awaited(self, env: Environment) -> Event:
        """Returns an event that fires when the device is there again, or gone for good."""
        if self._awaited is None:
            self._awaited = env.event()
        return self._awaited

    def announce_presence(self) -> None:
        """Tells whoever waits for the device."""
        if self._awaited is not None:
            awaited, self._awaited = self._awaited, None
            awaited.succeed()
