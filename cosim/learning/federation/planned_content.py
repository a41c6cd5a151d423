"""What a device will say before it has learnt anything: content without values, from which bits
follow."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cosim.errors import MethodError
from cosim.learning.costs.planned_state import planned_state
from cosim.learning.federation.coded import formed
from cosim.methods.aggregation.slot import Speaking
from cosim.methods.codec.slot import Memory
from cosim.methods.layout import Layout
from cosim.methods.message import Said
from cosim.methods.method import Method
from cosim.methods.part import where
from cosim.methods.state import DeviceState


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
