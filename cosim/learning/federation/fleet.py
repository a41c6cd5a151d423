"""The learning state of all devices: each one's adapter, and the bank of experts it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.learning.adapters.adapter import Adapter, Expert, Layout, gaussian_projection
from cosim.learning.adapters.masks import planned_counts
from cosim.learning.calibration.calibrator import Calibration
from cosim.learning.evaluation.gate import refined_projection
from cosim.learning.federation.aggregation import as_transmitted, measured_collision_rate
from cosim.learning.records import LayerState
from cosim.methods.meaning import asks_experts
from cosim.methods.parts import unplayed
from cosim.methods.recipe import Recipe


class Fleet:
    """Adapters by device id; `banks[i][j]` is what device i last read of device j's expert.

    `shared[task]` is a task's one expert where its data lies in one place. `densities[i]` is
    Q_budget/Σd·r of device i. Experts in banks have the precision of the air, so that an expert
    is the same wherever it is held.
    """

    def __init__(
        self,
        layout: Layout,
        recipe: Recipe,
        tasks: Sequence[str],
        seed: int,
        densities: Sequence[float],
        bits_per_value: int,
    ) -> None:
        self.layout, self.recipe, self.tasks = layout, recipe, tuple(tasks)
        self.bits_per_value = bits_per_value
        self.budgets = list(densities)
        self.adapters = self._initial_adapters(seed)
        # The same at every start: a checkpoint names them instead of storing them.
        self.first_projections = [adapter.projection for adapter in self.adapters]
        self.banks: list[dict[int, Adapter]] = [{} for _ in self.tasks]
        self.shared: dict[str, Adapter] = {}
        self.calibrations: list[Calibration | None] = [None] * len(self.tasks)
        self._sizes = np.array(layout.expansion_sizes)

    def _initial_adapters(self, seed: int) -> list[Adapter]:
        """ΔW = 0 everywhere: B starts at zero, A as the recipe's projection says."""
        devices = len(self.tasks)
        unmasked = torch.zeros(0, dtype=torch.long)
        zeros = torch.zeros(0 if self.recipe.masked else self.layout.expansion_size)
        support = unmasked if self.recipe.masked else None
        if self.recipe.own_projection:
            projections = self._projections(seed, range(devices))
        else:
            projections = self._projections(seed, ["shared"]) * devices
        return [Adapter(zeros, support, A) for A in projections]

    def _projections(self, seed: int, owners: Sequence[int | str]) -> list[torch.Tensor]:
        """The first A of every owner; each has a stream of its own, and numpy draws without
        Python's lock."""
        printed = "projection" in self.recipe.literal
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            drawn = pool.map(
                lambda owner: gaussian_projection(self.layout, seed, owner, printed=printed), owners
            )
            return list(drawn)

    def limit(self, device: int, values: float) -> None:
        """Lowers Q_budget of a device, in values of B; a mask that has been chosen stays."""
        self.budgets[device] = min(self.budgets[device], values / self.layout.expansion_size)

    def calibrated(self, device: int, found: Calibration) -> None:
        """Makes a calibration the device's own; the literal A is refined with it now (eq. 26)."""
        told = replace(
            found,
            features=None if found.features is None else self._sent(found.features),
            inputs=None if found.inputs is None else self._sent(found.inputs),
        )
        self.calibrations[device] = told
        if told.inputs is not None:
            adapter = self.adapters[device]
            self.adapters[device] = replace(
                adapter, projection=self._refined(adapter.projection, told.inputs)
            )

    def fault(self, found: Calibration) -> str | None:
        """What makes a calibration useless: its own fault, or a mean input that is zero or not
        finite as it is sent, of which eq. 26 takes the direction; None where it can be used."""
        if found.fault is not None or found.inputs is None:
            return found.fault
        for module, h in zip(self.layout.modules, self._by_module(found.inputs), strict=True):
            if not 0.0 < float(h.norm()) < math.inf:
                return f"the mean input of {module.name} has no direction: it is zero or not finite"
        return None

    def _by_module(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sizes = [module.in_features for module in self.layout.modules]
        parts: tuple[torch.Tensor, ...] = self._sent(inputs).split(sizes)
        return parts

    def refined_adapter(self, device: int, found: Calibration) -> Adapter:
        """The adapter that the device will have once this calibration is its own."""
        adapter = self.adapters[device]
        if found.inputs is None or self.calibrations[device] is not None:
            return adapter
        A = self._refined(adapter.projection, self._sent(found.inputs))
        return replace(adapter, projection=A)

    def _sent(self, values: torch.Tensor) -> torch.Tensor:
        return as_transmitted(values, self.bits_per_value)

    def _refined(self, projection: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        parts = zip(
            projection.split(self.layout.projection_sizes),
            inputs.split([module.in_features for module in self.layout.modules]),
            self.layout.projection_shapes,
            strict=True,
        )
        return torch.cat([refined_projection(a.view(shape), h).flatten() for a, h, shape in parts])

    def hold(self, device: int, owner: int, expert: Adapter) -> None:
        """Puts an expert into a device's bank, unless a newer one of its owner is there; one of
        the same round takes the place of what was read of it before."""
        _put_newest(self.banks[device], owner, expert)

    def hold_own(self, device: int) -> None:
        """Puts the device's adapter into its bank, if there is one, as others would receive it."""
        if not asks_experts(self.recipe.composition):
            return
        own = self.adapters[device]
        self.hold(device, device, replace(own, values=self._sent(own.values), moments=None))

    def share(self, task: str, expert: Adapter) -> None:
        """Makes an adapter its task's one expert, unless a newer one is."""
        _put_newest(self.shared, task, expert)

    def expert(self, device: int, task: str) -> Expert | None:
        """What a device answers a task with, by the recipe's composition; None: the base alone."""
        if self.recipe.by_task:
            expert = Expert((self.shared[task],) if task in self.shared else ())
        else:
            expert = self._composed(device, task)
        return None if expert.silent else expert

    def _composed(self, device: int, task: str) -> Expert:
        composition, bank = self.recipe.composition, self.banks[device]
        owners = tuple(sorted(bank))
        experts = tuple(bank[owner] for owner in owners)
        match composition:
            case "single":
                return Expert((self.adapters[device],))
            case "oracle":
                owners = tuple(owner for owner in owners if self.tasks[owner] == task)
                return Expert(tuple(bank[owner] for owner in owners), owners=owners)
            case "uniform":
                share = self.recipe.merge.share(len(owners)) if owners else None
                return Expert(experts, owners=owners, share=share)
            case "gate" | "literal":
                return Expert(experts, composition, owners)
            case _:
                unplayed("composition", composition)

    def features(self, owner: int) -> torch.Tensor:
        """h of an expert's task at the gate's blocks (L, h), as its receivers know it."""
        calibration = self.calibrations[owner]
        assert calibration is not None, "an expert that has not been calibrated"
        assert calibration.features is not None, "the recipe has no gate"
        return calibration.features

    def layers(self, device: int) -> list[LayerState]:
        """Spectral entropy, density and size of B by module."""
        kept = self.kept_by_module(device)
        calibration = self.calibrations[device]
        entropies = None if calibration is None else calibration.entropies
        return [
            LayerState(
                module.layer,
                module.name,
                int(kept[number]) / int(self._sizes[number]),
                int(self._sizes[number]),
                int(kept[number]),
                None if entropies is None else float(entropies[number]),
            )
            for number, module in enumerate(self.layout.modules)
        ]

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(M, L) densities by device and module, and the modules' sizes d·r as weights (L,).

        Those of the mask, or before there is one those that are planned.
        """
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
        """How many positions of each module's B the device trains, or is going to (L,)."""
        support = self.adapters[device].support
        if support is None or support.numel() == 0:
            return self.planned(device, self.calibrations[device])
        return self.kept_of(support)

    def kept_of(self, support: torch.Tensor) -> NDArray[np.int64]:
        """How many positions of each module's B a support holds (L,)."""
        below = np.searchsorted(support.numpy(), np.cumsum(self._sizes))
        return np.diff(below, prepend=0)

    def planned(self, device: int, calibration: Calibration | None) -> NDArray[np.int64]:
        """How many positions of each module the device will train with this calibration (L,)."""
        entropies = None if calibration is None else calibration.entropies
        return planned_counts(self.recipe, self.layout, self.budgets[device], entropies)


def _put_newest(held: dict[Any, Adapter], key: int | str, expert: Adapter) -> None:
    if key not in held or held[key].round <= expert.round:
        held[key] = expert
