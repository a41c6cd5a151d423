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
    """Wall time of all these runs on this machine left alone, in s, however many at a time, since
    they share its cores; None where one of them learns nothing, so that no step of it can be timed.

    The first seed stands for the others of its values; a few steps and questions are timed once for
    each model, adapter and batch among them. Raises CosimError for a model or task that cannot be
    used.
    """
    from cosim.preflight.explain import explain
    from cosim.profiling.wall_time import foreseen_by_profile, foreseen_by_timing, timed_speeds

    seeds = Counter(point.stem for point in points)
    first = {point.stem: point.scenario for point in reversed(points)}
    known: dict[str, Speeds] = {}
    total_s = 0.0
    for stem, count in seeds.items():
        scenario = first[stem]
        explanation = explain(scenario)
        if explanation.scoring_flop is None:
            return None
        asked = scenario, explanation.work, explanation.scoring_flop
        foreseen = foreseen_by_profile(*asked)
        if foreseen is None:
            timed = _timed(scenario)
            if timed not in known:
                known[timed] = timed_speeds(scenario)
            foreseen = foreseen_by_timing(*asked, known[timed])
        total_s += count * foreseen.total_s
    return total_s


def _timed(scenario: Scenario) -> str:
    """What the speeds hang on, near enough."""
    parts = scenario.base_model, scenario.adapter, scenario.training.batch_size, scenario.learning
    return repr((*parts, scenario.device_count))
