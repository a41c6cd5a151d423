"""The learning states of all devices, and what follows from them without a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.learning.federation.collision import measured_collision_rate
from cosim.learning.federation.own_rank import OwnRank
from cosim.learning.records import LayerState
from cosim.methods.adapter import Adapter
from cosim.methods.calibration import Calibration
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout
from cosim.methods.message import Heard, as_transmitted
from cosim.methods.method import Method
from cosim.methods.state import DeviceState


class Fleet:
    """A fleet is the learning state of all devices, by id.

    states: of every device; replaced, never changed.
    shared: a task's one expert where its data lies in one place.
    own: the rank of every device; the layout's if none are given.
    first_projections: A of every device at the start, which follows from the scenario.
    """

    def __init__(
        self,
        layout: Layout,
        method: Method,
        tasks: Sequence[str],
        seed: int,
        densities: Sequence[float],
        bits_per_value: int,
        ranks: Sequence[int] | None = None,
    ) -> None:
        self.layout, self.method, self.tasks = layout, method, tuple(tasks)
        self.bits_per_value = bits_per_value
        by_rank = {rank: OwnRank(layout, rank) for rank in {layout.rank, *(ranks or ())}}
        self.own = [by_rank[rank] for rank in ranks or [layout.rank] * len(tasks)]
        self.first_projections = self._projections(seed)
        self.states = self._first_states(densities)
        self.shared: dict[str, Adapter] = {}
        self._sizes = np.array(layout.expansion_sizes)

    @property
    def adapters(self) -> list[Adapter]:
        """Every device's adapter."""
        return [state.adapter for state in self.states]

    @property
    def banks(self) -> list[Mapping[int, Adapter]]:
        """Every device's bank: what it last read of each owner's expert."""
        return [state.bank for state in self.states]

    @property
    def calibrations(self) -> list[Calibration | None]:
        """Every device's calibration."""
        return [state.calibration for state in self.states]

    def _projections(self, seed: int) -> list[torch.Tensor]:
        """The first A of every device; each owner has a stream of its own, and numpy draws
        without Python's lock."""
        projection = self.method.projection
        owners = [projection.owner(device) for device in range(len(self.tasks))]
        distinct = list(dict.fromkeys(owners))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            first = pool.map(lambda owner: projection.first(self.layout, seed, owner), distinct)
            by_owner = dict(zip(distinct, first, strict=True))
        # Who shares an A and a rank shares the tensor.
        cut = {
            (owner, own.layout.rank): (own, by_owner[owner])
            for owner, own in zip(owners, self.own, strict=True)
        }
        trimmed = {key: own.trimmed("A", A) for key, (own, A) in cut.items()}
        return [
            trimmed[owner, own.layout.rank] for owner, own in zip(owners, self.own, strict=True)
        ]

    def _first_states(self, densities: Sequence[float]) -> list[DeviceState]:
        """ΔW = 0 everywhere: B starts at zero, A as the method's projection says."""
        values, support = self.method.expansion.first(self.layout)
        sending, projection = self.method.sending, self.method.projection
        return [
            sending.begins(DeviceState(Adapter(values, support, A), density), projection)
            for A, density in zip(self.first_projections, densities, strict=True)
        ]

    def padded(self, part: Heard) -> Heard:
        """What is heard, with the factors of a sender of a lower rank padded."""
        sender = self.own[part.message.device]
        return part if sender.whole else replace(part, message=sender.heard(part.message))

    def inform(self, device: int, rate: float) -> None:
        """Tells a device how fast its links are, in shares of the mean over all devices."""
        self.states[device] = self.method.sending.informed(self.states[device], rate)

    def limit(self, device: int, values: float) -> None:
        """Lowers Q_budget of a device, in values of B; a mask that has been chosen stays."""
        state = self.states[device]
        density = min(state.density, values / self.layout.expansion_size)
        self.states[device] = replace(state, density=density)

    def as_told(self, calibration: Calibration) -> Calibration:
        """A calibration in the precision of the air, as receivers have it as well."""
        features, inputs = (
            None if values is None else as_transmitted(values, self.bits_per_value)
            for values in (calibration.features, calibration.inputs)
        )
        return replace(calibration, features=features, inputs=inputs)

    def fault(self, calibration: Calibration) -> str | None:
        """What makes a calibration useless: its own fault, or the projection's with it; None where
        it can be used."""
        if calibration.fault is not None:
            return calibration.fault
        return self.method.projection.fault(self.layout, self.as_told(calibration))

    def calibrated(self, device: int, calibration: Calibration) -> DeviceState:
        """The device's state once this calibration is its own; as it is where one is already."""
        state = self.states[device]
        if state.calibration is not None:
            return state
        heard = self.as_told(calibration)
        A = self.method.projection.calibrated(state.adapter.projection, self.layout, heard)
        state = replace(state, calibration=heard)
        return state if A is state.adapter.projection else state.with_adapter(projection=A)

    def learnt_nothing(self, device: int) -> None:
        """Notes that a fine-tuning of a device came to nothing."""
        state = self.states[device]
        self.states[device] = self.method.aggregation.learnt(state, state, 0, self.layout)

    def learnt(self, device: int, adapter: Adapter, reached: int | None = None) -> None:
        """Makes an adapter the device's own, and its expert where experts are asked.

        reached: how many blocks, counted from the last, hold anything new; None: all of them.
        """
        before = self.states[device]
        state = replace(before, adapter=adapter)
        state = self.method.aggregation.learnt(before, state, reached, self.layout)
        if self.method.composition.asks_experts:
            values = as_transmitted(adapter.values, self.bits_per_value)
            state = state.hold({device: replace(adapter, values=values, moments={})})
        self.states[device] = state
        task = self.tasks[device]
        if task not in self.shared or self.shared[task].round <= adapter.round:
            self.shared[task] = adapter

    def expert(self, device: int, task: str) -> Expert | None:
        """What a device answers a task with, by the method's composition; None: the base alone."""
        return expert_of(self.method, self.states[device], self.shared, task, self.tasks)

    def features(self, owner: int) -> torch.Tensor:
        """h of an expert's task at the gate's blocks (L, h), as its receivers know it."""
        calibration = self.states[owner].calibration
        assert calibration is not None, "an expert that has not been calibrated"
        assert calibration.features is not None, "the method has no gate"
        return calibration.features

    def layers(self, device: int) -> list[LayerState]:
        """Spectral entropy, density and size of B by module."""
        kept, sizes = self.kept_by_module(device), self.own[device].layout.expansion_sizes
        calibration = self.states[device].calibration
        entropies = None if calibration is None else calibration.entropies
        return [
            LayerState(
                module.layer,
                module.name,
                int(kept[number]) / sizes[number],
                sizes[number],
                int(kept[number]),
                None if entropies is None else float(entropies[number]),
            )
            for number, module in enumerate(self.layout.modules)
        ]

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(M, L) densities by device and module, and the modules' sizes d·r as weights (L,).

        Those of the mask, or before there is one those that are planned; of all that a device of a
        lower rank has.
        """
        kept = [self.kept_by_module(device) for device in devices]
        sizes = [self.own[device].layout.expansion_sizes for device in devices]
        return np.array(kept) / np.array(sizes), self._sizes

    def collision(self, devices: Sequence[int]) -> float:
        """Measured share of positions of B that at least two of the devices train."""
        supports = [self.states[device].adapter.support for device in devices]
        masks = [support for support in supports if support is not None]
        if len(masks) < len(supports):  # dense: everybody trains every position
            return 1.0 if len(supports) > 1 else 0.0
        return measured_collision_rate(masks, self.layout.expansion_size)

    def kept_by_module(self, device: int) -> NDArray[np.int64]:
        """How many positions of each module's B the device trains, or is going to (L,)."""
        state = self.states[device]
        support = state.adapter.support
        if support is None or support.numel() == 0:
            return self.planned(device, state.calibration)
        return self.kept_of(support)

    def kept_of(self, support: torch.Tensor) -> NDArray[np.int64]:
        """How many positions of each module's B a support holds (L,)."""
        below = np.searchsorted(support.numpy(), np.cumsum(self._sizes))
        return np.diff(below, prepend=0)

    def planned(self, device: int, calibration: Calibration | None) -> NDArray[np.int64]:
        """How many positions of each module the device will train with this calibration (L,)."""
        density = self.states[device].density
        return self.method.expansion.planned(self.own[device].layout, density, calibration)


def expert_of(
    method: Method,
    state: DeviceState,
    shared: Mapping[str, Adapter],
    task: str,
    tasks: Sequence[str],
) -> Expert | None:
    """What a device in this state answers a task with; None: the base model alone.

    shared: a task's one expert where its data lies in one place. tasks: of every device by id.
    """
    if method.data.by_task:
        expert = Expert((shared[task],) if task in shared else ())
    else:
        expert = method.composition.expert(state, task, tasks)
    return None if expert.silent else expert
