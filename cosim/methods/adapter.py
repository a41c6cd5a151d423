"""One device's adapter: A, B on its support, and the optimiser's moments."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from cosim.methods.layout import Layout

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Moments are the optimiser's state over one factor of one device.

    steps: optimiser steps taken, or those of each module where some took fewer.
    first, second: float32 (n,), AdamW's two moments.
    """

    steps: int | tuple[int, ...]
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Adapter:
    """An adapter is the factors of one device's ΔW = B·A; its tensors are never changed in place.

    values: float32 (n,), B on its support.
    support: int64 (n,) sorted positions in flat B, or None where B is dense; empty before a mask
        has been chosen.
    projection: float32 flat A.
    moments: the optimiser's state by factor, "A" and "B"; empty before a first step and of a
        received adapter.
    round: of the fine-tuning that it comes from, 0 before the first.
    """

    values: Tensor
    support: Tensor | None
    projection: Tensor
    moments: Mapping[str, Moments] = field(default_factory=dict)
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
        flat = self.values.new_zeros(layout.expansion_size)
        return flat.index_copy_(0, self.support, self.values)
