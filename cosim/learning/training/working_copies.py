"""A group's adapters while they are trained: copies for the passes, masters for the optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cosim.learning.adapters.grouped import GroupedParameter
from cosim.learning.training.optimiser import Optimiser, alike, new_optimiser
from cosim.methods.adapter import Adapter, Moments
from cosim.methods.layout import Layout

Pairs = Sequence[tuple[Tensor, Tensor]]
"""A (G, r, k) and B (G, d, r) of every module."""


@dataclass(frozen=True)
class Optimisation:
    """An optimisation says how values are updated.

    learning_rate: η.
    optimizer: adamw or sgd.
    weight_decay: λ.
    trainable_projection: whether A is trained in lessons that do not say which factors are.
    keeps_moments: whether AdamW goes on with the moments of the last lesson, or begins anew.
    """

    learning_rate: float
    optimizer: str
    weight_decay: float
    trainable_projection: bool
    keeps_moments: bool = field(default=True, kw_only=True)

    @property
    def trains(self) -> frozenset[str]:
        """The factors that are trained in lessons that do not say."""
        return frozenset("AB") if self.trainable_projection else frozenset("B")


class _Master:
    """float32 values of one device's factors that have taken equally many steps, in one vector.

    factors: their names, B before A.
    correction: what is taken off their gradient in each step; None: nothing.
    """

    def __init__(
        self,
        adapter: Adapter,
        factors: Sequence[str],
        layout: Layout,
        place: torch.device,
        settings: Optimisation,
        correction: Mapping[str, Tensor],
    ) -> None:
        self.factors = tuple(factors)
        starts = [adapter.values if name == "B" else adapter.projection for name in factors]
        self.sizes = [start.numel() for start in starts]
        joined = torch.cat(starts) if len(starts) > 1 else starts[0].clone()
        self.values = joined.to(place).requires_grad_()
        self.correction: Tensor | None = None
        if any(name in correction for name in factors):
            pairs = zip(factors, starts, strict=True)
            parts = [correction.get(name, torch.zeros_like(start)) for name, start in pairs]
            self.correction = torch.cat(parts).to(place)
        moments = [adapter.moments[name] for name in factors if name in adapter.moments]
        by_factor = {"A": layout.projection_sizes, "B": layout.expansion_sizes}
        # Where B has a mask, its modules are not told apart: each takes every step.
        whole = adapter.support is not None
        modules = [] if whole else [size for name in factors for size in by_factor[name]]
        self._modules = len(layout.modules)
        self.optimiser: Optimiser = new_optimiser(self.values, _joined(moments), settings, modules)

    def parts(self) -> dict[str, Tensor]:
        """Each factor's values, views."""
        return dict(zip(self.factors, self.values.detach().split(self.sizes), strict=True))

    def step(self, gradient: Tensor, modules: Sequence[int] | None) -> None:
        """Takes an optimiser step, of the whole factors or of some modules of each."""
        corrected = gradient if self.correction is None else gradient - self.correction
        self.values.grad = corrected
        if modules is None:
            self.optimiser.step()
            return
        starts = range(0, self._modules * len(self.factors), self._modules)
        self.optimiser.step({start + module for start in starts for module in modules})

    def moments(self) -> dict[str, Moments]:
        """Each factor's moments, on the CPU; none before the first step."""
        moments = self.optimiser.moments()
        if moments is None:
            return {}
        if len(self.factors) == 1:
            return {self.factors[0]: moments}
        pairs = zip(moments.first.split(self.sizes), moments.second.split(self.sizes), strict=True)
        return {
            name: Moments(self._steps_of(number, moments.steps), mean.clone(), square.clone())
            for number, (name, (mean, square)) in enumerate(zip(self.factors, pairs, strict=True))
        }

    def _steps_of(self, factor: int, steps: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if isinstance(steps, int):
            return steps
        return alike(steps[factor * self._modules : (factor + 1) * self._modules])


def _joined(moments_of: Sequence[Moments]) -> Moments | None:
    if len(moments_of) < 2:
        return moments_of[0] if moments_of else None
    mean = torch.cat([moments.first for moments in moments_of])
    square = torch.cat([moments.second for moments in moments_of])
    steps = moments_of[0].steps
    return Moments(steps if isinstance(steps, int) else steps * len(moments_of), mean, square)


def _masters(
    adapter: Adapter,
    trains: frozenset[str],
    layout: Layout,
    place: torch.device,
    settings: Optimisation,
    correction: Mapping[str, Tensor],
) -> list[_Master]:
    """The factors that are trained, those of equally many steps together."""
    by_steps: dict[int | tuple[int, ...], list[str]] = {}
    for name in sorted(trains, reverse=True):
        moments = adapter.moments.get(name)
        by_steps.setdefault(0 if moments is None else moments.steps, []).append(name)
    return [
        _Master(adapter, names, layout, place, settings, correction) for names in by_steps.values()
    ]


class WorkingCopies:
    """Working copies are a group's adapters in the model's dtype for the passes, and float32
    masters of the trained values for the optimiser.

    pairs: A (G, r, k) and B (G, d, r) of every module; A (1, r, k) where it is the same for all of
    them and stays so.
    corrections: what is taken off each adapter's gradients in each step, by factor; none given:
        nothing.
    """

    def __init__(
        self,
        layout: Layout,
        adapters: Sequence[Adapter],
        dtype: torch.dtype,
        device: torch.device,
        settings: Optimisation,
        trains: Sequence[frozenset[str] | None] = (),
        corrections: Sequence[Mapping[str, Tensor]] = (),
    ) -> None:
        self._start, self._keeps_moments = adapters, settings.keeps_moments
        factors = [names or settings.trains for names in trains or [None] * len(adapters)]
        projected = any("A" in names for names in factors)
        self.expansion = GroupedParameter(
            len(adapters), layout.expansion_shapes, dtype=dtype, device=device, trained=True
        )
        projections = [adapter.projection for adapter in adapters]
        if not projected and all(torch.equal(A, projections[0]) for A in projections[1:]):
            del projections[1:]
        self.projection = GroupedParameter(
            len(projections),
            layout.projection_shapes,
            dtype=dtype,
            device=device,
            trained=projected,
        )
        self.pairs = list(zip(self.projection.blocks, self.expansion.blocks, strict=True))
        # The same values with gradients of their own, for slices of a mini-batch.
        self._beside: list[tuple[GroupedParameter, GroupedParameter]] = []
        self._positions = [
            None if a.support is None else self.expansion.positions(row, a.support)
            for row, a in enumerate(adapters)
        ]
        for row, A in enumerate(projections):
            self.projection.write(row, A.to(device))
        self._masters = [
            _masters(adapter, names, layout, device, settings, correction)
            for adapter, names, correction in zip(
                adapters, factors, corrections or [{}] * len(adapters), strict=True
            )
        ]
        for row, adapter in enumerate(adapters):
            self._write(row, "B", adapter.values.to(device))

    def pairs_beside(self, count: int) -> list[Pairs]:
        """So many times the pairs, each with gradients of its own, which `gather` adds up."""
        while len(self._beside) < count - 1:
            self._beside.append((self.projection.beside(), self.expansion.beside()))
        beside = [list(zip(A.blocks, B.blocks, strict=True)) for A, B in self._beside[: count - 1]]
        return [self.pairs, *beside]

    def gather(self) -> None:
        """Adds the gradients of the pairs beside to those of the first, in order."""
        for factors in self._beside:
            for factor, other in zip((self.projection, self.expansion), factors, strict=True):
                if factor.gradient is not None and other.gradient is not None:
                    factor.gradient += other.gradient
                    other.gradient.zero_()

    def clear_gradients(self) -> None:
        """Sets every gradient to zero."""
        for factors in ((self.projection, self.expansion), *self._beside):
            for factor in factors:
                if factor.gradient is not None:
                    factor.gradient.zero_()

    def optimiser_step(self, modules: Sequence[Sequence[int] | None] = ()) -> None:
        """Updates every row's trained factors by their gradients.

        modules: those of each row that alone are updated; None, or none given: all.
        """
        of_rows = modules or [None] * len(self._masters)
        for row, (masters, of_row) in enumerate(zip(self._masters, of_rows, strict=True)):
            for master in masters:
                parts = [self._gradient(row, name) for name in master.factors]
                gradient = torch.cat(parts) if len(parts) > 1 else parts[0]
                master.step(gradient.float(), of_row)
                # As large as the master itself, and made anew in the next step.
                master.values.grad = None
                for name, values in master.parts().items():
                    self._write(row, name, values)

    def _gradient(self, row: int, name: str) -> Tensor:
        positions = self._positions[row]
        if name == "A":
            return self.projection.read_gradient(row)
        if positions is None:
            return self.expansion.read_gradient(row)
        assert self.expansion.gradient is not None
        return self.expansion.gradient.index_select(0, positions)

    def adapters(self) -> list[Adapter]:
        """The trained adapters, on the CPU, which take the masters with them."""
        out = []
        for start, masters in zip(self._start, self._masters, strict=True):
            factors = {"B": start.values, "A": start.projection}
            moments = dict(start.moments)
            for master in masters:
                alone = len(master.factors) == 1
                for name, values in master.parts().items():
                    factors[name] = values.cpu() if alone else values.cpu().clone()
                moments |= master.moments() if self._keeps_moments else {}
            out.append(Adapter(factors["B"], start.support, factors["A"], moments))
        return out

    @torch.no_grad()
    def _write(self, row: int, name: str, values: Tensor) -> None:
        """Sets a row's factor in the copies."""
        positions = self._positions[row]
        if name == "A":
            self.projection.write(row, values)
        elif positions is None:
            self.expansion.write(row, values)
        else:
            self.expansion.buffer.index_copy_(0, positions, values.to(self.expansion.buffer.dtype))
