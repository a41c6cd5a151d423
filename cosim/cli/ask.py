"""The command that asks a device of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cosim.cli.echoed_log import echo_log
from cosim.errors import UsageError

if TYPE_CHECKING:
    from cosim.learning.respondents import Answer

# Experts named of an answer; the others are counted.
_NAMED = 3


def ask(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="a directory of a completed run")],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="what to ask")] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="N", help="who answers; base: the base model without an adapter"),
    ] = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="rows with a prompt, one JSON object a line"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="where the answered rows go; default: the terminal"),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, metavar="N", help="of an answer, at most")
    ] = 64,
    taken_for: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="TASK",
            help="the run's task that is asked, where a method is told it, and whose fields rows "
            "have; default: the device's own, and a row's prompt",
        ),
    ] = None,
) -> None:
    """Ask a device of a finished run; its adapter, or its gated experts, answer.

    The base model writes what is most likely: the same question gets the same answer.

    Of --jsonl each row is given back with what was `generated` and whose expert was `asked`.
    """
    from cosim.asking.ask import ask as asked
    from cosim.asking.ask import ask_rows, json_lines
    from cosim.trace.reader import read_run

    if (text is None) == (jsonl is None):
        raise UsageError("ask: one of TEXT and --jsonl FILE is needed, and not both")
    if out is not None and jsonl is None:
        raise UsageError("ask: --out takes the rows of --jsonl; one answer goes to the terminal")
    who = _device(device)
    run = read_run(run_)
    echo_log(True)
    if jsonl is None:
        (answer,) = asked(run, who, [str(text)], max_tokens=max_tokens, taken_for=taken_for)
        typer.echo(answer.text)
        typer.echo(_note(answer, who, max_tokens), err=True)
        return
    rows = ask_rows(run, who, jsonl, max_tokens=max_tokens, taken_for=taken_for)
    if out is None:
        typer.echo(json_lines(rows), nl=False)
        return
    from cosim.comparison.formats import write_file

    write_file(json_lines(rows), out)
    typer.echo(f"written: {out}")


def _device(word: str | None) -> int | Literal["base"]:
    if word is None:
        raise UsageError("ask: --device N says who answers, or --device base")
    if word == "base":
        return "base"
    try:
        return int(word)
    except ValueError:
        raise UsageError(f"--device: {word!r} is no device; expected its number, or base") from None


def _note(answer: Answer, device: int | str, max_tokens: int) -> str:
    """Who answered, and whether to the end."""
    names = [
        f"{'all devices' if one.owner is None else f'device {one.owner}'} ({one.task})"
        + ("" if one.share == 1 else f" {one.share:.2f}")
        for one in answer.asked[:_NAMED]
    ]
    if len(answer.asked) > _NAMED:
        names.append(f"{len(answer.asked) - _NAMED} more")
    if device != "base" and not names:
        names = [f"the base model alone: device {device} has learnt nothing of it"]
    cut = "" if answer.ended else f"; cut after {max_tokens} tokens (--max-tokens)"
    return f"asked: {', '.join(names) or 'the base model alone'}{cut}"
