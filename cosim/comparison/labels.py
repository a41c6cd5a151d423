"""What groups are called: by their method, and by what else tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cosim.comparison.group import Group
from cosim.scenario.reading.one_line import number_text, short_paths, shorten

# Beyond this many differences a label that lists them is no label.
_TELLING_AT_MOST = 6


def label(groups: Sequence[Group], called: Mapping[Path, str] | None = None) -> None:
    """What somebody has called the first run of a group, by its directory; else the method, and
    what else tells the groups apart, by the shortest end of its path.

    A part of a method is told only where groups of that method differ in it. Groups that are
    called alike are told apart by all that.
    """
    _label_by_setting(groups)
    names = {id(group): name for group in groups if (name := _given(group, called or {}))}
    short = [names.get(id(group), group.label) for group in groups]
    for group in groups:
        if name := names.get(id(group)):
            group.label = name if short.count(name) == 1 else f"{name}: {group.label}"


def _given(group: Group, called: Mapping[Path, str]) -> str | None:
    return called.get(next(iter(group.runs.values())).directory)


def _label_by_setting(groups: Sequence[Group]) -> None:
    paths = dict.fromkeys(path for group in groups for path in group.setting)
    telling: dict[str, set[str]] = {}  # path → the methods whose groups differ in it
    for path in paths:
        values: dict[str, set[str]] = {}
        for group in groups:
            alike = group.method if path.startswith("method.") else ""
            values.setdefault(alike, set()).add(repr(group.setting.get(path)))
        if differing := {alike for alike, variants in values.items() if len(variants) > 1}:
            telling[path] = differing
    short = short_paths(telling)
    for group in groups:
        parts = [
            f"{short[path]}={_word(group.setting[path])}"
            for path, methods in telling.items()
            if methods & {"", group.method} and group.setting.get(path) is not None
        ]
        group.label = " ".join([group.method, *parts])
    # Scenarios that have little in common are told apart by what somebody called them.
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(group.name, []).append(group)
    if len(telling) > _TELLING_AT_MOST and len(by_name) > 1:
        for name, namesakes in by_name.items():
            _label_by_setting(namesakes)
            for group in namesakes:
                group.label = f"{name}: {group.label}"


def _word(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else shorten(str(value), 40)
