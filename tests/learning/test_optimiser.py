"""The optimisers against those of torch.optim, bit for bit."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.training.optimiser import new_optimiser


@dataclass(frozen=True)
class Choice:
    optimizer: str
    learning_rate: float = 3e-3
    weight_decay: float = 0.1


def gradients(count: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(3)
    return [torch.randn(1001, generator=random) for _ in range(count)]


def start() -> Tensor:
    return torch.randn(1001, generator=torch.Generator().manual_seed(4)).requires_grad_()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_steps_are_those_of_torch(optimizer: str) -> None:
    choice, values, wanted = Choice(optimizer), start(), start()
    settings: dict[str, Any] = {"lr": choice.learning_rate, "weight_decay": choice.weight_decay}
    own = new_optimiser(values, None, choice)
    assert own.moments() is None
    torchs: torch.optim.Optimizer = torch.optim.SGD([wanted], **settings)
    if optimizer == "adamw":
        torchs = torch.optim.AdamW([wanted], **settings, fused=True)
    for gradient in gradients(5):
        values.grad, wanted.grad = gradient.clone(), gradient.clone()
        own.step()
        torchs.step()
        assert torch.equal(values, wanted)
    moments = own.moments()
    if optimizer == "sgd":
        assert moments is None
        return
    state = torchs.state[wanted]
    assert moments is not None
    assert moments.steps == int(state["step"]) == 5
    assert torch.equal(moments.first, state["exp_avg"])
    assert torch.equal(moments.second, state["exp_avg_sq"])


def test_it_goes_on_where_the_moments_are_and_leaves_them_as_they_were() -> None:
    choice, whole, parts = Choice("adamw"), start(), start()
    first, moments = new_optimiser(whole, None, choice), None
    for gradient in gradients(4):
        whole.grad = gradient.clone()
        first.step()
        again = new_optimiser(parts, moments, choice)
        kept = None if moments is None else moments.first.clone()
        parts.grad = gradient.clone()
        again.step()
        assert moments is None or torch.equal(moments.first, kept)
        moments = again.moments()
        assert torch.equal(parts, whole)
