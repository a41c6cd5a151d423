"""The command that writes a device's experts for other tools."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cosim.export.device_adapters import Exported

# As the rows of the task that comes with cosim are worded.
_ASKED = "Solve the arithmetic problem: 4 + 3 ="


def export(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="a directory of a completed run")],
    device: Annotated[int, typer.Option(metavar="N", help="whose experts")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="a new directory")],
) -> None:
    """Write the experts of a device as PEFT LoRA adapters, and the gate among them.

    peft.PeftModel.from_pretrained loads each of them, onto the base model that it names.

    A single adapter goes to DIR itself, several go to a folder each.
    """
    from cosim.export.device_adapters import export_device
    from cosim.trace.reader import read_run

    exported = export_device(read_run(run_), device, to)
    for folder in exported.folders:
        typer.echo(folder)
    typer.echo(_next(exported), err=True)


def _next(exported: Exported) -> str:
    """What can be done with it: in Python, by lm-evaluation-harness, through the gate."""
    first, base, dtype = exported.folders[0], exported.base_model, exported.dtype
    arguments = f"pretrained={base},peft={first},dtype={dtype}"
    absent = "" if exported.here else " (not on this machine: a run of its scenario makes it)"
    lines = [
        f"base model: {base}{absent}",
        "",
        "import peft, transformers",
        f"base = transformers.AutoModelForCausalLM.from_pretrained({base!r}, dtype={dtype!r})",
        f"tokenizer = transformers.AutoTokenizer.from_pretrained({base!r})",
        f"model = peft.PeftModel.from_pretrained(base, {str(first)!r})",
        f'asked = tokenizer("{_ASKED}", return_tensors="pt")  # word it as its rows are',
        "print(tokenizer.decode(model.generate(**asked, max_new_tokens=32)[0]))",
        "",
        f"lm_eval --model hf --model_args {shlex.quote(arguments)} --tasks arc_easy",
    ]
    if exported.route is not None:
        lines.append(f'python {shlex.quote(str(exported.route))} "{_ASKED}"')
    return "\n".join(lines)
