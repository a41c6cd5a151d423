"""A mixing tried before anything is trained: does a method from outside return what it should?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from cosim.errors import CosimError, MethodError
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.hearing import Hearing
from cosim.learning.federation.messages import Messages
from cosim.methods.calibration import Calibration, Need
from cosim.methods.layout import Layout
from cosim.methods.message import Message, Turn
from cosim.methods.method import Method
from cosim.methods.outside import blamed
from cosim.methods.sending.slot import Deciding
from cosim.randomness import stream

# Each module so wide, whatever the model's: the rehearsal is of shapes, and takes no time.
_WIDTH, _RANK, _DENSITY = 4, 2, 0.5
_DEVICES = 3


def rehearse(method: Method, layout: Layout) -> None:
    """Has three devices of a method from outside say and mix what they might have learnt, with the
    modules of a layout made narrow.

    Raises MethodError, with the file and the line, where the method's code fails or its `mix`
    returns something else than a state of the shapes that it was given.
    """
    if method.origin is None or not method.aggregation.exchanges:
        return
    try:
        _mixed(method, _narrow(layout))
    except CosimError:
        raise
    except Exception as error:
        raise blamed(error) or MethodError(_unblamed(method, error)) from error


def _unblamed(method: Method, error: Exception) -> str:
    """A failure inside the package over what the method gave it."""
    assert method.origin is not None
    file = method.origin.path or method.origin.entry_point
    lines = str(error).splitlines() or ["it says no more"]
    kind = type(error).__name__
    return f"{file}: what its parts say and mix does not fit together: {kind}: {lines[0]}"


def _narrow(layout: Layout) -> Layout:
    modules = tuple(
        replace(module, out_features=_WIDTH, in_features=_WIDTH) for module in layout.modules
    )
    return replace(layout, modules=modules, rank=min(layout.rank, _RANK))


def _mixed(method: Method, layout: Layout) -> None:
    tasks = ["task"] * _DEVICES
    fleet = Fleet(layout, method, tasks, 0, [_DENSITY] * _DEVICES, 32)
    blocks, _ = method.composition.reading
    post = Messages(fleet, [1.0] * _DEVICES, (blocks, _WIDTH))
    for device in range(_DEVICES):
        if method.needs:
            fleet.states[device] = fleet.calibrated(device, _calibration(method, layout, blocks))
        state = fleet.states[device]
        kept = fleet.planned(device, state.calibration)
        values = stream(0, "rehearsal", device).standard_normal(int(kept.sum()))
        adapter = replace(
            state.adapter,
            values=torch.from_numpy(values).float(),
            support=_support(layout, kept.tolist()) if method.expansion.masked else None,
            round=1,
        )
        fleet.learnt(device, adapter)
    turn = Turn(1)
    inbox: dict[int, Message] = {}
    for sender in range(1, _DEVICES):
        at = Deciding.of(0, sender, turn)
        fleet.states[sender], speaks = method.sending.decided(fleet.states[sender], at)
        if speaks:
            inbox[sender] = post.tell(sender, turn, [0])
            fleet.states[sender] = method.aggregation.said(fleet.states[sender], inbox[sender])
            post.hear(0, inbox[sender])
    ids = range(_DEVICES)
    graph = {device: tuple(other for other in ids if other != device) for device in ids}
    post.mixing_work(0, inbox, graph)
    post.mix(0, Hearing(inbox, dict.fromkeys(inbox, 0), turn, graph))


def _support(layout: Layout, kept: Sequence[int]) -> torch.Tensor:
    """The first positions of each module."""
    starts = np.cumsum([0, *layout.expansion_sizes])
    places = [np.arange(start, start + count) for start, count in zip(starts, kept, strict=False)]
    return torch.from_numpy(np.concatenate(places))


def _calibration(method: Method, layout: Layout, blocks: int) -> Calibration:
    """One that any device might have."""
    entropies = {Need.ENTROPIES, Need.ENTROPIES_OF_WEIGHTS} & method.needs
    inputs = sum(module.in_features for module in layout.modules)
    return Calibration(
        entropies=np.ones(len(layout.modules)) if entropies else None,
        features=torch.ones(blocks, _WIDTH) if Need.FEATURES in method.needs else None,
        inputs=torch.ones(inputs) if Need.INPUTS in method.needs else None,
    )
