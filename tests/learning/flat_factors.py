"""Factors of two small modules, as devices hold and hear them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cosim.methods.adapter import Adapter, Moments
from cosim.methods.aggregation.slot import Mixing
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.message import Heard, Message, Turn, Values
from cosim.methods.state import DeviceState

RANK = 3
LAYOUT = Layout((AdaptedModule("q", 0, 12, 17), AdaptedModule("v", 0, 9, 14)), RANK)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def factors(seed: int) -> tuple[Tensor, Tensor]:
    """Flat B and A, float32."""
    B = drawn(LAYOUT.expansion_size, seed=2 * seed).float()
    return B, drawn(LAYOUT.projection_size, seed=2 * seed + 1).float()


def held(pair: tuple[Tensor, Tensor], round_: int = 2, **memory: Tensor) -> DeviceState:
    """A state with these factors and moments in which every value is told from every other."""
    B, A = pair
    moments = {
        name: Moments(5, torch.arange(float(part.numel())), torch.ones_like(part))
        for name, part in (("A", A), ("B", B))
    }
    state = DeviceState(Adapter(B, None, A, moments, round_), density=1.0)
    return state.remember("aggregation", **memory) if memory else state


def heard(*pairs: tuple[Tensor, Tensor], rows: float = 1.0) -> list[Heard]:
    """Messages of devices 0, 1, …"""
    return [
        Heard(Message(device, 1, (Values("B", B), Values("A", A)), rows))
        for device, (B, A) in enumerate(pairs)
    ]


def mixing(weights: Sequence[float], device: int = 0, **said: Any) -> Mixing:
    return Mixing(LAYOUT, device, Turn(2), weights, sum(weights), 32, **said)


def products(pair: tuple[Tensor, Tensor]) -> list[Tensor]:
    """B·A (d, k) of each module, float64."""
    B, A = pair
    return [b[0].double() @ a[0].double() for a, b in LAYOUT.pairs(A, B)]


def of(state: DeviceState) -> tuple[Tensor, Tensor]:
    return state.adapter.values, state.adapter.projection
