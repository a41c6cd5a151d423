"""A device's state before there is one: shapes without values, from which sizes follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.learning.state_tree import bytes_of
from cosim.methods.adapter import Adapter
from cosim.methods.calibration import Calibration, Need
from cosim.methods.layout import Layout
from cosim.methods.method import Method
from cosim.methods.state import DeviceState


@dataclass(frozen=True)
class StateBytes:
    """State bytes are those of one device's state between rounds, by what they are of.

    trained: the values that it trains, float32.
    moments: both of AdamW's, of each.
    positions: of a mask.
    calibration: what the base model told of its task.
    projection: an A that stays as it began, or was refined.
    remembered: copies of what it trains that parts hold on to.
    """

    trained: float
    moments: float
    positions: float
    calibration: float
    projection: float
    remembered: float

    @property
    def total(self) -> float:
        """What one device holds; an A that all devices share is none's."""
        return self.trained + self.moments + self.positions + self.calibration + self.projection


def planned_state(
    method: Method, layout: Layout, kept: NDArray[np.int64], shapes: tuple[int, int], round_: int
) -> DeviceState:
    """The state after the fine-tuning of a round, on torch's meta device.

    kept: positions of each module's B that will be trained (L,); shapes: of the features (L, h).
    """

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    count = int(kept.sum())
    support = empty(count, dtype=torch.int64) if method.expansion.masked else None
    adapter = Adapter(empty(count), support, empty(layout.projection_size), round=round_)
    needs = method.needs
    inputs = sum(module.in_features for module in layout.modules)
    calibration = Calibration(
        features=empty(*shapes) if Need.FEATURES in needs else None,
        inputs=empty(inputs) if Need.INPUTS in needs else None,
    )
    return DeviceState(adapter, density=1.0, calibration=calibration)


def state_bytes(
    method: Method, layout: Layout, density: float, shapes: tuple[int, int]
) -> StateBytes:
    """The bytes of a planned state; shapes: of the features (L, h)."""
    kept = method.expansion.planned(layout, density, None)
    state = planned_state(method, layout, kept, shapes, round_=1)
    projection, adapter = method.projection, state.adapter
    A = bytes_of(adapter.projection)
    trained = bytes_of(adapter.values) + (A if projection.moves else 0)
    return StateBytes(
        trained=trained,
        moments=2.0 * trained,
        positions=bytes_of(adapter.support),
        calibration=bytes_of(state.calibration),
        projection=A if projection.own and not projection.moves else 0.0,
        remembered=trained * sum(part.copies for part in method.parts()),
    )
