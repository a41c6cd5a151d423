"""The twin of a group: the same method where something else is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cosim.comparison.group import Group


def differing(group: Group, other: Group) -> dict[str, tuple[Any, Any]]:
    """Where two settings differ: path → this one's value and the other's."""
    paths = dict.fromkeys((*group.setting, *other.setting))
    values = {path: (group.setting.get(path), other.setting.get(path)) for path in paths}
    return {path: pair for path, pair in values.items() if repr(pair[0]) != repr(pair[1])}


def twin_of(group: Group, others: Sequence[Group]) -> Group | None:
    """The group of the same method, with the same parts, that differs in the fewest other keys and
    has a seed in common; None where there is none, or where several are as near."""
    near: list[tuple[int, Group]] = []
    for other in others:
        keys = differing(group, other)
        alike = not any(path.startswith("method.") for path in keys)
        if alike and not set(group.runs).isdisjoint(other.runs):
            near.append((len(keys), other))
    least = min((count for count, _ in near), default=0)
    nearest = [other for count, other in near if count == least]
    return nearest[0] if len(nearest) == 1 else None
