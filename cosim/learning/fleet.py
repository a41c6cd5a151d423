"""The learning state of all devices: each one's adapter, and the bank of experts it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.learning.adapter import Adapter, Expert, Layout, gaussian_projection
from cosim.learning.aggregate import measured_collision_rate
from cosim.learning.report import LayerState
from cosim.methods.recipe import Recipe


class Fleet:
    """Adapters by device id; `banks[i][j]` is what device i last read of device j's expert."""

    def __init__(self, layout: Layout, recipe: Recipe, tasks: Sequence[str], seed: int) -> None:
        self.layout = layout
        self.recipe = recipe
        self.tasks = tuple(tasks)
        self.adapters = self._initial_adapters(seed)
        self.banks: list[dict[int, Adapter]] = [{} for _ in self.tasks]
        self._sizes = np.array(layout.expansion_sizes)

    def _initial_adapters(self, seed: int) -> list[Adapter]:
        """ΔW = 0 everywhere: B starts at zero, A as the recipe's projection says."""
        own = self.recipe.projection == "frozen_own_seed"
        common = None if own else gaussian_projection(self.layout, seed, "shared")
        unmasked = torch.zeros(0, dtype=torch.long)
        adapters = []
        for device in range(len(self.tasks)):
            A = gaussian_projection(self.layout, seed, device) if common is None else common
            if self.recipe.expansion == "gradient_mask":
                adapters.append(Adapter(torch.zeros(0), unmasked, A))
            else:
                adapters.append(Adapter(torch.zeros(self.layout.expansion_size), None, A))
        return adapters

    def expert(self, device: int, task: str) -> Expert | None:
        """What a device answers a task with, by the recipe's composition; None: the base alone."""
        if self.recipe.composition == "single":
            expert = Expert((self.adapters[device],))
        else:
            bank = self.banks[device]
            owners = [owner for owner in sorted(bank) if self.tasks[owner] == task]
            expert = Expert(tuple(bank[owner] for owner in owners))
        return None if expert.silent else expert

    def layers(self, device: int) -> list[LayerState]:
        """Density and size of B by module."""
        kept = self.kept_by_module(device)
        return [
            LayerState(module.layer, module.name, int(active) / int(size), int(size), int(active))
            for module, size, active in zip(self.layout.modules, self._sizes, kept, strict=True)
        ]

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(M, L) densities by device and module, and the modules' sizes d·r as weights (L,)."""
        kept = [self.kept_by_module(device) for device in devices]
        return np.array(kept) / self._sizes, self._sizes

    def collision(self, devices: Sequence[int]) -> float:
        """Measured share of positions of B that at least two of the devices train."""
        supports = [self.adapters[device].support for device in devices]
        held = [support for support in supports if support is not None]
        if len(held) < len(supports):  # dense: everybody trains every position
            return 1.0 if len(supports) > 1 else 0.0
        return measured_collision_rate(held, self.layout.expansion_size)

    def kept_by_module(self, device: int) -> NDArray[np.int64]:
        """How many positions of each module's B the device trains (L,)."""
        support = self.adapters[device].support
        if support is None:
            return self._sizes
        below = np.searchsorted(support.numpy(), np.cumsum(self._sizes))
        return np.diff(below, prepend=0)
