"""Scenarios that have little in common, and methods of which no run shows what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cosim.comparison.group import Group
from cosim.comparison.twins import differing

# Up to so many keys a reader takes for what was studied.
_FEW = 3
# What a method brings, and what only says what is written down.
_OWN = ("method.", "trace.")


def unlike(groups: Sequence[Group]) -> Iterator[str]:
    """A sentence on each scenario of another name than the first group's that differs from it in
    many keys which no label tells; a sweep is of one name."""
    first, *others = groups
    told = {first.name}
    for group in others:
        if group.name in told:
            continue
        told.add(group.name)
        labels = f"{first.label} {group.label}".split()
        named = {word.partition("=")[0] for word in labels if "=" in word}
        keys = [
            path
            for path in differing(first, group)
            if not path.startswith(_OWN) and not any(f".{path}".endswith(f".{n}") for n in named)
        ]
        if len(keys) > _FEW:
            sections: dict[str, str] = {}
            for path in keys:
                sections.setdefault(path.partition(".")[0], path)
            some = list(dict.fromkeys([*sections.values(), *keys]))[:_FEW]
            yield (
                f"{first.name} and {group.name} are different scenarios: they differ in "
                f"{len(keys)} keys, {', '.join(some)} among them"
            )


def alike_without_learning(groups: Sequence[Group]) -> Iterator[str]:
    """A sentence on several methods that are compared where nothing is learnt."""
    methods = dict.fromkeys(group.method for group in groups)
    if len(methods) > 1 and all(group.setting.get("learning.model") == "none" for group in groups):
        yield (
            f"with learning: none a message has learning.payload_bits and a round learning.flop, "
            f"whatever the method: {', '.join(methods)} differ in who hears whom and when alone"
        )
