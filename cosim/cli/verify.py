"""The command that checks a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.json_text import json_text

if TYPE_CHECKING:
    from cosim.verification.finding import Check


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
    return json_text(content)
