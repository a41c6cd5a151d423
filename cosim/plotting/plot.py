"""From runs and a word to a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cosim.comparison.budgets import read_budgets
from cosim.comparison.groups import compare
from cosim.errors import UsageError
from cosim.plotting.drawing import Drawing
from cosim.plotting.kinds import KINDS, Kind
from cosim.plotting.request import Request
from cosim.spelling import did_you_mean
from cosim.trace.reader import Run


def kind_of(word: str) -> Kind:
    """The kind of a word; raises UsageError for any other."""
    if word not in KINDS:
        hint = did_you_mean(word, KINDS)
        raise UsageError(f"{word!r} is no kind of figure{hint} (one of {', '.join(KINDS)})")
    return KINDS[word]


def drawing(
    runs: Sequence[Run],
    word: str,
    request: Request,
    notes: Sequence[str] = (),
    called: Mapping[Path, str] | None = None,
    names: Mapping[Path, Mapping[str, str]] | None = None,
) -> Drawing:
    """The figure of some runs, not yet painted; `notes` stand before what is found out here.

    called: what somebody has called runs, by directory; names: and values of theirs, by key.

    Raises UsageError for what cannot be asked, ViewError for what the runs do not have,
    RunDirectoryError where no completed run is given or one cannot be read.
    """
    kind = kind_of(word)
    for name in request.given():
        if name not in kind.takes:
            takers = ", ".join(own for own, one in KINDS.items() if name in one.takes)
            raise UsageError(f"--{name} belongs to {takers}; {word} does not take it")
    budgets = [] if request.budget is None else read_budgets(request.budget)
    compared = compare(runs, request.target, notes, budgets=budgets, called=called)
    for group in compared.groups:
        group.names = (names or {}).get(next(iter(group.runs.values())).directory, {})
    return kind.draw(compared, request)
