"""One scenario under several seeds, and its differences to another, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosim.comparison.estimate import Estimate, estimate
from cosim.comparison.figures import Figures
from cosim.trace.reader import Run


@dataclass
class Group:
    """A group is the runs of one scenario under several seeds.

    setting: the scenario but for its seed, path → value.
    runs: the runs, by seed.
    figures: their numbers, by seed.
    label: what the group is called.
    twin: the group of the same method that it is held against.
    names: what somebody has called values of its setting, by key.
    """

    setting: Mapping[str, Any]
    runs: dict[int, Run] = field(default_factory=dict)
    figures: dict[int, Figures] = field(default_factory=dict)
    label: str = ""
    twin: Group | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def estimate(self, figure: str) -> Estimate | None:
        """Mean of a figure over the seeds; None unless every run of the group has it."""
        return estimate([figures.value(figure) for figures in self.figures.values()])

    def reaching(self, figure: str) -> int:
        """How many runs of the group have a figure."""
        return sum(figures.value(figure) is not None for figures in self.figures.values())

    def difference(self, other: Group, figure: str) -> Estimate | None:
        """Mean over the seeds of both groups of this one's figure minus the other's."""
        seeds = [seed for seed in self.figures if seed in other.figures]
        pairs = [(self.figures[s].value(figure), other.figures[s].value(figure)) for s in seeds]
        return estimate([None if a is None or b is None else a - b for a, b in pairs])

    @property
    def name(self) -> str:
        """The name of its scenario."""
        return str(next(iter(self.runs.values())).manifest["name"])

    @property
    def method(self) -> str:
        """The name of its method."""
        return str(self.setting.get("method.name", "?"))
