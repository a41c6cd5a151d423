"""Optimisers over one flat float32 vector."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from cosim.errors import CosimError
from cosim.methods.adapter import Moments

# torch.optim.AdamW's defaults.
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class Choice(Protocol):
    """How values are updated."""

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
    """What `torch.optim.AdamW(fused=True)` makes of one vector, by the same kernel.

    torch.optim imports torch's compiler when it is first used, half a second of a start.
    """

    def __init__(self, values: Tensor, rate: float, decay: float, moments: Moments | None) -> None:
        self.values, self._rate, self._decay = values, rate, decay
        place = values.device
        if moments is None:
            self._first = torch.zeros_like(values, requires_grad=False)
            self._second = torch.zeros_like(self._first)
        else:
            self._first = moments.first.to(place, copy=True)
            self._second = moments.second.to(place, copy=True)
        self._steps = torch.tensor(0.0 if moments is None else float(moments.steps), device=place)

    @torch.no_grad()
    def step(self) -> None:
        """Updates the values by their gradient."""
        gradient = self.values.grad
        assert gradient is not None
        self._steps += 1
        torch._fused_adamw_(
            [self.values],
            [gradient],
            [self._first],
            [self._second],
            [],
            [self._steps],
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
        steps = int(self._steps.item())
        return Moments(steps, self._first.cpu(), self._second.cpu()) if steps else None


class Sgd:
    """`torch.optim.SGD` over one vector, which keeps no state."""

    def __init__(self, values: Tensor, rate: float, decay: float) -> None:
        self._optimiser = torch.optim.SGD([values], lr=rate, weight_decay=decay)

    def step(self) -> None:
        """Updates the values by their gradient."""
        self._optimiser.step()

    def moments(self) -> Moments | None:
        """None: there are none."""
        return None


Optimiser = FusedAdamW | Sgd


def new_optimiser(values: Tensor, moments: Moments | None, choice: Choice) -> Optimiser:
    """The recipe's optimiser, going on where the moments are."""
    match choice.optimizer:
        case "sgd":
            return Sgd(values, choice.learning_rate, choice.weight_decay)
        case "adamw":
            return FusedAdamW(values, choice.learning_rate, choice.weight_decay, moments)
        case other:
            raise CosimError(f"training.optimizer: nobody takes the steps of {other!r}")
