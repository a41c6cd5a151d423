"""A sweep file: one scenario, a grid over its paths, and seeds; all points validated at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from cosim.errors import ScenarioError
from cosim.scenario.complaints.validate import validate
from cosim.scenario.load import scenario_of, to_yaml
from cosim.scenario.model import Scenario
from cosim.scenario.overrides import assigned
from cosim.scenario.reading.document import Document, read_document
from cosim.scenario.reading.one_line import dotted, shown
from cosim.scenario.section import Section
from cosim.scenario.standing_alone import fitting_name
from cosim.sweeping.axes import GridAxis, Track, Values, axes_of, tracks_of
from cosim.sweeping.naming import point_label, point_name
from cosim.sweeping.rules import Rule, three_numbers

MAX_RUNS = 10_000
MAX_COMPLAINTS = 5

_Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
_SUFFIX = ".sweep"


class _SeedRule(Section):
    """A seed rule gives whole numbers from a first to a last."""

    range: Annotated[
        tuple[_Seed, _Seed, Annotated[int, Field(ge=1)]], three_numbers("first, last, step")
    ] = Field(description="first, last, step: both ends are seeds")

    @model_validator(mode="after")
    def _meets_its_end(self) -> Self:
        Rule.model_validate({"range": list(self.range)})
        return self


class SweepFile(Section):
    """A sweep file may hold these keys."""

    scenario: str = Field(min_length=1, description="a scenario file, from this file's folder")
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,79}$")
    seeds: Annotated[tuple[_Seed, ...], Field(min_length=1)] | _SeedRule = Field(
        description="every point runs once for each: a list, or range: [first, last, step]"
    )
    grid: dict[str, Values] = Field(
        default_factory=dict,
        description="values by path, as --set takes it: a list, a rule, or values with names; "
        "paths with commas between them take each value together",
    )
    zip: tuple[Annotated[dict[str, Values], Field(min_length=2)], ...] = Field(
        (), description="paths whose values, equally many, move together: the first with the first"
    )
    fixed: dict[str, Any] = Field(
        default_factory=dict, alias="set", description="values by path that all runs share"
    )

    @property
    def seed_track(self) -> Track:
        """The seeds as a key of a grid has its values."""
        if isinstance(self.seeds, _SeedRule):
            seeds = Rule.model_validate({"range": list(self.seeds.range)}).values()
            return Track("seeds", seeds, None, ("seeds",), listed=False)
        return Track("seeds", self.seeds, None, ("seeds",), listed=True)


@dataclass(frozen=True)
class Point:
    """A point is one run of a sweep.

    name: of the run's directory.
    values: its place in the grid, by the tracks' keys.
    seed: of the run.
    scenario: that it plays.
    document: the scenario as written, with the values assigned.
    names: what its values are called, by key, where they have been given names.
    label: what the run is called in tables, whatever its seed; None where no value has a name.
    """

    name: str
    values: Mapping[str, Any]
    seed: int
    scenario: Scenario
    document: Document = field(repr=False)
    names: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None

    @property
    def place(self) -> str:
        """What the runs of the same values share, whatever their seeds."""
        return repr(dict(self.values))


@dataclass(frozen=True)
class Sweep:
    """A sweep has points that are all valid.

    name: what its directory is called.
    scenario: path of the scenario's file.
    fixed: values by path that all runs share.
    axes: what varies.
    seeds: that every point of the grid is run with.
    points: one a run, seeds varying fastest.
    former_name: what else its directory may be called; None where there is no other.
    """

    name: str
    scenario: Path
    fixed: Mapping[str, Any]
    axes: Sequence[GridAxis]
    seeds: Sequence[int]
    points: Sequence[Point]
    former_name: str | None = None

    @property
    def tracks(self) -> list[Track]:
        """What varies, in the order of the points' values."""
        return list(tracks_of(self.axes))

    def dump(self) -> str:
        """The sweep as YAML, its scenario by absolute path."""
        head = {"name": self.name, "scenario": str(self.scenario), "set": dict(self.fixed)}
        written = [{track.key: track.written() for track in axis.tracks} for axis in self.axes]
        grid = {key: values for axis in written if len(axis) == 1 for key, values in axis.items()}
        zipped = [axis for axis in written if len(axis) > 1]
        body = {"grid": grid, **({"zip": zipped} if zipped else {})}
        return to_yaml({**head, **body, "seeds": list(self.seeds)})


def read_sweep(path: Path) -> Sweep:
    """The sweep of a file, seeds varying fastest.

    Raises ScenarioError, with the line of the sweep's file or of the scenario's, for everything
    that would keep any of the points from being a scenario.
    """
    document = read_document(path)
    if "devices" in document.data and not {"scenario", "seeds", "grid"} & document.data.keys():
        raise ScenarioError(
            f"{path}: is a scenario and no sweep; play it with: cosim run {path}; a sweep names it "
            "as 'scenario', with 'seeds' and a 'grid'"
        )
    grid = document.data.get("grid")
    if isinstance(grid, dict) and "zip" in grid:
        raise ScenarioError(
            f"{document.where(('grid', 'zip'))}: grid.zip: 'zip' stands beside 'grid' and not in "
            "it: a list of mappings, each of paths whose values move together"
        )
    file = validate(document, SweepFile)
    axes = axes_of(file.grid, file.zip)
    _refuse_repetitions(document, file, axes)
    scenario = (path.parent / file.scenario).absolute()
    points = _points(document, file, axes, path.parent / file.scenario)
    stem = fitting_name(path)
    name = file.name or stem.removesuffix(_SUFFIX) or stem
    former = stem if file.name is None and stem != name else None
    return Sweep(name, scenario, file.fixed, axes, file.seed_track.values, points, former)


def _refuse_repetitions(document: Document, file: SweepFile, axes: Sequence[GridAxis]) -> None:
    if "seed" in file.fixed:
        where = document.where(("set", "seed"))
        raise ScenarioError(f"{where}: set.seed: give them as 'seeds'")
    paths: list[str] = []
    for track in tracks_of(axes):
        for path in track.paths:
            words = ""
            if path == "seed":
                words = "give them as 'seeds'"
            elif path in file.fixed:
                words = "it is under 'set' as well"
            elif path in paths:
                words = "the grid has it twice"
            elif lost := [of for of in (*file.fixed, *paths) if of.startswith(f"{path}.")]:
                words = (
                    f"a whole '{path}' replaces what '{lost[0]}' has set before it: write that "
                    f"into each value of '{path}', or put '{lost[0]}' after it in the grid"
                )
            if words:
                section = dotted((*track.loc[:-1], path))
                raise ScenarioError(f"{document.where(track.loc)}: {section}: {words}")
            paths.append(path)
    _refuse_twice(document, [file.seed_track])
    for axis in axes:
        for track in axis.tracks[1:]:
            if len(track.values) != len(axis):
                first = axis.tracks[0]
                raise ScenarioError(
                    f"{document.where(track.loc)}: {dotted(track.loc)}: has {len(track.values)} "
                    f"values and {first.key} has {len(axis)}; what is zipped has equally many"
                )
        _refuse_twice(document, axis.tracks)
    runs = len(file.seed_track.values) * prod(len(axis) for axis in axes)
    if runs > MAX_RUNS:
        raise ScenarioError(f"{document.path}: asks for {runs} runs, more than {MAX_RUNS}")


def _refuse_twice(document: Document, tracks: Sequence[Track]) -> None:
    """Raises ScenarioError where two positions have equal values in all of the tracks."""
    former: set[tuple[str, ...]] = set()
    last = tracks[-1]
    for position, values in enumerate(zip(*(track.values for track in tracks), strict=True)):
        texts = tuple(_written(value) for value in values)
        if texts in former:
            told = " with ".join(shown(value) for value in values)
            where = document.where(last.loc_of(position))
            raise ScenarioError(f"{where}: {dotted(last.loc)}: {told} is given twice")
        former.add(texts)


def _written(value: Any) -> str:
    """The same text for equal values; 1 and 1.0 are equal, 1 and true are not."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True)


def _points(
    document: Document, file: SweepFile, axes: Sequence[GridAxis], scenario: Path
) -> list[Point]:
    base = _with_all(document, read_document(scenario), "set", file.fixed)
    varied = [track.key for track in tracks_of(axes) if len(track.values) > 1]
    seeds, points = file.seed_track, []
    lines: dict[str, str] = {}  # one line for a mistake that all values of a path share
    for positions in product(*(range(len(axis)) for axis in axes)):
        places = [
            (track, position)
            for axis, position in zip(axes, positions, strict=True)
            for track in axis.tracks
        ]
        values = {track.key: track.values[position] for track, position in places}
        names = {
            track.key: track.names[position]
            for track, position in places
            if track.names is not None
        }
        label = point_label(values, names, varied)
        for number, seed in enumerate(seeds.values):
            name = point_name(values, seed, names)
            try:
                variant = base
                for track, position in places:
                    where = document.where(track.loc_of(position))
                    for path in track.paths:
                        value = values[track.key]
                        variant = assigned(variant, path, value, where, document.path.parent)
                where = document.where(seeds.loc_of(number))
                variant = assigned(variant, "seed", seed, where, document.path.parent)
                scenario_ = scenario_of(variant)
                points.append(Point(name, values, seed, scenario_, variant, names, label))
            except ScenarioError as error:
                for text, line in _placed_lines(str(error), document, name):
                    lines.setdefault(text, line)
    complaints = list(lines.values())
    if len(complaints) > MAX_COMPLAINTS:
        complaints[MAX_COMPLAINTS:] = [f"and {len(complaints) - MAX_COMPLAINTS} more"]
    if complaints:
        raise ScenarioError("\n".join(complaints))
    assert len({point.name for point in points}) == len(points)
    return points


def _with_all(sweep: Document, scenario: Document, key: str, values: Mapping[str, Any]) -> Document:
    for path, value in values.items():
        where = sweep.where((key, path))
        scenario = assigned(scenario, path, value, where, sweep.path.parent)
    return scenario


def _placed_lines(message: str, sweep: Document, point: str) -> Iterator[tuple[str, str]]:
    """Each line of a message, without and with its place.

    A line that is not about the sweep's file says in which point it came up.
    """
    for line in message.splitlines():
        match = re.match(rf"{re.escape(str(sweep.path))}:\d+: ", line)
        yield (line[match.end() :], line) if match else (line, f"{line} (in {point})")
