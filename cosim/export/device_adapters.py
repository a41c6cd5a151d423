"""The experts of one device of a finished run as PEFT adapters."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from cosim.errors import ExportError
from cosim.trace.files import ADAPTERS
from cosim.trace.manifest import Status
from cosim.trace.reader import Run


def export_device(run: Run, device: int, to: Path) -> list[Path]:
    """Writes what a device answers with as PEFT adapters, and returns their folders.

    A single adapter goes to `to` itself; several go to a folder each, `device-4-arithmetic` after
    the device that trained it and its task. `to` must be new or empty, and holds all or nothing.
    Raises ExportError for a run without adapters, a device that it does not have, or a folder
    that cannot be written.
    """
    _refuse_used(to)
    folder = _adapters_of(run)

    from cosim.learning.storing.adapter_store import Stored, read_adapters
    from cosim.learning.storing.peft import write_peft

    store = read_adapters(folder)
    last = len(store.devices) - 1
    if not 0 <= device <= last:
        raise ExportError(
            f"--device {device}: {run.directory} has the devices 0 to {last}; the nearest is "
            f"{min(max(device, 0), last)}."
        )
    experts, layout = store.experts(device), store.layout_of(device)
    if not experts:
        raise ExportError(
            f"--device {device}: it holds no expert: it finished no fine-tuning and heard of none."
        )

    def name(expert: Stored) -> str:
        owner = "" if expert.owner is None else f"device-{expert.owner}-"
        return _safe(f"{owner}{expert.task}")

    names = [name(expert) for expert in experts] if len(experts) > 1 else ["."]
    if len(set(names)) < len(names):  # tasks whose names differ in what a folder cannot hold
        names = [f"{number}-{name}" for number, name in enumerate(names)]
    try:
        to.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{to.name}-", dir=to.absolute().parent
        ) as scratch:
            complete = Path(scratch) / "whole"
            for leaf, expert in zip(names, experts, strict=True):
                place = complete / leaf
                write_peft(place, layout, store.scale, expert.adapter, _base_model(run))
            complete.replace(to)
    except OSError as error:
        raise ExportError(f"{to} cannot be written: {error.strerror}.") from error
    return [to / leaf for leaf in names]


def _adapters_of(run: Run) -> Path:
    status = run.manifest.get("status")
    if status != Status.COMPLETED:
        raise ExportError(
            f"{run.directory} is {status}: adapters are written when a run is completed."
        )
    folder = run.directory / ADAPTERS
    if folder.is_dir():
        return folder
    if run.manifest.get("base_model") is None:
        raise ExportError(
            f"{run.directory} has no adapters: it played the network alone (learning: none)."
        )
    raise ExportError(
        f"{run.directory} has no {ADAPTERS}/: its scenario says trace.adapters: false, its method "
        "trains every parameter and has no adapter, or it was played before adapters were kept."
    )


def _refuse_used(to: Path) -> None:
    if to.is_dir():
        names = sorted(entry.name for entry in to.iterdir())
        if names:
            raise ExportError(
                f"{to} already holds {names[0]}; an export never overwrites: name a new directory."
            )
    elif to.exists():
        raise ExportError(f"{to} is a file; name a new directory.")


def _base_model(run: Run) -> str | None:
    """The name by which transformers would load the base model; None for a wheel's."""
    kind, _, name = str(run.manifest["base_model"]).partition(":")
    return name if kind in ("path", "hf") else None


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "expert"
