"""The command about methods: what there is, what one is made of, and whether it keeps its word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cosim.errors import MethodError, UsageError

if TYPE_CHECKING:
    from cosim.methods.method import Method


def methods(
    method: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="a method's name, or path:<file>; default: all"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="try METHOD on a tiny model and say what fails")
    ] = False,
) -> None:
    """List the methods and the parts that each is made of, or check that one keeps the contract.

    --check needs no network and writes nothing. A line a check; the exit code is 1 where one
    fails, 2 where METHOD cannot be used.
    """
    if method is None:
        if check:
            raise UsageError("--check: which method? cosim methods --check path:my_method.py")
        _tell_all()
        return
    from cosim.scenario.method import read_method

    _tell(read_method(method))
    if check:
        _check(method)


def _tell_all() -> None:
    from cosim.methods import METHODS
    from cosim.methods.outside import installed, method_of_package

    for method in METHODS.values():
        _tell(method)
    for point in installed():
        try:
            outside = method_of_package(point.name)
        except MethodError as error:  # one broken package keeps nobody from the others
            typer.secho(point.name, bold=True)
            typer.echo(f"  cannot be used: {error}")
            continue
        if outside is not None:
            _tell(outside, point.name)


def _tell(method: Method, name: str | None = None) -> None:
    from cosim.methods.words import method_words

    typer.secho(name or method.name, bold=True)
    typer.echo(f"  {method.reference}")
    for slot, part in method_words(method):
        typer.echo(f"  {slot:20} {part}")


def _check(method: str) -> None:
    from cosim.cli.exit_codes import stop_as_asked
    from cosim.host.collector import uncollected

    stop_as_asked()  # so that nothing temporary stays
    with uncollected():  # hundreds of modules come with it
        from cosim.contract.contract import contract

    verdicts = []
    for verdict in contract(method):
        verdicts.append(verdict)
        typer.echo(str(verdict))
    faults = [verdict.name for verdict in verdicts if not verdict.holds]
    if faults:
        typer.echo(f"{method}: {len(faults)} of {len(verdicts)} checks failed: {', '.join(faults)}")
        raise typer.Exit(1)
    typer.echo(f"{method}: {len(verdicts)} of {len(verdicts)} checks made, nothing wrong")
