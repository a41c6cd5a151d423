"""A group's adapters while they are trained: copies for the passes, masters for the optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.learning.adapters.grouped import GroupedParameter
from cosim.learning.training.optimiser import new_optimiser
from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout


@dataclass(frozen=True)
class Optimisation:
    """How values are updated, and whether those of A are."""

    learning_rate: float
    optimizer: str
    weight_decay: float
    trainable_projection: bool


class WorkingCopies:
    """Working copies of a group's adapters in the model's dtype for the passes, and float32
    masters of the trained values for the optimiser.

    pairs: A (G, r, k) and B (G, d, r) of every module; A (1, r, k) where it is the same for all of
    them and stays so.
    """

    def __init__(
        self,
        layout: Layout,
        adapters: Sequence[Adapter],
        dtype: torch.dtype,
        device: torch.device,
        settings: Optimisation,
    ) -> None:
        self._start = adapters
        self._projected = settings.trainable_projection
        self.expansion = GroupedParameter(
            len(adapters), layout.expansion_shapes, dtype=dtype, device=device, trained=True
        )
        projections = [adapter.projection for adapter in adapters]
        if not self._projected and all(torch.equal(A, projections[0]) for A in projections[1:]):
            del projections[1:]
        self.projection = GroupedParameter(
            len(projections),
            layout.projection_shapes,
            dtype=dtype,
            device=device,
            trained=self._projected,
        )
        self.pairs = list(zip(self.projection.blocks, self.expansion.blocks, strict=True))
        self._positions = [
            None if a.support is None else self.expansion.positions(row, a.support)
            for row, a in enumerate(adapters)
        ]
        for row, A in enumerate(projections):
            self.projection.write(row, A.to(device))
        self._masters = [self._trained(a).to(device).requires_grad_() for a in adapters]
        self._optimisers = [
            new_optimiser(master, adapter.moments, settings)
            for master, adapter in zip(self._masters, adapters, strict=True)
        ]
        self._write_back()

    def clear_gradients(self) -> None:
        for factor in (self.expansion, self.projection):
            if factor.gradient is not None:
                factor.gradient.zero_()

    def optimiser_step(self) -> None:
        for row, (master, optimiser) in enumerate(
            zip(self._masters, self._optimisers, strict=True)
        ):
            positions = self._positions[row]
            if positions is None:
                gradient = self.expansion.read_gradient(row)
            else:
                assert self.expansion.gradient is not None
                gradient = self.expansion.gradient.index_select(0, positions)
            if self._projected:
                gradient = torch.cat([gradient, self.projection.read_gradient(row)])
            master.grad = gradient.float()
            optimiser.step()
            master.grad = None  # as large as the master itself, and made anew in the next step
        self._write_back()

    def adapters(self) -> list[Adapter]:
        """The trained adapters, on the CPU, which take the masters with them."""
        out = []
        for start, master, optimiser in zip(
            self._start, self._masters, self._optimisers, strict=True
        ):
            values = master.detach().cpu()
            projection = start.projection
            if self._projected:
                cut = values.numel() - projection.numel()
                values, projection = values[:cut].clone(), values[cut:].clone()
            out.append(Adapter(values, start.support, projection, optimiser.moments()))
        return out

    def _trained(self, adapter: Adapter) -> Tensor:
        if self._projected:
            return torch.cat([adapter.values, adapter.projection])
        return adapter.values.clone()

    @torch.no_grad()
    def _write_back(self) -> None:
        for row, (start, master) in enumerate(zip(self._start, self._masters, strict=True)):
            values: Tensor = master.detach()
            if self._projected:
                cut = values.numel() - start.projection.numel()
                self.projection.write(row, values[cut:])
                values = values[:cut]
            positions = self._positions[row]
            if positions is None:
                self.expansion.write(row, values)
            else:
                self.expansion.buffer.index_copy_(
                    0, positions, values.to(self.expansion.buffer.dtype)
                )
