"""A device's state before there is one: shapes without values, from which sizes follow."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.errors import MethodError
from cosim.learning.federation.coded import formed
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.slot import Speaking
from cosim.methods.calibration import Calibration, Need
from cosim.methods.codec.slot import Memory
from cosim.methods.layout import Layout
from cosim.methods.message import Said
from cosim.methods.method import Method
from cosim.methods.part import where
from cosim.methods.state import DeviceState


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


def planned_content(
    method: Method,
    layout: Layout,
    kept: NDArray[np.int64],
    shapes: tuple[int, int],
    round_: int = 1,
    memory: Memory = MappingProxyType({}),
) -> tuple[Said, ...]:
    """What a device will say after the fine-tuning of a round, without values.

    memory: its codec's. Raises MethodError where it hangs on the values.
    """
    try:
        state = planned_state(method, layout, kept, shapes, round_)
        content = content_of(method, layout, state, kept)
        return formed(method.codec, content, layout, kept.tolist(), memory)
    except (NotImplementedError, RuntimeError) as error:
        if "meta" not in str(error):  # how torch says that there are no values to be read
            raise
        aggregation = method.aggregation
        raise MethodError(
            f"{where(aggregation.says)}: says of aggregation '{aggregation.word()}' reads values: "
            "what a message holds must follow from shapes, since its bits are told before there "
            f"are values ({str(error).splitlines()[0]})"
        ) from error


def content_of(
    method: Method, layout: Layout, state: DeviceState, kept: NDArray[np.int64]
) -> tuple[Said, ...]:
    """What a device of this state says; kept: positions of each module in its mask (L,)."""
    at = Speaking(layout, kept.tolist(), method.projection, method.composition)
    return method.aggregation.says(state, at)
