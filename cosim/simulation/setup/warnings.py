"""What a scenario's world should make its user look twice at, in sentences.

`cosim check` tells them before a run, a run's summary after it, and its manifest keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from cosim.methods.workload import Workload
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.reading import Recording
from cosim.mobility.recorded.repeat import RepeatedPath
from cosim.mobility.recorded.sift import lasting, listed
from cosim.mobility.trajectory import Trajectory
from cosim.scenario.mobility import RecordedTrace
from cosim.scenario.model import Scenario
from cosim.simulation.setup.battery_warnings import emptied
from cosim.simulation.setup.first_links import FirstLinks
from cosim.simulation.setup.named_devices import NAMED, named_devices
from cosim.simulation.setup.network_alone import unasked
from cosim.simulation.setup.radio_warnings import radio_warnings
from cosim.simulation.setup.straggler_warnings import (
    stragglers_of_a_mean_round,
    stragglers_of_every_round,
)
from cosim.simulation.setup.waiting import waits_s
from cosim.simulation.station import Device

if TYPE_CHECKING:
    from cosim.simulation.world import World

_LONG_WAIT_S = 3600.0
# Fewer jumps than these are nothing to wonder at, even where there are no walks.
_JUMPS = 3
# Places so many times further out than they are apart are coordinates of a map.
_FAR = 5.0


def world_warnings(
    scenario: Scenario,
    devices: Sequence[Device],
    work: Sequence[Workload] | None = None,
    links: FirstLinks | None = None,
    bits: int | None = None,
    modules: int = 0,
) -> list[str]:
    """Sentences about where the devices are and go, whom they reach and with what, known before the
    first event.

    work: a mean round's by device, None where it is not known yet; then a run is taken to last for
    its deadlines alone. links: those that it begins with, None where there are none. bits: of a
    first payload, None where nobody is there to send it. modules: that are adapted.
    """
    recorded = {device.id: path for device in devices if (path := _recorded(device)) is not None}
    sentences = [
        f"{recording.file.name}: {note}"
        for recording in _recordings(recorded.values())
        for note in recording.notes
    ]
    method = scenario.method
    sentences += [s for part in method.parts() if (s := part.cautions(method)) is not None]
    sentences += _oddities(list(recorded.values()))
    sentences += _outside(scenario, recorded)
    longest_s = len(method.schedule.played(1)) * scenario.radio.deadline_s
    if work is not None:
        pairs = zip(devices, work, strict=True)
        computes_s = [device.compute_time_s(of_device) for device, of_device in pairs]
        deadline_s = scenario.training.compute_deadline_s
        sentences += stragglers_of_a_mean_round(scenario, devices, computes_s)
        sentences += emptied(scenario, devices, computes_s)
        longest_s += min(max(computes_s), math.inf if deadline_s is None else deadline_s)
    sentences += _coverage(scenario, recorded, scenario.rounds * longest_s)
    sentences += _presence(devices, recorded, scenario.rounds * longest_s)
    wait_s = waits_s(scenario, devices)
    if wait_s > _LONG_WAIT_S:
        sentences.append(f"the run may wait for {lasting(wait_s)} until a device is there")
    sentences += unasked(scenario, bits)
    of_radio = {} if bits is None else radio_warnings(scenario, devices, bits, links, modules)
    sentences += [f"{name}: {sentence}" for name, sentence in of_radio.items()]
    return sentences


def closing_warnings(world: World) -> list[str]:
    """Sentences about what only the end of a run shows: traces that were over before it, and
    devices that had no part in it, or none by their compute deadline."""
    now_s = float(world.env.now)
    ids = [station.id for station in world.stations]
    absent = [device for device in ids if device not in world.came_s]
    idle = [device for device in ids if device in world.came_s and device not in world.seated]
    sentences = [f"never there: {named_devices(absent)}"] if absent else []
    if idle:
        joined = named_devices(idle, lambda device: f" (joined at {world.came_s[device]:.2f} s)")
        sentences.append(f"took part in no round: {joined}")
    sentences += stragglers_of_every_round(world.scenario, world.stragglers, world.finishers)
    still: dict[int, list[tuple[float, RecordedPath]]] = {}
    choices = _choices(world.scenario)
    for station in world.stations:
        path, choice = _recorded(station.device), choices[station.id]
        stays = choice is not None and choice.after_end == "stay" and path is not None
        if stays and not _leaves(world.scenario, station.id) and station.id in world.came_s:
            assert path is not None
            assert path.recording is not None
            recording = path.recording
            ends_s = recording.until_s if recording.complete else float(path.times_s[-1])
            if ends_s < now_s:
                still.setdefault(id(recording), []).append((ends_s, path))
    for ended in still.values():
        of = ended[0][1].recording
        assert of is not None
        lasted = sorted({now_s - max(ends_s, 0.0) for ends_s, _ in ended})
        lasted_s = " to ".join(f"{time_s:.6g}" for time_s in dict.fromkeys((lasted[0], lasted[-1])))
        sentences.append(
            f"the trace {of.file.name} ended at {of.until_s:.6g} s: "
            f"{_count(len(ended))} stood still after the last sample, for {lasted_s} s (after_end: "
            "stay)"
        )
    return sentences


def _recorded(device: Device) -> RecordedPath | None:
    path: Trajectory = device.trajectory
    if isinstance(path, RepeatedPath):
        return path.once
    return path if isinstance(path, RecordedPath) else None


def _recordings(paths: Iterable[RecordedPath]) -> list[Recording]:
    """The files that paths are of, each once."""
    return list({id(path.recording): path.recording for path in paths if path.recording}.values())


def _choices(scenario: Scenario) -> list[RecordedTrace | None]:
    """The choices of each device's group for its trace file; None where it names none."""
    return [
        group.mobility if isinstance(group.mobility, RecordedTrace) else None
        for group in scenario.devices
        for _ in range(group.count)
    ]


def _leaves(scenario: Scenario, device: int) -> bool:
    """Whether a device leaves when its samples end."""
    for group in scenario.devices:
        if device < group.count:
            return group.availability.model == "trace"
        device -= group.count
    return False


def _oddities(recorded: Sequence[RecordedPath]) -> list[str]:
    """Sentences on recorded devices that never move, that jump, and that do so more than they
    walk."""
    sentences = []
    resting = [path.name for path in recorded if not path.moves]
    if resting:
        sentences.append(f"recorded devices that never move: {listed(resting)}")
    jumps = [path.jumps for path in recorded]
    if sum(jumps):
        sentences.append(f"jumps in recorded paths (gaps and teleports take no time): {sum(jumps)}")
    jumpy = [
        f"{path.name!r} ({count} jumps, {path.walks} walks)"
        for path, count in zip(recorded, jumps, strict=True)
        if count >= _JUMPS and count > path.walks
    ]
    if jumpy:
        more = f" and {len(jumpy) - NAMED} more" if len(jumpy) > NAMED else ""
        sentences.append(
            f"recorded devices that jump more than they walk: {', '.join(jumpy[:NAMED])}{more}; "
            "max_gap_s or max_speed_m_s may be too small, or the times wrong"
        )
    return sentences


def _outside(scenario: Scenario, recorded: dict[int, RecordedPath]) -> list[str]:
    """Sentences on recorded devices that are ever outside the area, with the area that would hold
    all."""
    area = scenario.area
    within_m = area.radius_m if area.radius_m is not None else (area.side_m or 0.0) / 2.0
    reach_m = {}
    for device, path in recorded.items():
        disc = area.shape == "disc"
        far = np.hypot(path.x_m, path.y_m) if disc else np.maximum(abs(path.x_m), abs(path.y_m))
        if far.max() > within_m * (1.0 + 1e-9):
            reach_m[device] = float(far.max())
    if not reach_m:
        return []
    most_m = float(np.ceil(max(reach_m.values())))
    centred = _centred(scenario, recorded, most_m)
    larger = f"radius_m: {most_m:g}" if area.shape == "disc" else f"side_m: {2 * most_m:g}"
    return [
        f"outside the area at times: {named_devices(list(reach_m))}; one that holds them: "
        f"{{shape: {area.shape}, {larger}}}{centred}"
    ]


def _centred(scenario: Scenario, recorded: dict[int, RecordedPath], most_m: float) -> str:
    """The offset that brings places of a map's coordinates to the middle, where that is far;
    nothing where groups have been moved differently, as no single one would do."""
    low, high = (
        reduce(of, [of.reduce([path.x_m, path.y_m], axis=1) for path in recorded.values()])
        for of in (np.minimum, np.maximum)
    )
    spread_m = float((high - low).max()) / 2
    if most_m <= _FAR * max(spread_m, 1.0):
        return ""
    offsets_m = {tuple(choice.offset_m) for choice in _choices(scenario) if choice is not None}
    if len(offsets_m) > 1:
        return ""
    # The offset that is asked for has been added already.
    moved_m = np.array(offsets_m.pop()) + np.round(-(low + high) / 2)
    return f"; or bring them to its middle with offset_m: [{moved_m[0]:.9g}, {moved_m[1]:.9g}]"


def _coverage(scenario: Scenario, recorded: dict[int, RecordedPath], longest_s: float) -> list[str]:
    """Sentences on files that may be over before the run is."""
    sentences = {}
    choices = _choices(scenario) if recorded else []
    does = {
        "stay": "its devices then stay where they are",
        "away": "its devices are then away",
        "repeat": "it then begins again",
        "stop": "that ends the run",
    }
    for device, path in recorded.items():
        choice, recording = choices[device], path.recording
        if choice is None or recording is None or recording.until_s >= longest_s:
            continue
        what = does[choice.after_end]
        if choice.after_end == "stay" and _leaves(scenario, device):
            what = "its devices have left by then"
        sentences[id(recording), what] = (
            f"the trace {recording.file.name} covers {max(recording.from_s, 0.0):.6g} to "
            f"{max(recording.until_s, 0.0):.6g} s; the run may go beyond, to {longest_s:.6g} s: "
            f"{what} (after_end: {choice.after_end})"
        )
    return list(sentences.values())


def _presence(
    devices: Sequence[Device], recorded: dict[int, RecordedPath], longest_s: float
) -> list[str]:
    """Sentences on devices with recorded spells that are never there, or come late."""
    never, late = [], {}
    for device in devices:
        if not isinstance(device.spells, tuple) or device.id not in recorded:
            continue
        comes_s = next((max(since, 0.0) for since, until in device.spells if until > 0.0), None)
        if comes_s is None:
            never.append(device.id)
        elif comes_s > longest_s:
            late[device.id] = comes_s
    sentences = [f"never there by their trace: {named_devices(never)}"] if never else []
    if late:
        named = named_devices(list(late), lambda device: f" (from {late[device]:.2f} s on)")
        sentences.append(f"there only when the run may be over, after {longest_s:.6g} s: {named}")
    return sentences


def _count(devices: int) -> str:
    return f"{devices} device{'s' if devices > 1 else ''}"
