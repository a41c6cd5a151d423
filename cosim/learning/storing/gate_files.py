"""A gate in files of its own, with a reference that routes by them without cosim."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from cosim.learning.storing import routing_reference
from cosim.learning.storing.adapter_store import AdapterStore, AnsweringExpert
from cosim.methods.composition.slot import Composition

ROUTE = "route.py"


def write_gate(
    folder: Path,
    names: Sequence[str],
    experts: Sequence[AnsweringExpert],
    store: AdapterStore,
    composition: Composition,
    base_model: Mapping[str, Any],
) -> None:
    """Writes `gate.json`, `gate.safetensors` and `route.py`; nothing where no gate chooses among
    several experts.

    names: the experts' folders. base_model: as gate.json has it, its name and dtype. Raises
    OSError, and ExportError where the features were not kept.
    """
    routing = composition.routing
    owners = [expert.owner for expert in experts if expert.owner is not None]
    if routing is None or len(owners) < max(len(experts), 2):
        return
    features = torch.stack([store.features(owner) for owner in owners])
    gate = {
        **base_model,
        "top_k": routing.top_k,
        "temperature": routing.temperature,
        "reads": composition.reading[1],
        "blocks": list(store.blocks),
        "experts": [
            {"folder": name, "device": expert.owner, "task": expert.task}
            for name, expert in zip(names, experts, strict=True)
        ],
    }
    text = json.dumps(gate, indent=2, ensure_ascii=False)
    (folder / "gate.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "gate.safetensors").write_bytes(save({"features": features.contiguous()}))
    (folder / ROUTE).write_bytes(Path(routing_reference.__file__).read_bytes())
