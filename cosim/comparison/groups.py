"""Runs that differ in their seed alone are one group; groups are compared seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any, NamedTuple

from cosim.comparison.figures import Figures, figures_of
from cosim.errors import RunDirectoryError
from cosim.scenario.reading.differences import flat
from cosim.scenario.reading.one_line import number_text, short_paths, shorten
from cosim.scenario.reading.yaml_text import TextError, parse, plain
from cosim.trace.manifest import Status
from cosim.trace.reader import Run

# What may differ between runs of one group.
_OWN = ("seed", "name")

# Beyond this many differences a label that lists them is no label.
_TELLING_AT_MOST = 6


class Estimate(NamedTuple):
    """An estimate is a mean over seeds.

    mean: the mean.
    half_width: of its 95 % interval (Student's t); None for one seed.
    n: seeds.
    """

    mean: float
    half_width: float | None
    n: int


@dataclass
class Group:
    """A group is the runs of one scenario under several seeds.

    setting: the scenario but for its seed, path → value.
    runs: the runs, by seed.
    figures: their numbers, by seed.
    label: what the group is called.
    """

    setting: Mapping[str, Any]
    runs: dict[int, Run] = field(default_factory=dict)
    figures: dict[int, Figures] = field(default_factory=dict)
    label: str = ""

    def estimate(self, figure: str) -> Estimate | None:
        """Mean of a figure over the seeds; None unless every run of the group has it."""
        return estimate([getattr(figures, figure) for figures in self.figures.values()])

    def difference(self, other: Group, figure: str) -> Estimate | None:
        """Mean over the seeds of both groups of this one's figure minus the other's."""
        seeds = [seed for seed in self.figures if seed in other.figures]
        pairs = [
            (getattr(self.figures[s], figure), getattr(other.figures[s], figure)) for s in seeds
        ]
        return estimate([None if None in (a, b) else a - b for a, b in pairs])


@dataclass(frozen=True)
class Comparison:
    """A comparison sets groups of runs beside each other.

    groups: in the order given.
    notes: sentences about what could not be counted.
    """

    groups: Sequence[Group]
    notes: Sequence[str]

    def rows(self) -> list[dict[str, Any]]:
        """A row a run: label, seed, directory and every figure."""
        return [
            {
                "label": group.label,
                "method": run.manifest["method"],
                "seed": seed,
                **asdict(group.figures[seed]),
                "directory": str(run.directory),
            }
            for group in self.groups
            for seed, run in group.runs.items()
        ]


def compare(
    runs: Sequence[Run], target: float | None = None, notes: Sequence[str] = ()
) -> Comparison:
    """Groups runs by everything but their seed; `notes` stand before what is found out here.

    Runs that are not completed are left out and told of, as are seeds that a group lacks. Raises
    RunDirectoryError where no completed run is given or a run cannot be read.
    """
    notes = list(notes)
    groups: dict[str, Group] = {}
    for run in runs:
        status = run.manifest.get("status")
        if status != Status.COMPLETED:
            notes.append(f"left out, {status}: {run.directory}")
            continue
        setting = _setting(run)
        group = groups.setdefault(repr(sorted(setting.items(), key=str)), Group(setting))
        seed = int(run.manifest["seed"])
        if seed in group.runs:
            same = group.runs[seed].manifest["results_sha256"] == run.manifest["results_sha256"]
            words = "with the same results" if same else "WITH OTHER RESULTS"
            first = group.runs[seed].directory
            notes.append(f"left out, repeats {first} {words}: {run.directory}")
            continue
        group.runs[seed] = run
        group.figures[seed] = figures_of(run, target)
    if not groups:
        raise RunDirectoryError("There is no completed run to compare." + _listed(notes))
    every_group = list(groups.values())
    _label(every_group)
    seeds = sorted({seed for group in every_group for seed in group.runs})
    for group in every_group:
        missing = [str(seed) for seed in seeds if seed not in group.runs]
        if missing:
            plural = "s" if len(missing) > 1 else ""
            notes.append(f"missing seed{plural} {', '.join(missing)}: {group.label}")
    for group in every_group:
        reached = [figures.to_target_s is not None for figures in group.figures.values()]
        if target is not None and not all(reached):
            ratio = f"{sum(reached)} of {len(reached)} runs"
            notes.append(f"reached {target:g} in {ratio}: {group.label}")
    return Comparison(every_group, notes)


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Mean and 95 % interval of what each seed gave; None where any or all of them are missing."""
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    n = len(present)
    if n == 1:
        return Estimate(present[0], None, 1)
    from scipy.stats import t

    return Estimate(fmean(present), float(t.ppf(0.975, n - 1)) * stdev(present) / math.sqrt(n), n)


def _setting(run: Run) -> dict[str, Any]:
    try:
        node = parse(run.scenario_text)
    except TextError as error:
        raise RunDirectoryError(f"{run.directory}: its scenario is not YAML: {error}.") from error
    data = None if node is None else plain(node)
    return {path: value for path, value in flat(data).items() if path not in _OWN}


def _label(groups: Sequence[Group]) -> None:
    """The method, and what else tells the groups apart, by the shortest end of its path.

    A part of a method is told only where groups of that method differ in it.
    """
    paths = dict.fromkeys(path for group in groups for path in group.setting)
    telling: dict[str, set[str]] = {}  # path → the methods whose groups differ in it
    for path in paths:
        values: dict[str, set[str]] = {}
        for group in groups:
            alike = _method(group) if path.startswith("method.") else ""
            values.setdefault(alike, set()).add(repr(group.setting.get(path)))
        if differing := {alike for alike, variants in values.items() if len(variants) > 1}:
            telling[path] = differing
    short = short_paths(telling)
    for group in groups:
        parts = [
            f"{short[path]}={_word(group.setting[path])}"
            for path, methods in telling.items()
            if methods & {"", _method(group)} and group.setting.get(path) is not None
        ]
        group.label = " ".join([_method(group), *parts])
    # Scenarios that have little in common are told apart by what somebody called them.
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(_name(group), []).append(group)
    if len(telling) > _TELLING_AT_MOST and len(by_name) > 1:
        for name, namesakes in by_name.items():
            _label(namesakes)
            for group in namesakes:
                group.label = f"{name}: {group.label}"


def _name(group: Group) -> str:
    return str(next(iter(group.runs.values())).manifest["name"])


def _word(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else shorten(str(value), 40)


def _method(group: Group) -> str:
    return str(group.setting.get("method.name", "?"))


def _listed(notes: Sequence[str]) -> str:
    return "".join(f"\n{note}" for note in notes)
