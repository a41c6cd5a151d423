"""From a scenario to a world: the only place where physics, learning and devices meet."""

from __future__ import annotations

from collections.abc import Sequence

from simpy import Environment

from cosim.mobility.area import Area, Disc, Square
from cosim.scenario.catalogue import catalogue
from cosim.scenario.devices import DeviceGroup, Profile
from cosim.scenario.model import Scenario
from cosim.simulation.channel import Channel
from cosim.simulation.learner import Learner, NullLearner
from cosim.simulation.medium import Medium
from cosim.simulation.place import tell_oddities, trajectories
from cosim.simulation.recorder import Observer, Recorder, TraceSink
from cosim.simulation.world import Device, World


def build_devices(scenario: Scenario) -> list[Device]:
    """Devices with consecutive ids, group by group; each owns its mobility stream.

    Raises `CosimError` for movement that does not fit the scenario.
    """
    paths = trajectories(scenario, area_of(scenario))
    profiles = [profile_of(group) for group in scenario.devices for _ in range(group.count)]
    return [
        Device(number, profile, path, profile.battery_j)
        for number, (profile, path) in enumerate(zip(profiles, paths, strict=True))
    ]


def build_learner(scenario: Scenario) -> Learner:
    """The scenario's learner: the base model loaded, the tasks read and encoded.

    Raises `CosimError` for a model or a task that cannot be used.
    """
    if scenario.learning.model == "none":
        return NullLearner(scenario.learning.payload_bits, scenario.learning.flop)
    from cosim.learning.prepare import prepare

    return prepare(scenario)


def build_world(
    scenario: Scenario, learner: Learner, trace: TraceSink, observers: Sequence[Observer] = ()
) -> World:
    """A world at time zero."""
    env = Environment()
    devices = build_devices(scenario)
    tell_oddities(device.trajectory for device in devices)
    record = Recorder(env, trace, observers)
    channel = Channel(scenario.radio, [d.trajectory for d in devices], scenario.seed)
    medium = Medium(env, channel, {d.id: d.profile for d in devices}, record)
    return World(env, scenario, devices, learner, medium, record)


def area_of(scenario: Scenario) -> Area:
    """The area as geometry."""
    area = scenario.area
    if area.shape == "disc":
        assert area.radius_m is not None
        return Disc(area.radius_m)
    assert area.side_m is not None
    return Square(area.side_m)


def profile_of(group: DeviceGroup) -> Profile:
    """A group's profile, looked up in the catalogue where it is named."""
    named = group.profile
    return catalogue()[named] if isinstance(named, str) else named
