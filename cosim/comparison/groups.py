"""Runs that differ in their seed alone are one group; groups are compared seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cosim.comparison.budgets import Budget
from cosim.comparison.figures import figures_of
from cosim.comparison.group import Group
from cosim.comparison.labels import label
from cosim.comparison.measures import Measure, measures
from cosim.comparison.twins import differing, twin_of
from cosim.comparison.unlike import alike_without_learning, unlike
from cosim.errors import RunDirectoryError
from cosim.scenario.reading.differences import flat
from cosim.scenario.reading.yaml_text import Node, TextError, parse, plain
from cosim.trace.manifest import Status
from cosim.trace.reader import Run
from cosim.trace.standing import STOPPED, how_to_go_on, standing

# What may differ between runs of one group.
_OWN = ("seed", "name")
# What tells one variant of a mapping from another: a part's word, a model's name.
_WORD_KEYS = ("name", "graph", "model", "policy")


@dataclass(frozen=True)
class Comparison:
    """A comparison sets groups of runs beside each other.

    groups: in the order given.
    notes: sentences about what could not be counted.
    measures: what is compared.
    """

    groups: Sequence[Group]
    notes: Sequence[str]
    measures: Sequence[Measure]

    def rows(self) -> list[dict[str, Any]]:
        """A row a run: label, seed, directory and every figure."""
        return [
            {
                "label": group.label,
                "method": run.manifest["method"],
                "seed": seed,
                **group.figures[seed].values(),
                "directory": str(run.directory),
            }
            for group in self.groups
            for seed, run in group.runs.items()
        ]


def compare(
    runs: Sequence[Run],
    target: float | None = None,
    notes: Sequence[str] = (),
    *,
    budgets: Sequence[Budget] = (),
    against: Sequence[Run] = (),
    called: Mapping[Path, str] | None = None,
) -> Comparison:
    """Groups runs by everything but their seed; `notes` stand before what is found out here.

    Runs that are not completed are left out and told of, as are seeds that a group lacks. against:
    runs among which each group has its twin. called: what somebody has called runs, by directory.
    Raises RunDirectoryError where no completed run is
    given or a run cannot be read.
    """
    notes = list(notes)
    groups = _grouped(runs, target, budgets, notes)
    if not groups:
        raise RunDirectoryError("There is no completed run to compare." + _listed(notes))
    label(groups, called or {})
    notes += [*unlike(groups), *alike_without_learning(groups)]
    seeds = sorted({seed for group in groups for seed in group.runs})
    for group in groups:
        missing = [str(seed) for seed in seeds if seed not in group.runs]
        if missing:
            plural = "s" if len(missing) > 1 else ""
            notes.append(f"missing seed{plural} {', '.join(missing)}: {group.label}")
    notes += [sentence for group in groups for sentence in _within(group, budgets)]
    for group in groups:
        reached = [figures.to_target_s is not None for figures in group.figures.values()]
        if target is not None and not group.reaching("accuracy"):
            notes.append(
                f"nothing was scored, so there is no accuracy to reach {target:g}: {group.label}"
            )
        elif target is not None and not all(reached):
            ratio = f"{sum(reached)} of {len(reached)} runs"
            notes.append(f"reached {target:g} in {ratio}: {group.label}")
        if before := sum(figures.to_target_s == 0 for figures in group.figures.values()):
            ratio = f"{before} of {len(reached)} runs"
            notes.append(f"the untrained model reaches {target:g} in {ratio}: {group.label}")
    if against:
        undisturbed = _grouped(against, target, budgets, notes)
        for group in groups:
            group.twin = twin_of(group, undisturbed)
            if group.twin is None:
                notes.append(f"no twin, or several as near: {group.label}")
            elif not differing(group, group.twin):
                group.twin = None  # it is one of those that the others are held against
    return Comparison(groups, notes, measures(target, budgets))


def _grouped(
    runs: Sequence[Run], target: float | None, budgets: Sequence[Budget], notes: list[str]
) -> list[Group]:
    """Groups without labels; sentences on what is left out go to the notes."""
    groups: dict[str, Group] = {}
    completed = []
    for run in runs:
        if run.manifest.get("status") == Status.COMPLETED:
            completed.append(run)
            continue
        status = standing(run)
        more = f" ({how_to_go_on(run)})" if status == STOPPED else ""
        notes.append(f"left out, {status}: {run.directory}{more}")
    for run, setting in zip(completed, settings_of(completed), strict=True):
        group = groups.setdefault(repr(sorted(setting.items(), key=str)), Group(setting))
        seed = int(run.manifest["seed"])
        if seed in group.runs:
            same = group.runs[seed].manifest["results_sha256"] == run.manifest["results_sha256"]
            words = "with the same results" if same else "WITH OTHER RESULTS"
            first = group.runs[seed].directory
            notes.append(f"left out, repeats {first} {words}: {run.directory}")
            continue
        group.runs[seed] = run
        group.figures[seed] = figures_of(run, target, budgets)
    return list(groups.values())


def _within(group: Group, budgets: Sequence[Budget]) -> Iterator[str]:
    """Sentences on runs that ended before a budget was spent: what they would have made of the rest
    is not known."""
    for budget in budgets:
        ended = sum(run.spent[budget.column] < budget.most for run in group.figures.values())
        if ended:
            ratio = f"{ended} of {len(group.figures)} runs"
            yield f"ended before {budget.word} were spent, {ratio}: {group.label}"


def settings_of(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """What each run was played with, by dotted path, but for its seed and name.

    A key that some runs lack in a mapping which they have, as their version of cosim had none,
    counts as its default: so an earlier run is in one group with its like.
    """
    settings = [_setting(run) for run in runs]
    _spell_out(settings)
    for path in dict.fromkeys(path for setting in settings for path in setting):
        values = [setting[path] for setting in settings if path in setting]
        inside = path[: path.rfind(".") + 1]  # of the key's mapping
        for setting in settings:
            if inside and path not in setting and any(p.startswith(inside) for p in setting):
                words = [setting.get(f"{inside}{key}") for key in _WORD_KEYS]
                if (node := _default(path, tuple(map(str, words)))) is not None:
                    default = plain(node)
                    # 2 and 2.0 are one default: as the others have it.
                    setting[path] = next((value for value in values if value == default), default)
    return settings


def _spell_out(settings: Sequence[dict[str, Any]]) -> None:
    """Makes a word the mapping that it stands for, where other runs have a mapping there."""
    mapped = {
        path.removesuffix(f".{key}"): path
        for path in dict.fromkeys(path for setting in settings for path in setting)
        for key in _WORD_KEYS
        if path.endswith(f".{key}")
    }
    for setting in settings:
        for path in [path for path in setting if path in mapped]:
            if isinstance(setting[path], str):
                setting[mapped[path]] = setting.pop(path)


@lru_cache
def _default(path: str, words: Sequence[str]) -> Node | None:
    """The default of a key, in the variant of its mapping that one of these words names or in a
    mapping without variants; None where it has none."""
    from cosim.scenario.reference import Key, explained

    keys = [key for key in explained(path) if isinstance(key, Key) and key.word in ("", *words)]
    return parse(keys[0].default) if len(keys) == 1 and keys[0].default is not None else None


def _setting(run: Run) -> dict[str, Any]:
    try:
        node = parse(run.scenario_text)
    except TextError as error:
        raise RunDirectoryError(f"{run.directory}: its scenario is not YAML: {error}.") from error
    data = None if node is None else plain(node)
    return {path: value for path, value in flat(data).items() if path not in _OWN}


def _listed(notes: Sequence[str]) -> str:
    return "".join(f"\n{note}" for note in notes)
