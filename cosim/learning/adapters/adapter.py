"""Adapters as flat vectors: the layout over all modules, the state of one device, an expert."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cosim.learning.base.target_modules import AdaptedModule
from cosim.randomness import stream


@dataclass(frozen=True)
class Layout:
    """Where each module's A (r×k) and B (d×r) lie in one flat vector of all modules."""

    modules: tuple[AdaptedModule, ...]
    rank: int

    @property
    def projection_shapes(self) -> list[tuple[int, int]]:
        """(r, k) of each module."""
        return [(self.rank, module.in_features) for module in self.modules]

    @property
    def expansion_shapes(self) -> list[tuple[int, int]]:
        """(d, r) of each module."""
        return [(module.out_features, self.rank) for module in self.modules]

    @property
    def projection_sizes(self) -> list[int]:
        """r·k of each module."""
        return [rows * columns for rows, columns in self.projection_shapes]

    @property
    def expansion_sizes(self) -> list[int]:
        """d·r of each module."""
        return [rows * columns for rows, columns in self.expansion_shapes]

    @property
    def projection_size(self) -> int:
        """Values of A over all modules."""
        return sum(self.projection_sizes)

    @property
    def expansion_size(self) -> int:
        """Values of B over all modules."""
        return sum(self.expansion_sizes)

    def pairs(self, projection: Tensor, expansion: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(A, B) of each module as (1, r, k) and (1, d, r) views of flat vectors."""
        A = projection.split(self.projection_sizes)
        B = expansion.split(self.expansion_sizes)
        return [
            (a.view(1, *a_shape), b.view(1, *b_shape))
            for a, a_shape, b, b_shape in zip(
                A, self.projection_shapes, B, self.expansion_shapes, strict=True
            )
        ]


@dataclass(frozen=True)
class Moments:
    """Optimiser state over the trained values of one device."""

    steps: int
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Adapter:
    """The state of one device's adapter; tensors are never changed in place.

    values: float32 (n,), B on its support. support: int64 (n,) sorted positions in flat B, or
    None where B is dense; empty before a mask has been chosen. projection: float32 flat A.
    round: of the fine-tuning that it comes from, 0 before the first.
    """

    values: Tensor
    support: Tensor | None
    projection: Tensor
    moments: Moments | None = None
    round: int = 0

    @property
    def unmasked(self) -> bool:
        """True before the positions of a masked B have been chosen."""
        return self.support is not None and self.support.numel() == 0

    @cached_property
    def digest(self) -> str:
        """BLAKE2b of values, support and projection."""
        content = hashlib.blake2b(digest_size=16)
        for part in (self.values, self.support, self.projection):
            if part is not None:
                content.update(part.numpy().data)
        return content.hexdigest()

    def expansion(self, layout: Layout) -> Tensor:
        """Flat B with zeros off the support."""
        if self.support is None:
            return self.values
        return torch.zeros(layout.expansion_size).index_copy_(0, self.support, self.values)


@dataclass(frozen=True)
class Expert:
    """What a device can answer with: one or several adapters, and how they answer together.

    route: `uniform` adds up their outputs, each times `share` (None: their mean); `gate` weighs
    them by the sequence; `literal` keeps the largest ranks of all of them (eq. 29 of arXiv
    2602.20492). owners: the devices that the members come from, where the route asks for them.
    """

    members: tuple[Adapter, ...]
    route: Literal["uniform", "gate", "literal"] = "uniform"
    owners: tuple[int, ...] = ()
    share: float | None = None

    @property
    def key(self) -> str:
        """Names the content: devices with equal experts need be evaluated once."""
        owners = " ".join(map(str, self.owners)) if self.route == "gate" else ""
        share = "" if self.share is None else str(self.share)
        return " ".join([self.route, owners, share, *(member.digest for member in self.members)])

    @property
    def silent(self) -> bool:
        """True where every B is zero: the base model answers."""
        return not any(bool(member.values.any()) for member in self.members)


def gaussian_projection(
    layout: Layout, seed: int, *ids: int | str, printed: bool = False
) -> Tensor:
    """Flat A with entries N(0, 1/k) from a named stream (arXiv 2602.20492, eq. 16, scaled).

    With `printed` the entries are N(0, 1), as the equation says.
    """
    random = stream(seed, "projection", *ids)
    A = np.empty(layout.projection_size, dtype=np.float32)
    first = 0
    for module, size in zip(layout.modules, layout.projection_sizes, strict=True):
        part = A[first : first + size]
        random.standard_normal(out=part, dtype=np.float32)
        if not printed:
            part /= math.sqrt(module.in_features)
        first += size
    return torch.from_numpy(A)


def kept_positions(size: int, density: float) -> int:
    """Positions of a module of d·r = `size` that a mask of this density keeps; at least one."""
    return max(1, round(density * size))
