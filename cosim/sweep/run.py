"""Playing a sweep: what is finished is skipped, what failed is tried again, nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import CosimError, RunDirectoryError, SweepError
from cosim.preflight.startable import Preflight
from cosim.scenario.complaints.blame import blaming
from cosim.sweep.definition import Point, Sweep
from cosim.sweep.engine import Engine, player_of
from cosim.sweep.index import Entry, holding, refuse_foreign, write_index
from cosim.sweep.state import ERROR_FILE, Found, State, look, make_way, seconds_of
from cosim.sweep.work import Reply, Task
from cosim.trace.directory import explain_full_disk
from cosim.trace.lock import holder
from cosim.trace.manifest import read_manifest


@dataclass(frozen=True)
class Planned:
    """A point, and what lies where its run belongs."""

    point: Point
    found: Found


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; `entries` says how far every run is."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__("interrupted")
        self.entries = entries


def unstartable(planned: Sequence[Planned], directory: Path) -> dict[str, str]:
    """Why points that have to be played could not start, by name: what they share is looked at
    once, nothing is trained and nothing is written."""
    preflight, told = Preflight(directory), {}
    for one in planned:
        if one.found.to_play:
            try:
                with blaming(one.point.document):
                    preflight.refuse_unstartable(one.point.scenario)
            except CosimError as error:
                told[one.point.name] = str(error)
    return told


def refuse_if_nothing_starts(planned: Sequence[Planned], told: Mapping[str, str]) -> None:
    """Raises SweepError, equal reasons once, where not one of the points to be played can start."""
    to_play = [one.point.name for one in planned if one.found.to_play]
    if to_play and all(name in told for name in to_play):
        reasons = Counter(told[name] for name in to_play)
        lines = [f"{count} run{'s' * (count > 1)}: {reason}" for reason, count in reasons.items()]
        raise SweepError("\n".join(["nothing of this sweep can start", *lines]))


def plan_of(sweep: Sweep, directory: Path) -> list[Planned]:
    """What a sweep would do in a directory, which is left as it is."""
    return [Planned(point, look(directory / point.name, point.scenario)) for point in sweep.points]


def play_sweep(
    sweep: Sweep,
    directory: Path,
    jobs: int,
    tell: Callable[[Entry, int], None],
    engine: Engine = Engine.PROCESSES,
) -> list[Entry]:
    """Plays every point that is not finished, and returns how each run of the sweep has ended.

    `tell` hears of each run that ends, and how many there are to play. The index is brought up to
    date at every end. Raises SweepError for a directory that cannot be used, RayError where the
    engine is Ray and does not start, SweepInterrupted at Ctrl-C, when the traces so far have been
    written.
    """
    play_all = player_of(engine, [point.scenario for point in sweep.points])
    refuse_foreign(directory)
    if engine is Engine.PROCESSES:  # Ray's machines may have what this one has not
        plan = plan_of(sweep, directory)
        refuse_if_nothing_starts(plan, unstartable(plan, directory))
    with explain_full_disk(directory, "the same command"), holding(directory, sweep):
        plan = plan_of(sweep, directory)
        entries = {
            planned.point.name: Entry(
                planned.point,
                State.PENDING if planned.found.to_play else planned.found.state,
                planned.found.seconds,
                planned.found.note,
            )
            for planned in plan
        }
        write_index(directory, sweep, list(entries.values()))
        to_play = [planned for planned in plan if planned.found.to_play]
        if not to_play:
            return list(entries.values())
        points = {planned.point.name: planned.point for planned in to_play}
        replies = play_all(_tasks(to_play, directory), jobs)
        try:
            with closing(replies):
                for reply in replies:
                    entry = _ended(points[reply.name], reply, directory)
                    entries[reply.name] = entry
                    write_index(directory, sweep, list(entries.values()))
                    tell(entry, len(to_play))
        except KeyboardInterrupt:
            for name, point in points.items():
                if entries[name].state is State.PENDING:
                    found = look(directory / name, point.scenario)
                    entries[name] = Entry(point, found.state, found.seconds, found.note)
            write_index(directory, sweep, list(entries.values()))
            raise SweepInterrupted(list(entries.values())) from None
        return list(entries.values())


def _tasks(to_play: Sequence[Planned], directory: Path) -> Iterator[Task]:
    """Made one by one: an earlier attempt is resumed or moved aside only when its point's turn has
    come."""
    for planned in to_play:
        point = planned.point
        own = directory / point.name
        try:
            resumed = make_way(own, point.scenario, planned.found.state)
        except RunDirectoryError as error:
            yield Task(point.name, point.scenario, own, refused=str(error))
        else:
            yield Task(point.name, point.scenario, own, resumed)


def _ended(point: Point, reply: Reply, directory: Path) -> Entry:
    own = directory / point.name
    if reply.error is None:
        return Entry(point, State.COMPLETED, seconds_of(read_manifest(own)))
    message = reply.error
    try:
        with blaming(point.document):
            raise CosimError(message)
    except CosimError as error:
        message = str(error)
    if holder(own) is not None:  # not this sweep's to write in
        return Entry(point, State.FAILED, None, message)
    own.mkdir(exist_ok=True)
    (own / ERROR_FILE).write_text(f"{reply.traceback or message}\n", encoding="utf-8")
    return Entry(point, State.FAILED, None, message)
