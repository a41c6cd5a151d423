"""The learning state of one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cosim.methods.adapter import Adapter
from cosim.methods.calibration import Calibration


@dataclass(frozen=True)
class DeviceState:
    """A state is all that one device's learning hangs on; it is replaced and never changed.

    adapter: what the device trains.
    density: Q_budget/Σd·r, the share of B that a mask may keep.
    bank: experts by owner, as the device last read them, in the precision of the air.
    calibration: what the base model told of the device's task; None before.
    memory: what parts remember, by slot: tensors, numbers, words, and containers of these.
    """

    adapter: Adapter
    density: float
    bank: Mapping[int, Adapter] = field(default_factory=dict)
    calibration: Calibration | None = None
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def with_adapter(self, **changes: Any) -> DeviceState:
        """The state with some of the adapter's parts replaced."""
        return replace(self, adapter=replace(self.adapter, **changes))

    def hold(self, experts: Mapping[int, Adapter]) -> DeviceState:
        """The state with experts in the bank, but for those of which it has a newer one.

        One of the same round takes the place of what was read of it before.
        """
        bank = dict(self.bank)
        for owner, expert in experts.items():
            if owner not in bank or bank[owner].round <= expert.round:
                bank[owner] = expert
        return replace(self, bank=bank)

    def remember(self, slot: str, **content: Any) -> DeviceState:
        """The state in which the part of a slot remembers this and nothing else."""
        return replace(self, memory={**self.memory, slot: content})
