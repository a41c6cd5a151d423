"""What parts of a method return, looked at before anybody builds on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import torch

from cosim.errors import MethodError
from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.layout import Layout
from cosim.methods.message import Blocks, Graph, Heard, Mask, Said, Values
from cosim.methods.part import where
from cosim.methods.state import DeviceState
from cosim.methods.weights.slot import Weights


def refuse_unreadable(content: Sequence[Said], layout: Layout, aggregation: Aggregation) -> None:
    """Raises MethodError, with the line of its code, for content whose B has values without
    places."""
    kinds = {part.name: part for part in content}
    B, mask = kinds.get("B"), kinds.get("M")
    if not isinstance(B, Values):
        return
    sizes = layout.expansion_sizes
    for blocks in (item for item in content if isinstance(item, Blocks)):
        sizes = [layout.expansion_sizes[number] for number in layout.in_last(blocks.reached)]
    count, size = int(B.values.numel()), sum(sizes)
    places = int(mask.support.numel()) if isinstance(mask, Mask) else size
    if count != places:
        among = f"a mask of {places}" if isinstance(mask, Mask) else f"no mask, and B has {size}"
        raise MethodError(
            f"{where(aggregation.says)}: says of aggregation '{aggregation.word()}' returned "
            f"{count} values of B with {among}; expected a Mask 'M' of as many positions, so that "
            "a receiver knows where they belong"
        )


def fitting(mixed: DeviceState, state: DeviceState, aggregation: Aggregation) -> DeviceState:
    """The state that a mixing returned; raises MethodError, with the line of its code, for another
    thing or for factors of other shapes."""
    words = f"{where(aggregation.mix)}: mix of aggregation '{aggregation.word()}' returned"
    if not isinstance(mixed, DeviceState):
        raise MethodError(f"{words} {type(mixed).__name__}, expected a DeviceState")
    new_places, places = mixed.adapter.support, state.adapter.support
    if (new_places is None) != (places is None):
        raise MethodError(
            f"{words} B {'without' if new_places is None else 'with'} a support, expected one as "
            "before"
        )
    for name, new, old in (
        ("B", mixed.adapter.values, state.adapter.values),
        ("A", mixed.adapter.projection, state.adapter.projection),
    ):
        if not isinstance(new, torch.Tensor):
            raise MethodError(f"{words} {name} as {type(new).__name__}, expected a tensor")
        if new.shape != old.shape or new.dtype != old.dtype:
            raise MethodError(
                f"{words} {name} as {new.dtype} of shape {tuple(new.shape)}, expected {old.dtype} "
                f"of {tuple(old.shape)}"
            )
    return mixed


def weighed(
    weighing: Weights, device: int, heard: Sequence[Heard], graph: Graph, rows: Sequence[float]
) -> list[float]:
    """What each message weighs; raises MethodError, with the line of its code, for anything but a
    finite number from 0 on for each, and one above 0 among them."""
    weights = weighing.within(device, heard, graph, rows)
    listed = isinstance(weights, list | tuple) and len(weights) == len(heard)
    numbers = listed and all(isinstance(w, Real) and 0 <= w < math.inf for w in weights)
    if numbers and any(weights):
        return list(weights)
    code = weighing.of if type(weighing).within is Weights.within else weighing.within
    raise MethodError(
        f"{where(code)}: `{code.__name__}` of weights '{weighing.word()}' returned {weights!r} for "
        f"{len(heard)} messages, expected a list of as many finite numbers from 0 on, in their "
        "order, not all of them 0"
    )
