"""`rounded`: integers of a few bits, at random the one above or the one below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.codec.slot import Codec, Coding, Memory
from cosim.methods.message import SCALE_BITS, Values

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class Rounded(Codec):
    """Values are signed integers, rounded at random, times a scale of 32 bit by module and factor
    (ours).

    The scale is the module's largest magnitude over 2^(bits − 1) − 1. A value between two of its
    multiples goes to the upper one with the probability with which that is right in the mean: what
    is read is unbiased, and off by less than a scale (Alistarh et al., arXiv 1610.02132).
    """

    name: Literal["rounded"] = "rounded"
    bits: Literal[8, 4] = Field(8, description="of an integer, its sign included")
    by_turn: ClassVar[bool] = True
    in_precision: ClassVar[bool] = False
    by_value: ClassVar[bool] = False

    def factor_bits(self, counts: Sequence[int], per_value: int) -> int:
        """Integers, and a scale for each module that has any."""
        return sum(counts) * self.bits + SCALE_BITS * scales(counts)

    def form(self, factor: Values, counts: Sequence[int], memory: Memory) -> Values:
        """Values of few bits, with their scales."""
        return replace(factor, bits_per_value=self.bits, scales=scales(counts))

    def read(self, factor: Values, memory: Memory, at: Coding) -> tuple[Values, Memory]:
        """Each integer times its module's scale."""
        import torch

        draw, counts = at.draw(), list(at.counts)
        parts = [rounded(part, self.bits, draw) for part in factor.values.split(counts)]
        values = torch.cat(parts) if parts else factor.values
        return replace(self.form(factor, counts, memory), values=values), memory


def scales(counts: Sequence[int]) -> int:
    """How many modules have a value."""
    return sum(count > 0 for count in counts)


def scale_of(largest: float, bits: int) -> float:
    """The least single-precision scale by which an integer of so many bits reaches the largest
    magnitude."""
    import numpy as np

    most = 2 ** (bits - 1) - 1
    scale = np.float32(largest / most)
    if float(scale) * most < largest:
        scale = np.nextafter(scale, np.float32(np.inf))
    return float(scale)


def rounded(values: Tensor, bits: int, draw: np.random.Generator) -> Tensor:
    """Float32 values (n,) as integers of so many bits times one scale, unbiased.

    |read − value| ≤ scale. All NaN where a value is no finite number, as there is no scale then.
    """
    import torch

    if not values.numel():
        return values
    largest = float(values.abs().max())
    if not math.isfinite(largest):
        return torch.full_like(values, torch.nan)
    if largest == 0:
        return torch.zeros_like(values)
    scale, most = scale_of(largest, bits), 2 ** (bits - 1) - 1
    uniform = torch.from_numpy(draw.random(values.numel()))
    # In double precision, so that the sum's own rounding is no bias.
    codes = (values.double() / scale).add_(uniform).floor_().clamp_(-most, most)
    return codes.mul_(scale).float()
