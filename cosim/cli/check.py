"""The command that looks at a scenario and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.echoed_log import echo_log
from cosim.cli.json_text import json_text

if TYPE_CHECKING:
    from cosim.preflight.explain import Explanation, Fact
    from cosim.scenario.model import Scenario

ScenarioPath = Annotated[Path, typer.Argument(metavar="SCENARIO", help="a scenario YAML file")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="override a value; may be repeated"),
]


def check(
    scenario: ScenarioPath,
    set_: Overrides = None,
    timed: Annotated[
        bool | None,
        typer.Option(
            "--timed/--no-timed",
            help="load the model for a few steps and questions, to tell how long a run takes here; "
            "by default where no profile tells and the model is on this machine. Asked of a "
            "network alone, it plays the first rounds",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for programs")] = False,
) -> None:
    """Validate a scenario and explain what it asks for, without running it."""
    from rich.console import Console
    from rich.table import Table

    from cosim.preflight.explain import explain
    from cosim.scenario.complaints.blame import blaming
    from cosim.scenario.load import load_with_document

    config, document = load_with_document(scenario, set_ or [])
    echo_log(True)
    with blaming(document):
        explanation = explain(config)
        facts = [*explanation.facts, *_wall_time(config, explanation, timed=timed)]
    if as_json:
        typer.echo(_json(config, facts, explanation.warnings))
        return
    table = Table(
        title=f"{config.name}: {config.device_count} devices, {config.rounds} rounds",
        show_header=False,
    )
    table.add_column()
    table.add_column()
    for fact in facts:
        table.add_row(fact.name, fact.value)
    console = Console(markup=False, emoji=False)
    console.print(table)
    for sentence in explanation.warnings:
        console.print(f"warning: {sentence}", highlight=False)


def _wall_time(scenario: Scenario, explanation: Explanation, *, timed: bool | None) -> list[Fact]:
    """How long the run takes on this machine; timed: whether to time steps of it, None: where it
    learns, no profile tells and nothing must be fetched for it."""
    if explanation.scoring_flop is None:
        return _network_wall_time(scenario) if timed else []
    from rich.console import Console

    from cosim.learning.base.base_model import on_this_machine
    from cosim.observers.tally import clock_text
    from cosim.preflight.explain import Fact
    from cosim.profiling.wall_time import foreseen_by_profile, foreseen_by_timing

    asked = scenario, explanation.work, explanation.scoring_flop
    foreseen = None if timed else foreseen_by_profile(*asked)
    if foreseen is None:
        words = "not known: there is no profile of this machine that fits; --timed measures it"
        if timed is False:
            return [Fact("wall time", words)]
        if timed is None and not on_this_machine(scenario.base_model.source):
            return [Fact("wall time", f"{words}, and fetches the model for that")]
        with Console(stderr=True).status("timing a few steps and questions"):
            foreseen = foreseen_by_timing(*asked)
    words = f"about {clock_text(foreseen.total_s)} on this machine left alone: training "
    words += f"{clock_text(foreseen.training_s)}, evaluation {clock_text(foreseen.evaluation_s)}; "
    words += foreseen.source
    amounts = {"training_s": foreseen.training_s, "evaluation_s": foreseen.evaluation_s}
    return [Fact("wall time", words, amounts=amounts)]


def _network_wall_time(scenario: Scenario) -> list[Fact]:
    from rich.console import Console

    from cosim.cli.network_forecast import FIRST_ROUNDS, network_wall_s
    from cosim.observers.tally import clock_text
    from cosim.preflight.explain import Fact

    with Console(stderr=True).status("playing the first rounds"):
        seconds = network_wall_s(scenario)
    played = min(FIRST_ROUNDS, scenario.rounds)
    about = f"about {clock_text(seconds)}" if seconds >= 1 else "less than a second"
    rounds = "1 round" if played == 1 else f"{played} rounds"
    words = f"{about} on this machine left alone, by {rounds} played now"
    return [Fact("wall time", words, amounts={"total_s": seconds})]


def _json(scenario: Scenario, facts: list[Fact], warnings: tuple[str, ...]) -> str:
    """The facts by name, in words and in numbers whose names end with their units."""
    content = {
        "name": scenario.name,
        "method": scenario.method.name,
        "devices": scenario.device_count,
        "rounds": scenario.rounds,
        "facts": {
            fact.name: {"words": fact.value, "warning": fact.warning, **fact.amounts}
            for fact in facts
        },
        "warnings": list(warnings),
    }
    return json_text(content)
