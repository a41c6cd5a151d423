"""From a scenario to a world: the only place where physics, learning and devices meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cosim.host.collector import uncollected
from cosim.methods.workload import Workload
from cosim.mobility.area import Area, Disc, Square
from cosim.scenario.model import Scenario
from cosim.scenario.origins import failures_told
from cosim.simulation.event_loop import EventLoop
from cosim.simulation.learner import Learner, OwnedLearner
from cosim.simulation.links.channel import Channel
from cosim.simulation.medium import Medium
from cosim.simulation.message import AddressedMessage
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.observer import Observer
from cosim.simulation.recorder import Recorder, TraceSink
from cosim.simulation.setup.equipment import equipment
from cosim.simulation.setup.first_links import first_links
from cosim.simulation.setup.observers import named_observers
from cosim.simulation.setup.placement import presence, trajectories
from cosim.simulation.setup.warnings import world_warnings
from cosim.simulation.station import Device, Station
from cosim.simulation.world import World
from cosim.trace.schema import Cause


def build_devices(scenario: Scenario) -> list[Device]:
    """Builds the devices with consecutive ids, group by group; each owns its mobility stream.

    Raises `CosimError` for movement that does not fit the scenario, or a profile's file that
    cannot be used.
    """
    with failures_told(scenario):
        paths = trajectories(scenario, area_of(scenario))
    parts = zip(equipment(scenario), paths, presence(scenario, paths), strict=True)
    return [
        Device(number, kit.group, kit.name, kit.profile, path, spells)
        for number, (kit, path, spells) in enumerate(parts)
    ]


def build_learner(scenario: Scenario) -> OwnedLearner:
    """Builds the scenario's learner: the base model loaded, the tasks read and encoded.

    Its method's parts have been told how fast devices agree, where they ask. Raises `CosimError`
    for a model or a task that cannot be used.
    """
    if scenario.learning.model == "none":
        return NullLearner(
            scenario.learning.payload_bits,
            given_work(scenario),
            scenario.adapter.density if scenario.method.expansion.masked else None,
            scenario.adapter.bits_per_value,
        )
    with uncollected():  # torch comes with it
        from cosim.learning.prepare import prepare

    return prepare(scenario)


def world_of(
    scenario: Scenario,
    devices: Sequence[Device],
    learner: Learner,
    trace: TraceSink,
    observers: Sequence[Observer] = (),
) -> World:
    """Builds a world at time zero with the given devices in it."""
    env = EventLoop()
    record = Recorder(env, trace, [*observers, *_named_observers(scenario, trace)])
    channel = channel_of(scenario, devices)

    def empty(station: Station) -> None:
        world.leave(station, Cause.BATTERY_EMPTY, for_good=True)

    def arrived(message: AddressedMessage) -> None:
        if not message.brief:
            learner.hear(message.receiver, message.content)

    stations = [Station.of(env, device, empty) for device in devices]
    medium = Medium(env, channel, stations, record, arrived)
    world = World(env, scenario, stations, learner, medium, record)
    work = [given_work(scenario)] * len(devices) if scenario.learning.model == "none" else None
    links, bits, modules = None, None, 0
    if devices:
        # Those of the largest density, and before links limit them: what `cosim check` counts.
        description = learner.describe([device.id for device in devices])
        bits, modules = max(description.first_bits), len(description.sizes)
        links = first_links(scenario, devices, channel, bits)
    warnings = world_warnings(scenario, devices, work, links, bits, modules)
    world.warnings = [*warnings, *learner.warnings]
    return world


def channel_of(scenario: Scenario, devices: Sequence[Device]) -> Channel:
    """The air between the given devices."""
    with failures_told(scenario):
        return Channel(scenario.radio, [device.trajectory for device in devices], scenario.seed)


def _named_observers(scenario: Scenario, trace: TraceSink) -> Iterator[Observer]:
    if scenario.trace.observers:
        yield from named_observers(scenario, trace.directory)


def area_of(scenario: Scenario) -> Area:
    """The area as geometry."""
    area = scenario.area
    if area.shape == "disc":
        assert area.radius_m is not None
        return Disc(area.radius_m)
    assert area.side_m is not None
    return Square(area.side_m)


def given_work(scenario: Scenario) -> Workload:
    """The work of a round where nothing is learnt: the scenario's FLOP, and Q as the payload has
    it."""
    learning, training = scenario.learning, scenario.training
    assert learning.model == "none"
    return Workload(
        flop=learning.flop,
        passes=training.steps,
        steps=training.steps,
        samples=training.steps * training.batch_size,
        trained=learning.payload_bits // scenario.adapter.bits_per_value,
    )
