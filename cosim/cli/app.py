"""The command line: parse, call, print. Heavy imports happen inside the commands."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cosim.cli.ask import ask
from cosim.cli.check import Overrides, ScenarioPath, check
from cosim.cli.compare import compare
from cosim.cli.echoed_log import echo_log
from cosim.cli.evaluate import evaluate
from cosim.cli.exit_codes import INTERRUPTED, exit_code, stop_as_asked
from cosim.cli.export import export
from cosim.cli.methods import methods
from cosim.cli.new import new
from cosim.cli.plot import plot
from cosim.cli.reference import explain
from cosim.cli.report import report
from cosim.cli.sweep import sweep
from cosim.cli.usage import Command, CommandGroup
from cosim.cli.verify import verify
from cosim.errors import BusyMachineError
from cosim.host.spinning import bound_spinning

if TYPE_CHECKING:
    from cosim.simulation.observer import Observer

app = typer.Typer(
    cls=CommandGroup,
    help="Real LLM fine-tuning by mobile devices over simulated wireless links.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)


def _print_version(flag: bool) -> None:
    if flag:
        from importlib.metadata import version

        typer.echo(f"cosim {version('cosim')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Real LLM fine-tuning by mobile devices over simulated wireless links."""


@app.command(cls=Command)
def run(
    scenario: ScenarioPath,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a new directory for the traces")
    ] = None,
    set_: Overrides = None,
    seed: Annotated[int | None, typer.Option(help="the seed of all random streams")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="print the run directory only")] = False,
) -> None:
    """Run a scenario and write its traces."""
    from cosim.host.collector import uncollected
    from cosim.scenario.complaints.blame import blaming
    from cosim.scenario.load import load_with_document

    overrides = list(set_ or [])
    if seed is not None:
        overrides.append(f"seed={seed}")
    config, document = load_with_document(scenario, overrides)

    def play_watched(observers: Sequence[Observer]) -> Path:
        with uncollected():  # hundreds of modules come with it
            from cosim.lifecycle.play import play

        with blaming(document):
            return play(config, out=out, observers=observers).directory

    source = None if config.learning.model == "none" else config.base_model.source
    _watch(play_watched, config.rounds, source, quiet=quiet)


RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory")]


@app.command(cls=Command)
def resume(
    run_: RunPath,
    quiet: Annotated[bool, typer.Option("--quiet", help="print the run directory only")] = False,
) -> None:
    """Go on with a run that was interrupted or killed, from its last checkpoint.

    It ends with the traces that it would have had. RUN is refused where its scenario, the code or
    the packages are not those that it began with, and where another process is writing it.
    """
    from cosim.trace.reader import read_run

    manifest = read_run(run_).manifest

    def played(observers: Sequence[Observer]) -> Path:
        from cosim.lifecycle.play import resume as go_on

        return go_on(run_, observers).directory

    _watch(played, int(manifest.get("rounds") or 1), manifest.get("base_model"), quiet=quiet)


def _watch(
    play: Callable[[Sequence[Observer]], Path], rounds: int, source: str | None, *, quiet: bool
) -> None:
    """Plays a run with its progress before one's eyes, and prints what it came to.

    source: of the base model, where something is learnt.
    """
    from rich.console import Console

    from cosim.lifecycle.interrupted import Interrupted
    from cosim.observers.progress import progress_for

    console = Console(markup=False, emoji=False)
    stop_as_asked()
    echo_log(not quiet)
    # To import torch takes seconds: whoever waits hears first what for. A live line says it, too.
    if source is not None and not console.is_terminal and not quiet:
        console.print(f"loading {source}", highlight=False, soft_wrap=True)
    try:
        if quiet:
            typer.echo(play([]))
            return
        with progress_for(console, rounds) as progress:
            directory = play([progress])
    except Interrupted as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is written: a second one cannot help
        typer.echo(f"cosim: {stop}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    from cosim.cli.summary import print_summary
    from cosim.trace.reader import read_run

    print_summary(read_run(directory), console)


@app.command(cls=Command)
def profile(
    scenario: ScenarioPath,
    out: Annotated[Path, typer.Option(metavar="FILE", help="a new YAML file")] = Path(
        "profile.yaml"
    ),
    set_: Overrides = None,
    power_of: Annotated[
        str,
        typer.Option(metavar="PROFILE", help="whose watts, radio and battery, which are copied"),
    ] = "laptop",
    compute_w: Annotated[
        float | None, typer.Option(min=0, max=1e5, help="watts while fine-tuning, if known")
    ] = None,
    idle_w: Annotated[
        float | None, typer.Option(min=0, max=1e5, help="watts while not fine-tuning, if known")
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="write the profile of a busy machine or a bad fit, too"),
    ] = False,
) -> None:
    """Measure how fast this machine trains a scenario's model, and write a device profile.

    A scenario uses it as `profile: path:FILE`. It takes minutes, on a machine that is left alone;
    a busy one is told as soon as it is plain, nothing is written, and the exit code is 1.
    """
    from rich.console import Console

    from cosim.scenario.complaints.blame import blaming
    from cosim.scenario.load import load_with_document

    config, document = load_with_document(scenario, set_ or [])
    echo_log(True)

    from cosim.profiling.profile import Power, profile_machine
    from cosim.profiling.table import timings_table
    from cosim.profiling.write import refuse_unwritable, write_profile

    refuse_unwritable(out)
    power = Power.named(power_of, compute_w, idle_w)
    console = Console(markup=False, emoji=False)

    def refuse(doubts: str) -> NoReturn:
        typer.echo(
            f"cosim: {doubts}; nothing is written: leave the machine alone and measure again, or "
            "add --anyway",
            err=True,
        )
        raise typer.Exit(1)

    with blaming(document), console.status("loading the model", refresh_per_second=2) as status:
        try:
            profiled = profile_machine(
                config,
                power,
                lambda number, of: status.update(f"timed {number} of {of}"),
                anyway=anyway,
            )
        except BusyMachineError as busy:
            refuse(str(busy))
    console.print(timings_table(profiled, config.name))
    result = profiled.profile
    if doubts := "; ".join(profiled.doubts):
        if not anyway:
            refuse(doubts)
        typer.echo(f"cosim: {doubts}", err=True)
        result = result.model_copy(update={"source": f"{result.source}; {doubts}"})
    write_profile(result, out)
    typer.echo(result.source)
    typer.echo(f"written: {out}")


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON schema of a scenario, for editors."""
    from cosim.cli.json_text import json_text
    from cosim.scenario.model import Scenario

    typer.echo(json_text(Scenario.model_json_schema()))


ViewsOut = Annotated[
    Path | None, typer.Option(metavar="DIR", help="a folder to write to; default: RUN itself")
]


@app.command(cls=Command)
def timeline(
    run_: RunPath,
    rounds: Annotated[
        str | None, typer.Option(metavar="1-3", help="which rounds; default: see above")
    ] = None,
    out: ViewsOut = None,
) -> None:
    """Write timeline.json, for ui.perfetto.dev, and the Gantt chart timeline.png of a run.

    Without --rounds the first holds all rounds, the chart the first three.
    """
    from cosim.trace.reader import read_run
    from cosim.views.make import make_timeline

    for line, note in make_timeline(read_run(run_), rounds, out):
        typer.echo(line, err=note)


@app.command("map", cls=Command)
def map_(
    run_: RunPath,
    round_: Annotated[
        int | None, typer.Option("--round", metavar="N", help="which round; default: the last")
    ] = None,
    animate: Annotated[
        bool, typer.Option("--animate", help="write the whole run as map.gif, too")
    ] = False,
    out: ViewsOut = None,
) -> None:
    """Draw where the devices of a run were in a round, and the links that they used."""
    from cosim.trace.reader import read_run
    from cosim.views.make import make_map

    for line, note in make_map(read_run(run_), round_, animate, out):
        typer.echo(line, err=note)


for command in (
    new,
    check,
    report,
    explain,
    methods,
    sweep,
    compare,
    plot,
    ask,
    evaluate,
    export,
    verify,
):
    app.command(cls=Command)(command)


def main() -> None:
    """Runs the command line; what a user can put right ends with one message and code 2."""
    bound_spinning()
    sys.exit(exit_code(lambda: app(standalone_mode=True)))
