"""Where the scenario's devices are and go: one trajectory each, by their group's mobility."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from cosim.errors import MobilityError, ScenarioError
from cosim.mobility.area import Area
from cosim.mobility.availability import Afresh, Spell, ended, exponential_spells, repeated
from cosim.mobility.gauss_markov import gauss_markov
from cosim.mobility.grid import grid
from cosim.mobility.random_waypoint import random_waypoint
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import read_trace
from cosim.mobility.recorded.reading import TraceReading
from cosim.mobility.recorded.repeat import RepeatedPath
from cosim.mobility.trajectory import Static, Trajectory
from cosim.randomness import stream
from cosim.scenario.availability import Always, AsRecorded, ExponentialOnOff
from cosim.scenario.devices import DeviceGroup
from cosim.scenario.mobility import (
    GaussMarkov,
    Mobility,
    RandomWaypoint,
    RecordedTrace,
    StaticMobility,
)
from cosim.scenario.model import Scenario
from cosim.scenario.outside.mobility import Mobility as OutsideMobility
from cosim.scenario.reading.paths import expanded
from cosim.simulation.setup.outside_paths import outside_paths
from cosim.spelling import did_you_mean

_NAMED = 5


def trajectories(scenario: Scenario, area: Area) -> list[Trajectory]:
    """The trajectory of every device, in the order of the ids.

    Devices that draw have a stream each, and groups on a grid share one grid. Groups that name
    the same trace file never get the same device of it. ScenarioError or MobilityError, beginning
    with the path in the scenario, for a model that does not fit the area, or a file that cannot
    be used.
    """
    squares = iter(_grid_of(scenario, area))
    files = _TraceFiles()
    paths: list[Trajectory] = []
    for number, group in enumerate(scenario.devices):
        ids = range(len(paths), len(paths) + group.count)
        where = f"devices.{number}.mobility"
        match group.mobility:
            case StaticMobility():
                paths += _resting(group.mobility, area, scenario.seed, ids, squares, where)
            case RandomWaypoint(speed_m_s=speed, pause_s=pause):
                for device in ids:
                    random = stream(scenario.seed, "mobility", device)
                    paths.append(random_waypoint(area, random, speed_m_s=speed, pause_s=pause))
            case GaussMarkov():
                paths += _gauss_markov(group.mobility, area, scenario.seed, ids, where)
            case RecordedTrace():
                recorded = files.take(group.mobility, group, where)
                paths += _as_they_go_on(group.mobility, recorded, where)
            case OutsideMobility():
                paths += outside_paths(group.mobility, area, scenario.seed, ids, where)
    return paths


def presence(scenario: Scenario, paths: Sequence[Trajectory]) -> Iterator[Iterable[Spell] | None]:
    """The spells at which each device is there, in the order of the ids; None: always."""
    groups = [group for group in scenario.devices for _ in range(group.count)]
    ends_s = [_ends_s(group.mobility, path) for group, path in zip(groups, paths, strict=True)]
    stops_s = min(
        (
            end_s
            for group, end_s in zip(groups, ends_s, strict=True)
            if isinstance(group.mobility, RecordedTrace) and group.mobility.after_end == "stop"
        ),
        default=math.inf,
    )
    for device, (group, path, end_s) in enumerate(zip(groups, paths, ends_s, strict=True)):
        spells = _spells(scenario.seed, device, group, path)
        last_s = min(end_s, stops_s)
        if math.isinf(last_s):
            yield spells
        elif isinstance(group.availability, ExponentialOnOff):
            yield Afresh(partial(ended, spells, last_s))
        else:
            yield tuple(ended(spells, last_s))


def _spells(seed: int, device: int, group: DeviceGroup, path: Trajectory) -> Iterable[Spell] | None:
    """The spells at which a device is there, were its trace without end."""
    match group.availability:
        case Always():
            return None
        case ExponentialOnOff(mean_on_s=on_s, mean_off_s=off_s):
            return Afresh(
                lambda: exponential_spells(stream(seed, "availability", device), on_s, off_s)
            )
        case AsRecorded():
            if isinstance(path, RepeatedPath):
                return Afresh(partial(repeated, path.once.presence_s, path.period_s))
            assert isinstance(path, RecordedPath)
            return path.presence_s


def _ends_s(mobility: Mobility, path: Trajectory) -> float:
    """The time in s at which a device is away for good because its file has ended; infinite:
    never."""
    if isinstance(mobility, RecordedTrace) and mobility.after_end in ("away", "stop"):
        assert isinstance(path, RecordedPath)
        assert path.recording is not None
        return path.recording.until_s
    return math.inf


def _as_they_go_on(
    mobility: RecordedTrace, paths: Sequence[RecordedPath], where: str
) -> Iterator[Trajectory]:
    """The paths, beginning again where the scenario says so."""
    for path in paths:
        if mobility.after_end != "repeat":
            yield path
            continue
        assert path.recording is not None
        if path.recording.until_s <= 0.0:
            raise MobilityError(
                f"{where}.after_end: {path.recording.file} ends at {path.recording.until_s:g} s of "
                "the run, so that nothing can be repeated; see time_origin"
            )
        yield RepeatedPath(path, path.recording.until_s)


def _grid_of(scenario: Scenario, area: Area) -> Iterator[tuple[float, float]]:
    counts = [
        group.count
        for group in scenario.devices
        if isinstance(group.mobility, StaticMobility) and group.mobility.placement == "grid"
    ]
    for x_m, y_m in grid(area, sum(counts)) if counts else ():
        yield float(x_m), float(y_m)


def _resting(
    mobility: StaticMobility,
    area: Area,
    seed: int,
    ids: Iterable[int],
    squares: Iterator[tuple[float, float]],
    where: str,
) -> Iterator[Static]:
    for index, device in enumerate(ids):
        if mobility.placement == "grid":
            yield Static(*next(squares))
        elif mobility.positions_m is not None:
            x_m, y_m = mobility.positions_m[index]
            if not area.contains((x_m, y_m)):
                raise ScenarioError(
                    f"{where}.positions_m.{index}: [{x_m:g}, {y_m:g}] is outside the area, which "
                    "is centred at [0, 0]"
                )
            yield Static(x_m, y_m)
        else:
            x_m, y_m = area.uniform(stream(seed, "mobility", device), 1)[0]
            yield Static(float(x_m), float(y_m))


def _gauss_markov(
    mobility: GaussMarkov, area: Area, seed: int, ids: Iterable[int], where: str
) -> Iterator[Trajectory]:
    for device in ids:
        try:
            yield gauss_markov(
                area,
                stream(seed, "mobility", device),
                mean_speed_m_s=mobility.mean_speed_m_s,
                sigma_m_s=mobility.sigma_m_s,
                memory_s=mobility.memory_s,
                step_s=mobility.step_s,
            )
        except ValueError as error:
            raise ScenarioError(f"{where}.{error}") from error


def _listed(paths: Mapping[str, RecordedPath], file: Path, name: str) -> str:
    """The devices of a file, the one whose name is nearest, and what was left out of it."""
    names = ", ".join([*list(paths)[:_NAMED], *["…"][: len(paths) > _NAMED]])
    recording = next(iter(paths.values())).recording
    notes = "".join(f"; {note}" for note in recording.notes) if recording is not None else ""
    return f"the {len(paths)} devices of {file} ({names}){did_you_mean(name, paths)}{notes}"


class _TraceFiles:
    """The trace files that the groups name, each read once, and who has which device of them."""

    def __init__(self) -> None:
        self._read: dict[tuple[Path, TraceReading], Mapping[str, RecordedPath]] = {}
        self._taken: dict[Path, dict[str, str]] = {}

    def take(self, mobility: RecordedTrace, group: DeviceGroup, where: str) -> list[RecordedPath]:
        """The group's paths: the named devices, else the next that no group before it has."""
        file = expanded(mobility.path)
        reading = TraceReading(
            format=mobility.format,
            time_origin=mobility.time_origin,
            max_gap_s=mobility.max_gap_s,
            max_speed_m_s=mobility.max_speed_m_s,
            offset_m=mobility.offset_m,
            centre_deg=mobility.centre_deg,
            degrees=mobility.degrees,
            untimed=mobility.untimed,
            columns=tuple(mobility.columns.items()),
            separator=mobility.separator,
        )
        try:
            if (file, reading) not in self._read:
                self._read[file, reading] = read_trace(file, reading)
        except MobilityError as error:
            raise MobilityError(f"{where}.path: {error}") from error
        paths, owners = self._read[file, reading], self._taken.setdefault(file, {})
        if mobility.device_ids is None:
            names = [name for name in paths if name not in owners][: group.count]
            if len(names) < group.count:
                others = f", {len(owners)} of them taken by groups before" if owners else ""
                raise MobilityError(
                    f"{where}.path: {file}: has {len(paths)} devices{others}; the group has "
                    f"{group.count}"
                )
        else:
            names = [str(name) for name in mobility.device_ids]
        for index, name in enumerate(names):
            at = f"{where}.device_ids.{index}: {name!r}"
            if name not in paths:
                plain = [
                    other for other in paths if _as_number(other) == _as_number(name) is not None
                ]
                quote = f'; quote it as it is there: "{plain[0]}"' if plain else ""
                raise MobilityError(f"{at} is not one of {_listed(paths, file, name)}{quote}")
            if name in owners:
                raise MobilityError(f"{at} is taken already, by {owners[name]}")
            owners[name] = where.removesuffix(".mobility")
        return [paths[name] for name in names]


def _as_number(name: str) -> float | None:
    """The number that YAML may have made of a device's name."""
    try:
        return float(name)
    except ValueError:
        return None
