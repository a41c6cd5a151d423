"""How long a sweep is foreseen to take before any run of it has been played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.profiling.wall_time import Speeds
    from cosim.scenario.model import Scenario
    from cosim.sweeping.definition import Point


def foreseen_s(points: Sequence[Point]) -> float | None:
    """Wall time of all these runs one after the other on this machine left alone, in s, and where
    each has work for all cores several at a time take as long; None where one of them learns
    nothing, so that no step of it can be timed.

    The first seed stands for the others of its values; a few steps and questions are timed once for
    all runs that differ in nothing that speeds hang on. Raises CosimError for a model or task that
    cannot be used.
    """
    from cosim.preflight.explain import explain
    from cosim.profiling.wall_time import foreseen_by_timing, timed_speeds

    seeds = Counter(point.place for point in points)
    scenarios = {point.place: point.scenario for point in reversed(points)}
    speeds: dict[str, Speeds] = {}
    total_s = 0.0
    for place, count in seeds.items():
        scenario = scenarios[place]
        explanation = explain(scenario)
        if explanation.scoring_flop is None:
            return None
        key = _what_speeds_hang_on(scenario)
        if key not in speeds:
            speeds[key] = timed_speeds(scenario)
        work = explanation.work, explanation.scoring_flop
        total_s += count * foreseen_by_timing(scenario, *work, speeds[key]).total_s
    return total_s


def _what_speeds_hang_on(scenario: Scenario) -> str:
    method = scenario.method
    learning = scenario.learning, scenario.training, scenario.evaluation, scenario.tasks
    parts = scenario.base_model, scenario.adapter, method.projection, method.expansion
    return repr((*parts, *learning, scenario.device_count))
