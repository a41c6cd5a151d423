"""What `cosim sweep --dry-run` tells: every run, and what would be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.cli.json_text import json_text
from cosim.cli.sweep_progress import plan_words
from cosim.sweeping.duration import wall_s_left
from cosim.sweeping.index import Entry
from cosim.sweeping.run import Planned, entry_of
from cosim.sweeping.state import State

_UNSTARTABLE = "unstartable"
_ACTIONS = {State.PENDING: "to run", State.COMPLETED: "finished", State.DIFFERS: "refused"}


def plan_text(
    plan: Sequence[Planned],
    refusals: Mapping[str, str],
    directory: Path,
    jobs: int,
    foreseen_s: float | None = None,
) -> str:
    """A line a run, and one about all; foreseen_s: the wall time of the whole, if it was timed."""
    lines = [_line(planned, planned.point.name in refusals) for planned in plan]
    entries = _entries(plan, refusals)
    return "\n".join([*lines, plan_words(entries, str(directory), jobs, foreseen_s)])


def plan_json(
    plan: Sequence[Planned],
    refusals: Mapping[str, str],
    directory: Path,
    jobs: int,
    foreseen_s: float | None = None,
) -> str:
    """The same for programs: `runs`, an object each, and what `count` of them and `seconds` come
    to; null where it is not known how long they take."""
    entries = _entries(plan, refusals)
    left_s = wall_s_left(entries, jobs)
    told = {
        "directory": str(directory),
        "runs": [_object(planned, refusals) for planned in plan],
        "count": len(plan),
        "to_play": sum(entry.state is State.PENDING for entry in entries),
        "jobs": jobs,
        "seconds": foreseen_s if left_s is None else left_s,
    }
    return json_text(told, finite=True)


def _entries(plan: Sequence[Planned], refusals: Mapping[str, str]) -> list[Entry]:
    """The runs as they are found; one that cannot start is not pending."""
    return [
        replace(entry_of(planned), state=State.FAILED)
        if planned.point.name in refusals
        else entry_of(planned)
        for planned in plan
    ]


def _line(planned: Planned, unstartable: bool) -> str:
    standing = planned.standing
    if unstartable:
        return f"{planned.point.name}  cannot start"
    action = _ACTIONS.get(standing.state, f"to run again ({standing.state})")
    note = f": {standing.note}" if standing.state is State.DIFFERS else ""
    return f"{planned.point.name}  {action}{note}"


def _object(planned: Planned, refusals: Mapping[str, str]) -> dict[str, Any]:
    point, standing = planned.point, planned.standing
    refused = point.name in refusals
    return {
        "name": point.name,
        "values": dict(point.values),
        "names": dict(point.names),
        "seed": point.seed,
        "state": _UNSTARTABLE if refused else str(standing.state),
        "note": refusals[point.name] if refused else standing.note,
    }
