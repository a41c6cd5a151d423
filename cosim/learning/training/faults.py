"""Where what is trained first was no finite number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout


def first_non_finite(layout: Layout, flat: Tensor, sizes: Sequence[int]) -> str | None:
    """The name of the first module whose part of a flat vector is not all finite numbers."""
    if _sum_is_finite(flat):
        return None
    parts = zip(layout.modules, flat.split(list(sizes)), strict=True)
    return next((m.name for m, part in parts if not bool(part.isfinite().all())), None)


def _sum_is_finite(flat: Tensor) -> bool:
    """False where any value is no finite number, which makes their sum none, and also where it
    merely overflows; several times faster than looking at every value."""
    return bool(flat.sum(dtype=torch.float32).isfinite())


def non_finite_factor(layout: Layout, adapter: Adapter) -> str | None:
    """What is wrong with a trained adapter's values; None where all are finite numbers."""
    for factor, flat, sizes in (
        ("B", adapter.values, layout.expansion_sizes),
        ("A", adapter.projection, layout.projection_sizes),
    ):
        if not _sum_is_finite(flat):
            whole = adapter.expansion(layout) if factor == "B" else flat
            if module := first_non_finite(layout, whole, sizes):
                return f"{factor} of {module} is not finite after the last step"
    return None
