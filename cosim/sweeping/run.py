"""Playing a sweep: what is finished is skipped, what failed is tried again, nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from cosim.errors import CosimError, RunDirectoryError, SweepError
from cosim.preflight.startable import Preflight
from cosim.scenario.complaints.blame import blaming
from cosim.sweeping.definition import Point, Sweep
from cosim.sweeping.engine import Engine, player_of
from cosim.sweeping.index import Entry, holding, known_results, refuse_foreign, write_index
from cosim.sweeping.results import Results, results_of
from cosim.sweeping.state import ERROR_FILE, Standing, State, look, make_way, seconds_of
from cosim.sweeping.watch import Watch
from cosim.sweeping.work import Assignment, Reply
from cosim.trace.directory import explain_full_disk
from cosim.trace.lock import holder
from cosim.trace.manifest import read_manifest


@dataclass(frozen=True)
class Planned:
    """A planned run is a point, and what lies where its run belongs.

    point: to be played or not.
    standing: how its directory is.
    """

    point: Point
    standing: Standing


class SweepInterrupted(KeyboardInterrupt):
    """A sweep was interrupted by Ctrl-C; `entries` says how far every run is."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__("interrupted")
        self.entries = entries


def unstartable(plan: Sequence[Planned], directory: Path) -> dict[str, str]:
    """Why points that have to be played could not start, by name: what they share is looked at
    once, nothing is trained and nothing is written."""
    preflight, refusals = Preflight(directory), {}
    for planned in plan:
        if planned.standing.to_play:
            try:
                with blaming(planned.point.document):
                    preflight.refuse_unstartable(planned.point.scenario)
            except CosimError as error:
                refusals[planned.point.name] = str(error)
    return refusals


def refuse_if_nothing_starts(plan: Sequence[Planned], refusals: Mapping[str, str]) -> None:
    """Raises SweepError, equal reasons once, where not one of the points to be played can start."""
    to_play = [planned.point.name for planned in plan if planned.standing.to_play]
    if to_play and all(name in refusals for name in to_play):
        reasons = Counter(refusals[name] for name in to_play)
        lines = [f"{count} run{'s' * (count > 1)}: {reason}" for reason, count in reasons.items()]
        raise SweepError("\n".join(["nothing of this sweep can start", *lines]))


def plan_of(sweep: Sweep, directory: Path) -> list[Planned]:
    """What a sweep would do in a directory, which is left as it is."""
    return [Planned(point, look(directory / point.name, point.scenario)) for point in sweep.points]


def entry_of(planned: Planned) -> Entry:
    """A run as it is found: pending where it has to be played."""
    standing = planned.standing
    state = State.PENDING if standing.to_play else standing.state
    return Entry(planned.point, state, standing.seconds, standing.note)


def play_sweep(
    sweep: Sweep,
    directory: Path,
    jobs: int,
    watch: Watch,
    engine: Engine = Engine.PROCESSES,
) -> list[Entry]:
    """Plays every point that is not finished, and returns how each run of the sweep has ended.

    The index is brought up to date at every end. Raises SweepError for a directory that cannot be
    used, RayError where Ray does not start, SweepInterrupted at Ctrl-C, when the traces so far have
    been written.
    """
    play_all = player_of(engine, [point.scenario for point in sweep.points])
    refuse_foreign(directory)
    if engine is Engine.PROCESSES:  # Ray's machines may have what this one has not
        plan = plan_of(sweep, directory)
        refuse_if_nothing_starts(plan, unstartable(plan, directory))
    with explain_full_disk(directory, "the same command"), holding(directory, sweep):
        plan, known = plan_of(sweep, directory), known_results(directory)
        entries = {
            planned.point.name: _with_results(entry_of(planned), directory, known)
            for planned in plan
        }
        write_index(directory, sweep, list(entries.values()))
        watch.begins(list(entries.values()))
        to_play = [planned for planned in plan if planned.standing.to_play]
        if not to_play:
            return list(entries.values())
        points = {planned.point.name: planned.point for planned in to_play}
        assignments = _assignments(to_play, directory, watch)
        replies = play_all(assignments, jobs, lambda progress: watch.reached(*progress))
        try:
            with closing(replies):
                for reply in replies:
                    entry = _ended(points[reply.name], reply, directory)
                    entries[reply.name] = entry
                    write_index(directory, sweep, list(entries.values()))
                    watch.ended(entry)
        except KeyboardInterrupt:
            for name, point in points.items():
                if entries[name].state is State.PENDING:
                    standing = look(directory / name, point.scenario)
                    entry = Entry(point, standing.state, standing.seconds, standing.note)
                    entries[name] = _with_results(entry, directory, known)
            write_index(directory, sweep, list(entries.values()))
            raise SweepInterrupted(list(entries.values())) from None
        return list(entries.values())


def _with_results(
    entry: Entry, directory: Path, known: Mapping[tuple[str, float], Results]
) -> Entry:
    """A completed run with what it came to, which is read from its traces where it is not known."""
    if entry.state is not State.COMPLETED:
        return entry
    key = (entry.point.name, -1.0 if entry.seconds is None else entry.seconds)
    return replace(entry, results=known.get(key) or results_of(directory / entry.point.name))


def _assignments(to_play: Sequence[Planned], directory: Path, watch: Watch) -> Iterator[Assignment]:
    """Made one by one: an earlier attempt is resumed or moved aside only when its point's turn has
    come."""
    for planned in to_play:
        point = planned.point
        folder = directory / point.name
        watch.started(point.name)
        try:
            resumed = make_way(folder, point.scenario, planned.standing.state)
        except RunDirectoryError as error:
            yield Assignment(point.name, point.scenario, folder, refused=str(error))
        else:
            yield Assignment(point.name, point.scenario, folder, resumed)


def _ended(point: Point, reply: Reply, directory: Path) -> Entry:
    folder = directory / point.name
    if reply.error is None:
        seconds = seconds_of(read_manifest(folder))
        return Entry(point, State.COMPLETED, seconds, results=results_of(folder))
    message = reply.error
    try:
        with blaming(point.document):
            raise CosimError(message)
    except CosimError as error:
        message = str(error)
    if holder(folder) is not None:  # not this sweep's to write in
        return Entry(point, State.FAILED, None, message)
    folder.mkdir(exist_ok=True)
    (folder / ERROR_FILE).write_text(f"{reply.traceback or message}\n", encoding="utf-8")
    return Entry(point, State.FAILED, None, message)
