"""The command about methods: what there is, what one is made of, and whether it keeps its word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim.cli.json_text import json_text
from cosim.errors import MethodError, UsageError

if TYPE_CHECKING:
    from cosim.contract.verdict import Verdict
    from cosim.methods.method import Method

# Slots by which most methods differ.
_COLUMNS = ("projection", "topology", "aggregation", "sending")
# Where there is no terminal a row is a line.
_WIDE = 240
# In fewer columns a table would cut what sources are called.
_NARROW = 120


def methods(
    method: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="a method's name, or path:<file>; default: all"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="try METHOD on a tiny model and say what fails")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for programs")] = False,
) -> None:
    """List the methods, tell every part of one, or check that it keeps the contract.

    --check needs no network and writes nothing. A line a check; the exit code is 1 where one
    fails, 2 where METHOD cannot be used.
    """
    if method is None:
        if check:
            raise UsageError("--check: which method? cosim methods --check path:my_method.py")
        known, broken = _known()
        if as_json:
            typer.echo(json_text([_content(method, name) for name, method in known.items()]))
        else:
            _list(known)
        for line in broken:
            typer.echo(f"cosim: {line}", err=True)
        return
    from cosim.scenario.method import read_method

    chosen = read_method(method)
    if not as_json:
        _tell(chosen)
        verdicts = _verdicts(method, told=True) if check else []
    else:
        verdicts = _verdicts(method, told=False) if check else []
        checks = [
            {"name": verdict.name, "holds": verdict.holds, "sentence": verdict.sentence}
            for verdict in verdicts
        ]
        typer.echo(json_text(_content(chosen) | ({"checks": checks} if check else {})))
    if not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)


def _known() -> tuple[dict[str, Method], list[str]]:
    """The methods of this package and of those that are installed; a line for each broken one."""
    from cosim.methods import METHODS
    from cosim.methods.outside import installed, method_of_package

    known, broken = dict(METHODS), []
    for point in installed():
        try:
            outside = method_of_package(point.name)
        except MethodError as error:  # one broken package keeps nobody from the others
            broken.append(f"{point.name} cannot be used: {error}")
            continue
        if outside is not None:
            known[point.name] = outside
    return known, broken


def _list(known: Mapping[str, Method]) -> None:
    """A row a method, or a block where that is too wide: where it comes from, and the parts by
    which most of them differ."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    from cosim.methods.words import method_words

    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    # What is in braces has settings, which are told in full elsewhere.
    heads = {
        name: [_head(words[slot]) for slot in _COLUMNS]
        for name, method in known.items()
        if (words := dict(method_words(method)))
    }
    if console.width < _NARROW:
        for name, method in known.items():
            described = zip(_COLUMNS, heads[name], strict=True)
            console.print(name, style="bold")
            for line in (", ".join(map(" ".join, described)), method.reference):
                console.print(Padding(line, (0, 0, 0, 2)))
        console.print("cosim methods NAME tells every part of one")
        return
    table = Table(caption="cosim methods NAME tells every part of one", row_styles=["", "dim"])
    table.add_column("method", no_wrap=True)
    table.add_column("source")
    for slot in _COLUMNS:
        table.add_column(slot)
    for name, method in known.items():
        table.add_row(name, method.reference, *heads[name])
    console.print(table)


def _head(words: str) -> str:
    """A part's own name, without its settings."""
    if not words.startswith("{"):
        return words
    return words[1:-1].split(",")[0].partition(": ")[2]


def _content(method: Method, name: str | None = None) -> dict[str, Any]:
    """A method for programs: parts with all their settings, as a scenario takes them."""
    parts = method.model_dump(mode="json", exclude={"name", "reference"})
    return {"name": name or method.name, "reference": method.reference, "parts": parts}


def _tell(method: Method) -> None:
    from cosim.methods.words import method_words

    typer.secho(method.name, bold=True)
    typer.echo(f"  {method.reference}")
    for slot, part in method_words(method):
        typer.echo(f"  {slot:20} {part}")


def _verdicts(method: str, *, told: bool) -> list[Verdict]:
    """Every check of the contract, told as it is made or not at all."""
    from cosim.cli.exit_codes import stop_as_asked
    from cosim.host.collector import uncollected

    stop_as_asked()  # so that nothing temporary stays
    with uncollected():  # hundreds of modules come with it
        from cosim.contract.contract import contract

    verdicts = []
    for verdict in contract(method):
        verdicts.append(verdict)
        if told:
            typer.echo(str(verdict))
    faults = [verdict.name for verdict in verdicts if not verdict.holds]
    count = len(verdicts)
    end = f"{len(faults)} of {count} checks failed: {', '.join(faults)}"
    if told:
        clean = f"{count} of {count} checks made, nothing wrong"
        typer.echo(f"{method}: {end if faults else clean}")
    return verdicts
