"""The kinds of figures: who draws each, and what may be said of it."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

from cosim.comparison.groups import Comparison
from cosim.plotting.breakdown import rounds
from cosim.plotting.budget_table import budgets
from cosim.plotting.course import course
from cosim.plotting.distributions import energy, latency
from cosim.plotting.drawing import Drawing
from cosim.plotting.final import final
from cosim.plotting.request import Request


class Kind(NamedTuple):
    """A kind is one way to draw runs; `cosim plot --help` says what each shows.

    draw: makes the drawing.
    takes: what may be said of it beside the runs, names of a Request.
    """

    draw: Callable[[Comparison, Request], Drawing]
    takes: tuple[str, ...] = ()


KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {
        "accuracy": Kind(course),
        "final": Kind(final, ("over", "against", "measure")),
        "latency": Kind(latency),
        "energy": Kind(energy),
        "rounds": Kind(rounds),
        "budgets": Kind(budgets, ("budget", "target")),
    }
)
