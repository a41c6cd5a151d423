"""The adapters of a finished run on disk: every tensor once, a frozen A by its seed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cosim.errors import ExportError
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.own_rank import OwnRank
from cosim.learning.storing.adapter_index import (
    FORMAT,
    StoredAdapter,
    StoredDevice,
    StoredStream,
    read_index,
)
from cosim.methods.adapter import Adapter
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.projection.gaussian import gaussian_projection

INDEX_FILE = "index.json"


@dataclass(frozen=True)
class AnsweringExpert:
    """An answering expert is one that a device answers with.

    owner: the device that trained it; None where it belongs to a task.
    task: which it was trained on.
    adapter: its values.
    """

    owner: int | None
    task: str
    adapter: Adapter


def save_adapters(
    folder: Path, fleet: Fleet, blocks: Sequence[int] = (), *, scale: float, seed: int
) -> None:
    """Writes `index.json` and a safetensors file a device into a new folder.

    A device's file holds the values (float32), supports (int32, or int64 where positions need it),
    projections (float32) and, where a gate asks, features (float32) that no device before it holds
    too, each named by its hash. An A that a seed gives is stored as the seed. Where a device has a
    lower rank, the index tells it, and its adapter is stored without padding, whoever holds it as
    an expert. The index comes last: where it is, all is. blocks: at whose inputs features were
    read.
    Raises ExportError where the disk refuses.
    """
    writer = _Writer(fleet, seed)
    try:
        folder.mkdir(parents=True)
        devices = []
        for device, task in enumerate(fleet.tasks):
            own = fleet.own[device]
            adapter = writer.reference(device, fleet.adapters[device], own)
            experts = [
                {"owner": e.owner, "task": e.task}
                | writer.reference(
                    e.owner, e.adapter, own if e.owner is None else fleet.own[e.owner]
                )
                for e in held_experts(fleet, device)
            ]
            calibration = fleet.calibrations[device]
            features = None if calibration is None else calibration.features
            entry = {"device": device, "task": task, "adapter": adapter, "experts": experts}
            if features is not None:
                entry["features"] = writer.named(features.flatten())
            devices.append(entry if own.whole else {**entry, "rank": own.layout.rank})
            file = f"device-{device:04d}.safetensors"
            (folder / file).write_bytes(save(writer.pending(file)))
        index = {
            "format": FORMAT,
            "rank": fleet.layout.rank,
            "scale": scale,
            "modules": [asdict(module) for module in fleet.layout.modules],
            "tensors": writer.files,
            "devices": devices,
            "blocks": list(blocks),
        }
        temporary = folder / f".{INDEX_FILE}.tmp"
        temporary.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, folder / INDEX_FILE)
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{folder}: the adapters cannot be written: {error}.") from error


def held_experts(fleet: Fleet, device: int) -> list[AnsweringExpert]:
    """The adapters that a device answers with, by owner or, where data is pooled, by task."""
    if not fleet.method.composition.asks_experts:
        return [AnsweringExpert(device, fleet.tasks[device], fleet.adapters[device])]
    if fleet.method.data.by_task:
        return [AnsweringExpert(None, task, expert) for task, expert in fleet.shared.items()]
    bank = fleet.banks[device]
    return [AnsweringExpert(owner, fleet.tasks[owner], bank[owner]) for owner in sorted(bank)]


@dataclass(frozen=True)
class AdapterStore:
    """A store is a folder of adapters, opened; tensors are read when they are asked for.

    ExportError for a tensor that is not there, or has another type or size than the layout.

    folder: where it lies.
    layout: of the adapters of the largest rank.
    scale: α/r, by which B·A is multiplied.
    tensors: the file that holds each tensor, by the tensor's name.
    devices: what the index says of each, by id.
    blocks: the transformer blocks at whose inputs features were read; empty where no gate asks.
    """

    folder: Path
    layout: Layout
    scale: float
    tensors: Mapping[str, str]
    devices: Sequence[StoredDevice]
    blocks: Sequence[int]

    def adapter(self, device: int) -> Adapter:
        """The device's own adapter at the end of the run, without optimiser state."""
        return self.read(self.devices[device].adapter, self.layout_of(device))

    def experts(self, device: int) -> list[AnsweringExpert]:
        """What the device answers with, in the order of the owners."""
        owners = [(e, device if e.owner is None else e.owner) for e in self.devices[device].experts]
        return [
            AnsweringExpert(e.owner, e.task, self.read(e, self.layout_of(of))) for e, of in owners
        ]

    def layout_of(self, device: int) -> Layout:
        """Where the modules lie in the device's adapters, which are of its own rank."""
        return self.layout.of_rank(self.devices[device].rank or self.layout.rank)

    def features(self, device: int) -> Tensor:
        """h of the device's task at the gate's blocks (L, h)."""
        name = self.devices[device].features
        if name is None or not self.blocks:
            raise ExportError(
                f"{self.folder} holds no features of device {device}'s task, by which a gate "
                "routes: an earlier version of cosim wrote it; run its scenario again."
            )
        values = self._tensor(name, torch.float32)
        if values.numel() % len(self.blocks):
            raise ExportError(f"{self.folder}: tensor {name} is not of {len(self.blocks)} blocks.")
        return values.view(len(self.blocks), -1)

    def read(self, reference: StoredAdapter, layout: Layout) -> Adapter:
        """The adapter of a layout that a reference names."""
        values = self._tensor(reference.values, torch.float32)
        size, support = layout.expansion_size, None
        if reference.support is not None:
            support = self._tensor(reference.support, torch.int32, torch.int64).long()
            size = support.numel()
            if size and not (0 <= int(support.min()) <= int(support.max()) < self._most):
                raise ExportError(
                    f"{self.folder}: tensor {reference.support} holds positions outside "
                    f"0 to {self._most - 1}."
                )
        self._refuse_other_size(reference.values, values, size)
        projection = self._projection(reference.projection, layout)
        self._refuse_other_size("of a projection", projection, layout.projection_size)
        return Adapter(values, support, projection)

    @property
    def _most(self) -> int:
        return self.layout.expansion_size

    def _projection(self, reference: str | StoredStream, layout: Layout) -> Tensor:
        if isinstance(reference, str):
            return self._tensor(reference, torch.float32)
        seed, name = reference.stream
        try:
            whole = gaussian_projection(self.layout, seed, name, printed=reference.printed)
            A = OwnRank(self.layout, layout.rank).narrowed("A", whole)
        except MemoryError:
            raise ExportError(f"{self.folder}: a projection does not fit into memory.") from None
        if _digest(A) != reference.digest:
            raise ExportError(
                f"{self.folder}: the projection of seed {seed} comes out otherwise here than in "
                "the run: export with the versions of cosim and numpy that its manifest names."
            )
        return A

    def _tensor(self, name: str, *types: torch.dtype) -> Tensor:
        if name not in self.tensors:
            raise ExportError(f"{self.folder / INDEX_FILE} names no file for tensor {name}.")
        path = self.folder / self.tensors[name]
        try:
            with safe_open(path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise ExportError(f"{path} cannot be read: {error}.") from error
        if tensor.dtype not in types or tensor.dim() != 1:
            raise ExportError(
                f"{path}: tensor {name} is {tensor.dtype} of shape {list(tensor.shape)}; expected "
                f"one dimension of {' or '.join(map(str, types))}."
            )
        return tensor

    def _refuse_other_size(self, name: str, tensor: Tensor, size: int) -> None:
        if tensor.numel() != size:
            raise ExportError(
                f"{self.folder}: tensor {name} holds {tensor.numel()} values; expected {size}."
            )


def read_adapters(folder: Path) -> AdapterStore:
    """Opens what `save_adapters` wrote; raises ExportError where it is not that."""
    index = read_index(folder / INDEX_FILE)
    modules = tuple(AdaptedModule(**module.model_dump()) for module in index.modules)
    layout = Layout(modules, index.rank)
    return AdapterStore(folder, layout, index.scale, index.tensors, index.devices, index.blocks)


class _Writer:
    """Names tensors by their content and remembers which file holds each."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet, self.seed = fleet, seed
        self.files: dict[str, str] = {}
        self._pending: dict[str, Tensor] = {}
        self._from_seed: dict[tuple[int | str, int], str] = {}
        self._int32: dict[int, tuple[Tensor, Tensor]] = {}
        self._digests: dict[int, tuple[Tensor, str]] = {}

    def pending(self, file: str) -> dict[str, Tensor]:
        """What has been named since the last call, for the file that will hold it."""
        out, self._pending = self._pending, {}
        self.files.update(dict.fromkeys(out, file))
        return out

    def reference(self, owner: int | None, adapter: Adapter, own: OwnRank) -> dict[str, Any]:
        """How the index speaks of an adapter, without the padding to its own rank."""
        support = adapter.support
        if support is not None and self.fleet.layout.expansion_size < 2**31:
            support = self._small(support)
        return {
            "values": self.named(own.narrowed("B", adapter.values)),
            "support": None if support is None else self.named(support),
            "projection": self._projection(owner, own.narrowed("A", adapter.projection), own),
        }

    def _projection(self, owner: int | None, A: Tensor, own: OwnRank) -> str | dict[str, Any]:
        """The seed that gives A where one does, else the tensor."""
        # An expert of a task has no owner, and then all devices share one A.
        if (seeded := self.fleet.method.projection.seed_stream(owner or 0)) is not None:
            name, printed = seeded
            if self._digest(A) == self._seeded(name, printed, own):
                stream = [self.seed, name]
                return {"stream": stream, "printed": printed, "digest": self._digest(A)}
        return self.named(A)

    def _seeded(self, name: int | str, printed: bool, own: OwnRank) -> str:
        key = name, own.layout.rank
        if key not in self._from_seed:
            A = gaussian_projection(self.fleet.layout, self.seed, name, printed=printed)
            self._from_seed[key] = _digest(own.narrowed("A", A))
        return self._from_seed[key]

    def _digest(self, tensor: Tensor) -> str:
        # A bank holds what other banks hold: the same tensors come many times.
        if id(tensor) not in self._digests:
            self._digests[id(tensor)] = (tensor, _digest(tensor))
        return self._digests[id(tensor)][1]

    def _small(self, support: Tensor) -> Tensor:
        """The same positions at half the bytes; the same tensor for the same support."""
        if id(support) not in self._int32:
            self._int32[id(support)] = (support, support.int())
        return self._int32[id(support)][1]

    def named(self, tensor: Tensor) -> str:
        """The name of a tensor, which is stored under it once."""
        name = self._digest(tensor)
        if name not in self.files and name not in self._pending:
            # A copy: safetensors refuses views that share memory.
            self._pending[name] = tensor.detach().cpu().clone().contiguous()
        return name


def _digest(tensor: Tensor) -> str:
    content = hashlib.blake2b(f"{tensor.dtype}".encode(), digest_size=16)
    content.update(tensor.detach().cpu().contiguous().numpy().data)
    return content.hexdigest()
