"""Several adapters side by side, one module after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout


def by_module(
    layout: Layout, adapters: Sequence[Adapter]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """A (J, r, k), B (J, d, r) with zeros off its support, and the bool mask M (J, d, r) of each
    module, in the model's order; no more than one module is spread out at a time."""
    sizes = layout.projection_sizes
    projections = zip(*(adapter.projection.split(sizes) for adapter in adapters), strict=True)
    bounds = pairwise(accumulate(layout.expansion_sizes, initial=0))
    shapes = zip(layout.projection_shapes, layout.expansion_shapes, strict=True)
    for flat, (start, end), (a, b) in zip(projections, bounds, shapes, strict=True):
        parts = [_part(adapter, start, end) for adapter in adapters]
        yield (
            torch.stack([projection.view(a) for projection in flat]),
            torch.stack([values.view(b) for values, _ in parts]),
            torch.stack([mask.view(b) for _, mask in parts]),
        )


def _part(adapter: Adapter, start: int, end: int) -> tuple[Tensor, Tensor]:
    """Flat B and M from a position to another."""
    if adapter.support is None:
        values = adapter.values[start:end]
        return values, torch.ones_like(values, dtype=torch.bool)
    low, high = torch.searchsorted(adapter.support, torch.tensor([start, end])).tolist()
    positions = adapter.support[low:high] - start
    values = torch.zeros(end - start).index_copy_(0, positions, adapter.values[low:high])
    mask = torch.zeros(end - start, dtype=torch.bool).index_fill_(0, positions, True)
    return values, mask
