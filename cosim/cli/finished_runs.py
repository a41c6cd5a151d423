"""The commands about runs that have been played: sweep, verify."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.exit_codes import stop_as_asked

if TYPE_CHECKING:
    from cosim.sweep.index import Entry
    from cosim.sweep.run import Planned
    from cosim.verification.finding import Check

# What a shell reports for a command ended by SIGINT: 128 + 2.
_INTERRUPTED = 130


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

    What is finished is skipped: the same command goes on where it was stopped.

    A run that fails does not stop the others; the exit code is 1 then.
    """
    from rich.console import Console

    from cosim.sweep.definition import read_sweep
    from cosim.sweep.engine import engine_named
    from cosim.sweep.index import refuse_foreign
    from cosim.sweep.run import (
        SweepInterrupted,
        plan_of,
        play_sweep,
        refuse_if_nothing_starts,
        unstartable,
    )

    workers = engine_named(engine)
    sweep_ = read_sweep(file)
    directory = out if out is not None else Path("runs") / sweep_.name
    if dry_run:
        refuse_foreign(directory)
        plan = plan_of(sweep_, directory)
        refusals = unstartable(plan, directory) if workers == "processes" else {}
        for planned in plan:
            typer.echo(_planned(planned, planned.point.name in refusals))
        typer.echo(f"{len(sweep_.points)} runs in {directory}")
        for line in merged_lines([(name, reason) for name, reason in refusals.items()]):
            typer.echo(f"cosim: cannot start: {line}", err=True)
        refuse_if_nothing_starts(plan, refusals)
        if refusals:
            raise typer.Exit(1)
        return
    stop_as_asked()
    console = Console(markup=False, emoji=False)

    endings: list[Entry] = []

    def tell(entry: Entry, of: int) -> None:
        endings.append(entry)
        took = "" if entry.seconds is None else f"  {entry.seconds:.1f} s"
        line = f"{len(endings)}/{of}  {entry.state}{took}  {entry.point.name}"
        console.print(line, highlight=False, soft_wrap=True)

    try:
        with console.status(f"{len(sweep_.points)} runs, {jobs} at a time", refresh_per_second=2):
            entries = play_sweep(sweep_, directory, jobs, tell, workers)
    except SweepInterrupted as stop:
        runs = sum(entry.state == "completed" for entry in stop.entries)
        typer.echo(
            f"cosim: interrupted; {runs} of {len(stop.entries)} runs are completed in {directory}; "
            "the same command goes on",
            err=True,
        )
        raise typer.Exit(_INTERRUPTED) from None
    if not _summarised(entries, len(endings), directory):
        raise typer.Exit(1)


def _planned(planned: Planned, unstartable: bool) -> str:
    standing = planned.standing
    if unstartable:
        return f"{planned.point.name}  cannot start"
    words = {"pending": "to run", "completed": "finished", "differs": "refused"}
    action = words.get(standing.state, f"to run again ({standing.state})")
    note = f": {standing.note}" if standing.state == "differs" else ""
    return f"{planned.point.name}  {action}{note}"


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


def verify(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="the directory of a finished run")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for programs")] = False,
) -> None:
    """Check that a finished run is whole: schema, time, partners, bits, energy, hashes.

    A line a check; the exit code is 1 where something is wrong, 2 where RUN is not a run.
    """
    from cosim.verification.verify import verify as verified

    checks = []
    for check in verified(run_):
        checks.append(check)
        for line in () if as_json else check.lines():
            typer.echo(line)
    failures = [check.name for check in checks if check.findings]
    count = sum(check.ok for check in checks)
    if as_json:
        typer.echo(_verified_json(run_, checks))
    elif failures:
        typer.echo(f"{run_}: {len(failures)} of {len(checks)} checks failed: {', '.join(failures)}")
    else:
        typer.echo(f"{run_}: {count} of {len(checks)} checks made, nothing wrong")
    if failures:
        raise typer.Exit(1)


def _verified_json(run: Path, checks: Sequence[Check]) -> str:
    """Every check for programs: whether it was made and held, and what it found."""
    content = {
        "run": str(run),
        "checks": [
            {"name": check.name, "ok": check.ok, "findings": list(map(str, check.findings))}
            for check in checks
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)
