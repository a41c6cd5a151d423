"""The command that plays a sweep, or lists what it would play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.exit_codes import INTERRUPTED, stop_as_asked
from cosim.errors import UsageError

if TYPE_CHECKING:
    from cosim.sweeping.definition import Sweep
    from cosim.sweeping.index import Entry
    from cosim.sweeping.run import Planned

RUNS = Path("runs")


def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP", help="a sweep YAML file")],
    jobs: Annotated[
        int, typer.Option(min=1, max=1024, metavar="N", help="runs played side by side")
    ] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="default: runs/<name of the sweep>")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list the runs and what would be done")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="with --dry-run: print JSON, for programs")
    ] = False,
    timed: Annotated[
        bool,
        typer.Option(
            "--timed",
            help="with --dry-run, where no run has ended: load the model for a few steps and "
            "questions, to tell how long the sweep takes here",
        ),
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            help="processes of this machine, or ray: the workers of a Ray cluster (RAY_ADDRESS), or"
            " of one that is started here",
        ),
    ] = "processes",
) -> None:
    """Run every combination of a grid of scenario values, for every seed.

    What is finished is skipped: the same command goes on where it was stopped. The rounds and runs
    that have ended tell how long the others will take.

    A run that fails does not stop the others; the exit code is 1 then.
    """
    if as_json and not dry_run:
        raise UsageError("--json is the list of --dry-run, for programs; add --dry-run")
    if timed and not dry_run:
        raise UsageError("--timed tells how long it takes without playing it; add --dry-run")
    from rich.console import Console

    from cosim.cli.sweep_plan import plan_json, plan_text
    from cosim.cli.sweep_progress import SweepProgress
    from cosim.sweeping.definition import read_sweep
    from cosim.sweeping.engine import engine_named
    from cosim.sweeping.index import refuse_foreign
    from cosim.sweeping.run import (
        SweepInterrupted,
        plan_of,
        play_sweep,
        refuse_if_nothing_starts,
        unstartable,
    )

    workers = engine_named(engine)
    sweep_ = read_sweep(file)
    directory = _directory(sweep_, out)
    if dry_run:
        refuse_foreign(directory)
        plan = plan_of(sweep_, directory)
        refusals = unstartable(plan, directory) if workers == "processes" else {}
        first = not any(planned.standing.state == "completed" for planned in plan)
        total_s = _foreseen_s(plan, refusals) if timed and first else None
        typer.echo((plan_json if as_json else plan_text)(plan, refusals, directory, jobs, total_s))
        refuse_if_nothing_starts(plan, refusals)
        for line in merged_lines([(name, reason) for name, reason in refusals.items()]):
            typer.echo(f"cosim: cannot start: {line}", err=True)
        if refusals:
            raise typer.Exit(1)
        return
    stop_as_asked()
    console = Console(markup=False, emoji=False)
    progress = SweepProgress(console, str(directory), jobs)
    try:
        with console.status(progress, refresh_per_second=2):
            entries = play_sweep(sweep_, directory, jobs, progress, workers)
    except SweepInterrupted as stop:
        runs = sum(entry.state == "completed" for entry in stop.entries)
        typer.echo(
            f"cosim: interrupted; {runs} of {len(stop.entries)} runs are completed in {directory}; "
            "the same command goes on",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    if not _summarised(entries, progress.ended_runs, directory):
        raise typer.Exit(1)


def _foreseen_s(plan: Sequence[Planned], refusals: Mapping[str, str]) -> float | None:
    """Wall time of what can be played of a plan, in s, timed now."""
    from rich.console import Console

    from cosim.cli.sweep_forecast import foreseen_s

    points = [planned.point for planned in plan if planned.standing.to_play]
    with Console(stderr=True).status("counting the work, and timing a few steps and questions"):
        return foreseen_s([point for point in points if point.name not in refusals])


def _directory(sweep_: Sweep, out: Path | None) -> Path:
    """Where the runs belong: a directory that has them under the sweep's other name is kept to."""
    from cosim.sweeping.index import is_sweep

    if out is not None:
        return out
    directory = RUNS / sweep_.name
    if sweep_.former_name is not None and not directory.exists():
        former = RUNS / sweep_.former_name
        if is_sweep(former):
            typer.echo(
                f"cosim: the runs of this sweep are in {former}, and it goes on there; renamed to "
                f"{directory} they are found as well",
                err=True,
            )
            return former
    return directory


# From so many on, runs that ended for the same reason are told of in one line.
_ALIKE = 5


def merged_lines(endings: Sequence[tuple[object, str | None]], verb: str = "") -> list[str]:
    """A line a run, what it is called and why; one for many that ended for the same reason."""
    names: dict[str | None, list[object]] = {}
    for name, reason in endings:
        names.setdefault(reason, []).append(name)
    lines = []
    for reason, group in names.items():
        if len(group) < _ALIKE:
            lines += [f"{name}: {reason}" for name in group]
        else:
            how = f" {verb} alike" if verb else ""
            lines.append(f"{len(group)} runs{how}: {reason} ({group[0]}, …, {group[-1]})")
    return lines


def _summarised(entries: list[Entry], fresh: int, directory: Path) -> bool:
    """Prints how a sweep has ended; whether every run of it is completed."""
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.state] = counts.get(entry.state, 0) + 1
    for state in counts:
        if state != "completed":
            verb = "refused" if state == "differs" else str(state)
            group = [entry for entry in entries if entry.state == state]
            for line in merged_lines([(directory / e.point.name, e.error) for e in group], verb):
                typer.echo(f"cosim: {verb}: {line}", err=True)
    tally = ", ".join(f"{count} {state}" for state, count in counts.items())
    already = f" ({len(entries) - fresh} of them before)" if fresh < len(entries) else ""
    typer.echo(f"{len(entries)} runs: {tally}{already}")
    typer.echo(f"index: {directory / 'runs.parquet'}")
    return set(counts) == {"completed"}
