"""Calls that play: one run, one that was cut off, or a sweep of many."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cosim.calls.run import Run
from cosim.calls.scenario import Changes, Chosen, opened

if TYPE_CHECKING:
    from cosim.calls.swept import Swept
    from cosim.simulation.observer import Observer


def run(
    scenario: Chosen,
    out: str | PathLike[str] | None = None,
    *,
    set: Changes = None,
    seed: int | None = None,
    progress: bool = True,
    observers: Sequence[Observer] = (),
) -> Run:
    """Plays a scenario to its end and opens the run directory that it wrote.

    scenario: a file, a `Scenario`, or a mapping in the shape of the YAML. out: a new directory;
    default `runs/<name>-001` and on. set: values by dotted path that are used instead of the
    scenario's, `{"radio.deadline_s": 3}`; texts as `--set` takes them do as well. seed: of all
    random streams. progress: whether a line follows the run, in a notebook or a terminal; nothing
    is written where neither is. observers: who looks on, besides those that the scenario names.

    Raises `cosim.CosimError` for what a user can put right. Ctrl-C, or a notebook's stop, leaves
    readable traces; `cosim.resume` goes on with them.
    """
    chosen, document = opened(scenario, set, seed)

    from cosim.lifecycle.play import play
    from cosim.observers.progress import seen_progress
    from cosim.scenario.complaints.blame import blaming

    directory = None if out is None else Path(out)
    blamed = nullcontext() if document is None else blaming(document)
    with blamed, seen_progress(chosen.rounds, wanted=progress) as seen:
        return Run.read(play(chosen, directory, [*seen, *observers]).directory)


def resume(
    run: Run | str | PathLike[str], *, progress: bool = True, observers: Sequence[Observer] = ()
) -> Run:
    """Goes on with a run that was cut off, from its last checkpoint, and opens it again.

    It ends with the traces that it would have had. `progress` and `observers` are those of
    `cosim.run`; observers are told the run from its start. Raises `cosim.CosimError` for a run that
    is completed, that another process is writing, or that began otherwise than it would go on.
    """
    from cosim.lifecycle.play import resume as go_on
    from cosim.observers.progress import seen_progress

    directory = run.directory if isinstance(run, Run) else Path(run)
    rounds = int(Run.read(directory).manifest.get("rounds") or 1)
    with seen_progress(rounds, wanted=progress) as seen:
        return Run.read(go_on(directory, [*seen, *observers]).directory)


def sweep(
    file: str | PathLike[str],
    *,
    jobs: int = 1,
    out: str | PathLike[str] | None = None,
    engine: Literal["processes", "ray"] = "processes",
    progress: bool = True,
) -> Swept:
    """Plays every combination of a sweep file's grid, for every seed; what is finished is skipped.

    jobs: runs side by side, each in a process of its own. out: default `runs/<name>`. engine: this
    machine's processes, or the workers of a Ray cluster. progress: whether a line follows the
    sweep, in a notebook or a terminal.

    A run that fails does not stop the others: the result says which. Raises `cosim.CosimError`
    where the sweep cannot be played at all. Ctrl-C leaves what is finished; the same call goes on.
    Processes begin by importing a script that calls this, which therefore stands, as with Python's
    own multiprocessing, under `if __name__ == "__main__":`; a notebook needs nothing.
    """
    from cosim.calls.swept import SweepLine, Swept
    from cosim.sweeping.definition import read_sweep
    from cosim.sweeping.engine import engine_named
    from cosim.sweeping.index import is_sweep
    from cosim.sweeping.run import play_sweep

    workers, chosen = engine_named(engine), read_sweep(Path(file))
    directory = Path("runs") / chosen.name if out is None else Path(out)
    if out is None and chosen.former_name is not None and not directory.exists():
        former = Path("runs") / chosen.former_name  # as the command keeps to it
        directory = former if is_sweep(former) else directory
    play_sweep(chosen, directory, jobs, SweepLine(wanted=progress), workers)
    return Swept(directory)
