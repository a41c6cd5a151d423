"""A sweep file: one scenario, a grid over its paths, and seeds; all points validated at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from cosim.errors import ScenarioError
from cosim.scenario.complaints.validate import validate
from cosim.scenario.load import fitting_name, scenario_of, to_yaml
from cosim.scenario.model import Scenario
from cosim.scenario.reading.document import Document, read_document
from cosim.scenario.reading.one_line import shown
from cosim.scenario.reading.overrides import assigned
from cosim.scenario.section import Section
from cosim.sweep.naming import point_name

MAX_RUNS = 10_000
MAX_COMPLAINTS = 5

_Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Values = Annotated[tuple[Any, ...], Field(min_length=1)]


class SweepFile(Section):
    """What a sweep file may say."""

    scenario: str = Field(min_length=1, description="a scenario file, from this file's folder")
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,79}$")
    seeds: tuple[_Seed, ...] = Field(min_length=1, description="every point runs once for each")
    grid: dict[str, _Values] = Field(
        default_factory=dict,
        description="lists of values by path, as --set takes it; paths with commas between them "
        "take each value together",
    )
    fixed: dict[str, Any] = Field(
        default_factory=dict, alias="set", description="values by path that all runs share"
    )


@dataclass(frozen=True)
class Point:
    """A point is one run: its place in the grid, the scenario that it plays, the name of its
    directory."""

    name: str
    values: Mapping[str, Any]
    seed: int
    scenario: Scenario
    document: Document = field(repr=False)


@dataclass(frozen=True)
class Sweep:
    """A sweep has points that are all valid."""

    name: str
    scenario: Path
    fixed: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    points: Sequence[Point]

    def dump(self) -> str:
        """The sweep as YAML, its scenario by absolute path."""
        head = {"name": self.name, "scenario": str(self.scenario), "set": dict(self.fixed)}
        grid = {path: list(values) for path, values in self.grid.items()}
        return to_yaml({**head, "grid": grid, "seeds": list(self.seeds)})


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
    file = validate(document, SweepFile)
    _refuse_repetitions(document, file)
    scenario = (path.parent / file.scenario).absolute()
    points = _points(document, file, path.parent / file.scenario)
    return Sweep(
        file.name or fitting_name(path), scenario, file.fixed, file.grid, file.seeds, points
    )


def paths_of(key: str) -> list[str]:
    """The paths of a grid's key, which take its values together."""
    return [path.strip() for path in key.split(",")]


def _refuse_repetitions(document: Document, file: SweepFile) -> None:
    if "seed" in file.fixed:
        where = document.where(("set", "seed"))
        raise ScenarioError(f"{where}: set.seed: give them as 'seeds'")
    paths: list[str] = []
    for key in file.grid:
        for path in paths_of(key):
            words = ""
            if path == "seed":
                words = "give them as 'seeds'"
            elif path in file.fixed:
                words = "it is under 'set' as well"
            elif path in paths:
                words = "the grid has it twice"
            if words:
                raise ScenarioError(f"{document.where(('grid', key))}: grid.{path}: {words}")
            paths.append(path)
    lists: list[tuple[tuple[str, ...], Sequence[Any]]] = [(("seeds",), file.seeds)]
    lists += [(("grid", path), values) for path, values in file.grid.items()]
    for loc, values in lists:
        texts = [_written(value) for value in values]
        for number, text in enumerate(texts):
            if text in texts[:number]:
                where = document.where((*loc, number))
                raise ScenarioError(
                    f"{where}: {'.'.join(loc)}: {shown(values[number])} is given twice"
                )
    runs = len(file.seeds) * prod(len(values) for values in file.grid.values())
    if runs > MAX_RUNS:
        raise ScenarioError(f"{document.path}: asks for {runs} runs, more than {MAX_RUNS}")


def _written(value: Any) -> str:
    """The same text for equal values; 1 and 1.0 are equal, 1 and true are not."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True)


def _points(document: Document, file: SweepFile, scenario: Path) -> list[Point]:
    base = _with_all(document, read_document(scenario), "set", file.fixed)
    points = []
    lines: dict[str, str] = {}  # one line for a mistake that all values of a path share
    for numbers in product(*(range(len(values)) for values in file.grid.values())):
        positions = dict(zip(file.grid, numbers, strict=True))
        values = {path: file.grid[path][number] for path, number in positions.items()}
        for seed in file.seeds:
            name = point_name(values, seed)
            try:
                variant = base
                for key, number in positions.items():
                    where = document.where(("grid", key, number))
                    for path in paths_of(key):
                        variant = assigned(variant, path, values[key], where, document.path.parent)
                where = document.where(("seeds", file.seeds.index(seed)))
                variant = assigned(variant, "seed", seed, where, document.path.parent)
                points.append(Point(name, values, seed, scenario_of(variant), variant))
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
