"""The adapters of a group side by side, for one pass over the shared base model."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor


class GroupedParameter:
    """A grouped parameter holds one factor (A or B) of every module and every device of a group, in
    one buffer.

    The buffer is ordered module by module and holds (G, rows, columns) contiguously for each, so
    that `torch.bmm` and gradient accumulation work on plain contiguous blocks.
    """

    def __init__(
        self,
        groups: int,
        shapes: Sequence[tuple[int, int]],
        *,
        dtype: torch.dtype,
        device: torch.device,
        trained: bool,
    ) -> None:
        self.groups = groups
        sizes = torch.tensor([rows * columns for rows, columns in shapes])
        self._sizes = sizes.tolist()
        self._ends = sizes.cumsum(0)
        self._starts = self._ends - sizes
        total = groups * int(sizes.sum())
        self.buffer = torch.zeros(total, dtype=dtype, device=device)
        self._shapes = shapes
        self._have(trained=trained)

    def _have(self, *, trained: bool) -> None:
        """Takes the buffer's blocks, with gradients where it is trained."""
        self.gradient = torch.zeros_like(self.buffer) if trained else None
        self.blocks = self._blocks(self.buffer, self._shapes)
        if self.gradient is not None:
            self.blocks = [block.detach().requires_grad_() for block in self.blocks]
            gradients = self._blocks(self.gradient, self._shapes)
            for block, gradient in zip(self.blocks, gradients, strict=True):
                block.grad = gradient

    def beside(self) -> GroupedParameter:
        """The same buffer with a gradient of its own."""
        other = copy.copy(self)
        other._have(trained=self.gradient is not None)
        return other

    def _blocks(self, flat: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
        parts = flat.split([self.groups * size for size in self._sizes])
        return [part.view(self.groups, *shape) for part, shape in zip(parts, shapes, strict=True)]

    def positions(self, member: int, support: Tensor) -> Tensor:
        """Where positions of one device's flat vector lie in the buffer."""
        module = torch.searchsorted(self._ends, support.cpu(), right=True)
        start, end = self._starts[module], self._ends[module]
        moved = support.cpu() + (self.groups - 1) * start + member * (end - start)
        return moved.to(self.buffer.device)

    @torch.no_grad()
    def write(self, member: int, flat: Tensor) -> None:
        """Sets one device's whole vector."""
        for block, part in zip(self.blocks, flat.split(self._sizes), strict=True):
            block[member].view(-1).copy_(part)

    def read_gradient(self, member: int) -> Tensor:
        """One device's whole gradient vector."""
        assert self.gradient is not None
        return torch.cat([self._gradient_of(block)[member].reshape(-1) for block in self.blocks])

    @staticmethod
    def _gradient_of(block: Tensor) -> Tensor:
        assert block.grad is not None
        return block.grad
