"""The values of one key of the scenario, and which curve each group is a point of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cosim.comparison.group import Group
from cosim.comparison.labels import label
from cosim.errors import UsageError
from cosim.scenario.reading.one_line import number_text, shown
from cosim.spelling import did_you_mean


@dataclass(frozen=True)
class Axis:
    """An axis is the values that one key of the scenario takes in the groups.

    key: its dotted path.
    values: each once, numbers in their order, words in that of the groups.
    numeric: whether they are numbers.
    points: (label of a curve, value) → the group that is its point there.
    notes: which groups have no such key, and what else changes with it.
    """

    key: str
    values: Sequence[Any]
    numeric: bool
    points: dict[tuple[str, Any], Group]
    notes: Sequence[str]

    @property
    def curves(self) -> list[str]:
        """The labels of the curves, in the order of the groups."""
        return list(dict.fromkeys(curve for curve, _ in self.points))

    def text(self, value: Any) -> str:
        """A value as it is written at the axis."""
        return number_text(float(value)) if self.numeric else str(value)


def axis_over(key: str, groups: Sequence[Group]) -> Axis:
    """The axis of a key, of a mapping with a key in it that varies, or of the unambiguous end of
    either. Raises UsageError for a key that no scenario has, or that does not vary."""
    varying = _varying(groups)
    path, leaves = _found(key, groups, varying)
    having = [group for group in groups if any(leaf in group.setting for leaf in leaves)]
    values = _names(having, leaves, varying)
    values = values or {id(group): _value(group, leaves) for group in having}
    numeric = all(_is_number(value) for value in values.values())
    along = _along(having, values, varying, leaves)
    gone = {*leaves, *along}
    bare = [
        replace(group, setting={p: v for p, v in group.setting.items() if p not in gone}, label="")
        for group in having
    ]
    label(bare)
    _call(bare, gone)
    points = {
        (own.label, values[id(group)]): group for own, group in zip(bare, having, strict=True)
    }
    every = list(dict.fromkeys(values.values()))
    notes = [f"not drawn, no {path}: {group.label}" for group in groups if id(group) not in values]
    if along:
        notes.append(f"changes together with {path}: {', '.join(along)}")
    return Axis(path, sorted(every) if numeric else every, numeric, points, notes)


def _varying(groups: Sequence[Group]) -> list[str]:
    """The paths whose values are not the same in all groups."""
    paths = dict.fromkeys(path for group in groups for path in group.setting)
    return [path for path in paths if len({repr(group.setting.get(path)) for group in groups}) > 1]


def _found(key: str, groups: Sequence[Group], varying: Sequence[str]) -> tuple[str, list[str]]:
    """The path that a key means, and the varying paths that it is or that lie in it."""
    leaves = [path for path in varying if path == key or path.startswith(f"{key}.")]
    if leaves:
        return (leaves[0] if len(leaves) == 1 else key), leaves
    ends = [path for path in varying if path.endswith(f".{key}")]
    if len(ends) == 1:
        return ends[0], ends
    differs = f"; they differ in {', '.join(varying)}" if varying else ""
    known = dict.fromkeys(path for group in groups for path in group.setting)
    if any(path == key or path.startswith(f"{key}.") for path in known):
        raise UsageError(f"--over: {key} is the same in all completed runs{differs}")
    hint = did_you_mean(key, [*varying, *known])
    raise UsageError(f"--over: no run has a key {key!r}{hint}{differs}")


def _names(
    groups: Sequence[Group], leaves: Sequence[str], varying: Sequence[str]
) -> dict[int, Any]:
    """What a sweep has called the values that vary there and nowhere else; empty where it has
    not, or not in all groups, or where two sweeps call one thing by two names, or two by one."""
    keys = dict.fromkeys(key for group in groups for key in group.names)
    for key in keys:
        inside = [leaf for leaf in varying if _in(leaf, key)]
        if set(inside) != set(leaves) or not all(key in group.names for group in groups):
            continue
        pairs = {
            (group.names[key], repr([group.setting.get(leaf) for leaf in leaves]))
            for group in groups
        }
        if len(pairs) == len({name for name, _ in pairs}) == len({value for _, value in pairs}):
            return {id(group): group.names[key] for group in groups}
    return {}


def _call(groups: Sequence[Group], gone: set[str]) -> None:
    """Curves are called as a sweep has called the values that tell them apart, but for those of
    the axis, whose paths are `gone`; what a name leaves open is told behind it."""
    named: list[tuple[Group, str]] = []
    for group in groups:
        words = [
            name for key, name in group.names.items() if not any(_in(leaf, key) for leaf in gone)
        ]
        named.append((group, " ".join(words)))
    labels: dict[str, set[str]] = {}
    for group, name in named:
        labels.setdefault(name, set()).add(group.label)
    for group, name in named:
        if name:
            group.label = name if len(labels[name]) == 1 else f"{name}: {group.label}"


def _value(group: Group, leaves: Sequence[str]) -> Any:
    """The value of the only leaf; of several, all of them in words."""
    if len(leaves) == 1:
        value = group.setting[leaves[0]]
        return value if _is_number(value) or isinstance(value, str) else shown(value)
    own = [group.setting[leaf] for leaf in leaves if group.setting.get(leaf) is not None]
    return " ".join(value if isinstance(value, str) else shown(value) for value in own)


def _along(
    groups: Sequence[Group], values: dict[int, Any], varying: Sequence[str], leaves: Sequence[str]
) -> list[str]:
    """Paths with one value for each of the axis: they tell no curves apart."""
    different = len(set(values.values()))
    found = []
    for path in varying:
        own = {repr(group.setting.get(path)) for group in groups}
        pairs = {(repr(group.setting.get(path)), values[id(group)]) for group in groups}
        if path not in leaves and len(own) > 1 and len(pairs) == different:
            found.append(path)
    return found


def _in(leaf: str, key: str) -> bool:
    """Whether a path is one of those of a sweep's key, or lies in one."""
    return any(f"{leaf}.".startswith(f"{path.strip()}.") for path in key.split(","))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
