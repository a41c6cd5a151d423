"""Optimisers over one flat float32 vector."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import torch
from torch import Tensor

from cosim.errors import CosimError
from cosim.methods.adapter import Moments

# torch.optim.AdamW's defaults.
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class OptimiserSettings(Protocol):
    """The settings say how values are updated."""

    @property
    def learning_rate(self) -> float:
        """η."""

    @property
    def optimizer(self) -> str:
        """adamw or sgd."""

    @property
    def weight_decay(self) -> float:
        """λ."""


class FusedAdamW:
    """This optimiser makes of one vector what `torch.optim.AdamW(fused=True)` does, by the same
    kernel.

    torch.optim imports torch's compiler when it is first used, half a second of a start.
    sizes: of the modules in the vector, which may each have taken steps of their own.
    """

    def __init__(
        self,
        values: Tensor,
        rate: float,
        decay: float,
        moments: Moments | None,
        sizes: Sequence[int] = (),
    ) -> None:
        self.values, self._rate, self._decay = values, rate, decay
        place = values.device
        if moments is None:
            self._first = torch.zeros_like(values, requires_grad=False)
            self._second = torch.zeros_like(self._first)
        else:
            self._first = moments.first.to(place, copy=True)
            self._second = moments.second.to(place, copy=True)
        steps = 0 if moments is None else moments.steps
        self._sizes = list(sizes)
        # Of the whole vector, or of each module.
        counts = [steps] if isinstance(steps, int) else steps
        self._steps = torch.tensor([float(count) for count in counts], device=place)

    @torch.no_grad()
    def step(self, modules: Collection[int] | None = None) -> None:
        """Updates the values by their gradient, or those of some modules by their part of it."""
        gradient = self.values.grad
        assert gradient is not None
        vectors = [self.values, gradient, self._first, self._second]
        if modules is None and len(self._steps) == 1:
            values, gradients, first, second = ([vector] for vector in vectors)
            steps = [self._steps[0]]
        else:
            if len(self._steps) == 1:
                self._steps = self._steps.repeat(len(self._sizes))
            numbers = range(len(self._sizes)) if modules is None else sorted(modules)
            split = [vector.split(self._sizes) for vector in vectors]
            values, gradients, first, second = (
                [pieces[number] for number in numbers] for pieces in split
            )
            steps = [self._steps[number] for number in numbers]
        for count in steps:
            count += 1
        torch._fused_adamw_(
            values,
            gradients,
            first,
            second,
            [],
            steps,
            lr=self._rate,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            weight_decay=self._decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def moments(self) -> Moments | None:
        """Its state, on the CPU; None before the first step."""
        steps = tuple(int(count) for count in self._steps.tolist())
        if not any(steps):
            return None
        return Moments(alike(steps), self._first.cpu(), self._second.cpu())


def alike(steps: tuple[int, ...]) -> int | tuple[int, ...]:
    """The steps of all modules; one number where they have taken equally many."""
    return steps[0] if len(set(steps)) == 1 else steps


class Sgd:
    """This is `torch.optim.SGD` over one vector, which keeps no state.

    sizes: of the modules in the vector.
    """

    def __init__(
        self, values: Tensor, rate: float, decay: float, sizes: Sequence[int] = ()
    ) -> None:
        self._optimiser = torch.optim.SGD([values], lr=rate, weight_decay=decay)
        self._values, self._sizes = values, list(sizes)

    @torch.no_grad()
    def step(self, modules: Collection[int] | None = None) -> None:
        """Updates the values by their gradient, or those of some modules by their part of it."""
        before = None if modules is None else self._values.detach().clone()
        self._optimiser.step()
        if modules is None or before is None:
            return
        pairs = zip(self._values.split(self._sizes), before.split(self._sizes), strict=True)
        for number, (new, old) in enumerate(pairs):
            if number not in modules:
                new.copy_(old)

    def moments(self) -> Moments | None:
        """None: there are none."""
        return None


Optimiser = FusedAdamW | Sgd


def new_optimiser(
    values: Tensor, moments: Moments | None, settings: OptimiserSettings, sizes: Sequence[int] = ()
) -> Optimiser:
    """The recipe's optimiser, going on where the moments are.

    sizes: of the modules in the vector, where some of them may take a step alone.
    """
    match settings.optimizer:
        case "sgd":
            return Sgd(values, settings.learning_rate, settings.weight_decay, sizes)
        case "adamw":
            rate, decay = settings.learning_rate, settings.weight_decay
            return FusedAdamW(values, rate, decay, moments, sizes)
        case other:
            raise CosimError(f"training.optimizer: nobody takes the steps of {other!r}")
