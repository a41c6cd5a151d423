"""The adapters of a completed run: all there, readable, and what their names say they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cosim.trace.files import ADAPTERS
from cosim.verification.finding import Check, Finding
from cosim.verification.subject import Subject

_INDEX = f"{ADAPTERS}/index.json"


def check_adapters(run: Subject) -> Check:
    """The index lists every device, and every tensor that it names has that content."""
    if run.scenario is None:
        return Check("adapters", skipped="scenario.yaml cannot be read")
    scenario = run.scenario
    why = None
    if scenario.learning.model == "none":
        why = "none, the run played the network alone"
    elif not scenario.trace.adapters:
        why = "none, the scenario says trace.adapters: false"
    elif scenario.method.expansion.every_parameter:
        why = "none, the method trains every parameter"
    elif not run.completed:
        why = "none, the run was not completed"
    if why is not None:
        return Check("adapters", why)
    folder = run.directory / ADAPTERS
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        named, tensors = _named(index), dict(index["tensors"])
        devices = [int(entry["device"]) for entry in index["devices"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        summary = f"none ({type(error).__name__}: {error})"
        return Check("adapters", findings=[Finding(_INDEX, "content", "a readable index", summary)])
    findings = []
    if devices != list(range(scenario.device_count)):
        expected = f"0 to {scenario.device_count - 1}, one after the other"
        findings.append(Finding(_INDEX, "devices", expected, str(devices)))
    # A device all of whose tensors others hold too has a file without any.
    files: dict[str, list[str]] = {f"device-{device:04d}.safetensors": [] for device in devices}
    for name, file in tensors.items():
        files.setdefault(file, []).append(name)
    for missing in sorted(named - set(tensors)):
        findings.append(Finding(_INDEX, "tensors", f"the file of {missing}", "none"))
    for file, names in sorted(files.items()):
        findings += _of_file(folder, file, names)
    summary = f"{len(devices)} devices, {len(tensors)} tensors in {len(files)} files"
    return Check("adapters", summary, findings)


def _named(index: Mapping[str, Any]) -> set[str]:
    """The names of the tensors to which a device, its own adapter or one of its experts refers."""
    names = set()
    for device in index["devices"]:
        for adapter in (device["adapter"], *device["experts"]):
            for part in ("values", "support", "projection"):
                if isinstance(adapter[part], str):
                    names.add(adapter[part])
        if isinstance(device.get("features"), str):
            names.add(device["features"])
    return names


def _of_file(folder: Path, file: str, names: list[str]) -> Iterator[Finding]:
    place = f"{ADAPTERS}/{file}"
    if Path(file).name != file:
        yield Finding(_INDEX, "tensors", f"the name of a file in {ADAPTERS}/", repr(file))
        return
    try:
        with safe_open(folder / file, framework="np") as opened:
            tensors = set(opened.keys())
            for name in names:
                if name not in tensors:
                    yield Finding(place, f"tensor {name}", "one of that name", "none")
                    continue
                digest = _digest(opened.get_tensor(name))
                if digest != name:
                    yield Finding(place, f"tensor {name}", "content of that hash", digest)
    except (OSError, SafetensorError) as error:
        yield Finding(place, "content", "a readable safetensors file", str(error))


def _digest(tensor: Any) -> str:
    """The name of a tensor in the store: the hash of its type and its bytes."""
    content = hashlib.blake2b(f"torch.{tensor.dtype}".encode(), digest_size=16)
    content.update(tensor.tobytes())
    return content.hexdigest()
