"""The devices of a finished run, as far as they answer."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from torch import Tensor

from cosim.learning.federation.fleet import expert_of
from cosim.learning.federation.own_rank import OwnRank
from cosim.learning.storing.adapter_index import StoredAdapter, StoredStream
from cosim.learning.storing.adapter_store import AdapterStore
from cosim.methods.adapter import Adapter
from cosim.methods.calibration import Calibration
from cosim.methods.expert import Expert
from cosim.methods.method import Method
from cosim.methods.state import DeviceState


class StoredFleet:
    """A stored fleet answers as the fleet did that was stored, and learns no more.

    taken_for: the run's task that questions of other tasks are taken for, where a method is told a
    question's task; None: the device's own. Raises ExportError for what cannot be read.
    """

    def __init__(self, store: AdapterStore, method: Method, taken_for: str | None = None) -> None:
        self.store, self.method, self.taken_for = store, method, taken_for
        self._adapters: dict[tuple[str, str | None, str, int], Adapter] = {}
        self._states: dict[int, DeviceState] = {}

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The task of every device, by id."""
        return tuple(device.task for device in self.store.devices)

    def expert(self, device: int, task: str) -> Expert | None:
        """What a device answers a task with, by the method's composition; None: the base alone."""
        if task not in self.tasks:
            task = self.taken_for or self.tasks[device]
        experts = self.store.devices[device].experts
        shared = {e.task: self._adapter(device, e) for e in experts if e.owner is None}
        return expert_of(self.method, self._state(device), shared, task, self.tasks)

    def features(self, owner: int) -> Tensor:
        """h of a device's task at the gate's blocks (L, h)."""
        return self.store.features(owner)

    def _state(self, device: int) -> DeviceState:
        if device not in self._states:
            stored = self.store.devices[device]
            bank: dict[int, Adapter] = {}
            if self.method.composition.asks_experts:
                bank = {
                    e.owner: self._adapter(e.owner, e)
                    for e in stored.experts
                    if e.owner is not None
                }
            calibration = None
            if stored.features is not None:
                calibration = Calibration(features=self.store.features(device))
            state = DeviceState(self._adapter(device, stored.adapter), 1.0, bank, calibration)
            self._states[device] = state
        return self._states[device]

    def _adapter(self, device: int, reference: StoredAdapter) -> Adapter:
        """Read once, however many banks hold it; of the federation's layout, padded where the
        device's own is of a lower rank."""
        A = reference.projection
        source = A.digest if isinstance(A, StoredStream) else A
        layout = self.store.layout_of(device)
        key = (reference.values, reference.support, source, layout.rank)
        if key not in self._adapters:
            adapter, own = (
                self.store.read(reference, layout),
                OwnRank(self.store.layout, layout.rank),
            )
            self._adapters[key] = replace(
                adapter,
                values=own.widened("B", adapter.values),
                projection=own.widened("A", adapter.projection),
            )
        return self._adapters[key]
