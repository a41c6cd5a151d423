"""The experts of one device of a finished run as PEFT adapters."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import ExportError
from cosim.export.kept import kept_adapters, refuse_unknown_device, scenario_of
from cosim.trace.reader import Run

if TYPE_CHECKING:
    from cosim.learning.storing.adapter_store import AnsweringExpert


@dataclass(frozen=True)
class Exported:
    """What was exported lies in folders, one an adapter.

    folders: in the order of the experts; the export's own folder where there is one expert.
    base_model: by what transformers loads it.
    here: whether that is on this machine, as far as is known.
    dtype: that the run had the base model in.
    route: the script that routes among the adapters, None where no gate does.
    """

    folders: tuple[Path, ...]
    base_model: str
    here: bool
    dtype: str
    route: Path | None


def export_device(run: Run, device: int, to: Path) -> Exported:
    """Writes what a device answers with as PEFT adapters, and the gate that chooses among them.

    A single adapter goes to `to` itself; several go to a folder each, `device-4-arithmetic` after
    the device that trained it and its task. `to` must be new or empty, and holds all or nothing.
    Raises ExportError for a run without adapters, a device that it does not have, or a folder
    that cannot be written.
    """
    _refuse_used(to)
    folder = kept_adapters(run)

    from cosim.learning.base.base_model import name_of
    from cosim.learning.storing.adapter_store import read_adapters
    from cosim.learning.storing.gate_files import ROUTE, write_gate
    from cosim.learning.storing.peft import write_peft

    store = read_adapters(folder)
    refuse_unknown_device(run, device, len(store.devices))
    experts = store.experts(device)
    if not experts:
        raise ExportError(
            f"--device {device}: it holds no expert: it finished no fine-tuning and heard of none."
        )
    names = _names(experts)
    if lacking := {"base_model", "dtype"} - run.manifest.keys():
        raise ExportError(f"{run.directory}: its manifest.json lacks {', '.join(sorted(lacking))}.")
    base_model, here = name_of(str(run.manifest["base_model"]))
    dtype = str(run.manifest["dtype"])
    try:
        to.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{to.name}-", dir=to.absolute().parent
        ) as scratch:
            complete = Path(scratch) / "whole"
            for leaf, expert in zip(names, experts, strict=True):
                place = complete / leaf
                layout = store.layout_of(device if expert.owner is None else expert.owner)
                write_peft(place, layout, store.scale, expert.adapter, base_model)
            # A gate chooses among devices' experts; what else is exported needs no scenario.
            if len(experts) > 1 and all(expert.owner is not None for expert in experts):
                composition = scenario_of(run).method.composition
                named = {"base_model": base_model, "dtype": dtype}
                write_gate(complete, names, experts, store, composition, named)
            complete.replace(to)
    except OSError as error:
        raise ExportError(f"{to} cannot be written: {error.strerror}.") from error
    route = to / ROUTE
    folders = tuple(to / leaf for leaf in names)
    return Exported(folders, base_model, here, dtype, route if route.is_file() else None)


def _names(experts: Sequence[AnsweringExpert]) -> list[str]:
    """The folders of experts, distinct."""

    def name(expert: AnsweringExpert) -> str:
        owner = "" if expert.owner is None else f"device-{expert.owner}-"
        return _safe(f"{owner}{expert.task}")

    names = [name(expert) for expert in experts] if len(experts) > 1 else ["."]
    if len(set(names)) < len(names):  # tasks whose names differ in what a folder cannot hold
        names = [f"{number}-{name}" for number, name in enumerate(names)]
    return names


def _refuse_used(to: Path) -> None:
    if to.is_dir():
        names = sorted(entry.name for entry in to.iterdir())
        if names:
            raise ExportError(
                f"{to} already holds {names[0]}; an export never overwrites: name a new directory."
            )
    elif to.exists():
        raise ExportError(f"{to} is a file; name a new directory.")


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "expert"
