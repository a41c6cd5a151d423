"""Groups whose runs have an accuracy, or the sentence why none has."""

from __future__ import annotations

from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.errors import ViewError


def scored(comparison: Comparison, besides: str = "") -> tuple[list[Group], list[str]]:
    """The groups that were evaluated, in every run, and sentences about the others.

    Raises ViewError where none was; besides: what may be drawn all the same.
    """
    found = [group for group in comparison.groups if group.estimate("accuracy") is not None]
    without = [group for group in comparison.groups if group not in found]
    if not found:
        learnt = any(group.setting.get("learning.model") != "none" for group in without)
        why = (
            "nothing was evaluated"
            if learnt
            else "nothing was learnt in them (learning.model none)"
        )
        raise ViewError(
            f"These runs have no accuracy to draw: {why}. Of their traces latency, energy and "
            f"rounds can be drawn{f'; {besides}' if besides else ''}."
        )
    return found, [f"not drawn, no accuracy: {group.label}" for group in without]
