"""The loss of the answers and its gradient, against torch's cross-entropy and autograd."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cosim.learning.base import answer_loss as module
from cosim.learning.base.answer_loss import answer_loss
from cosim.learning.base.base_model import load
from cosim.learning.base.converted_llama import ConvertedLlama

ANSWERS, HIDDEN, VOCABULARY = 7, 12, 31


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def reference(head: nn.Module, hidden: Any, targets: Any, weights: Any) -> Any:
    read = hidden.clone().requires_grad_()
    nats = functional.cross_entropy(head(read).float(), targets, reduction="none")
    (nats * weights).sum().backward()
    return nats.detach(), read.grad


@pytest.mark.parametrize("at_once", [1, 3 * VOCABULARY, 2**21])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_as_torch_has_it(
    dtype: torch.dtype, bias: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOGITS_AT_ONCE", at_once)
    torch.manual_seed(4)
    head = nn.Linear(HIDDEN, VOCABULARY, bias=bias).to(dtype).requires_grad_(False)
    hidden = (3 * drawn(ANSWERS, HIDDEN)).to(dtype)
    before = hidden.clone()
    targets = torch.tensor([0, 30, 4, 4, 9, 17, 2])
    weights = torch.tensor([0.5, 0.5, 0.1, 0.2, 0.3, 1.0, 0.0])
    nats, gradient = answer_loss(head, hidden, targets, weights)
    true_nats, true_gradient = reference(head, hidden, targets, weights)
    assert (nats.dtype, gradient.dtype) == (torch.float32, dtype)
    assert torch.equal(hidden, before)
    torch.testing.assert_close(nats, true_nats, rtol=1e-5, atol=1e-5)
    # Sums of 31 products, each of two roundings.
    size = torch.linalg.vector_norm(true_gradient.float())
    off = torch.linalg.vector_norm((gradient - true_gradient).float())
    assert off <= 4 * torch.finfo(dtype).eps * size
    assert not gradient[-1].any()


def test_large_logits_overflow_nothing_and_what_is_no_number_stays_none() -> None:
    head = nn.Linear(2, 3, bias=False).requires_grad_(False)
    head.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    hidden = torch.tensor([[5e4, -5e4], [torch.nan, 0.0]])
    nats, gradient = answer_loss(head, hidden, torch.tensor([1, 0]), torch.ones(2))
    assert nats[0] == 1e5
    assert gradient[0].tolist() == [1.0, -1.0]
    assert nats[1].isnan()
    assert gradient[1].isnan().all()


def test_the_heads_of_all_loaded_models_are_known(
    tiny_llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Converted or read by transformers, one model has one loss to the last bit."""

    def refuse(*given: Any) -> Any:
        raise AssertionError("left to autograd")

    monkeypatch.setattr(module, "_by_autograd", refuse)
    plain = load(f"path:{tiny_llama}", "float32").model
    weights = {name: value for name, value in plain.state_dict().items() if "rotary" not in name}
    config = plain.config
    if config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    converted = ConvertedLlama(config, weights)
    hidden, targets = drawn(ANSWERS, config.hidden_size), torch.arange(ANSWERS)
    given = (hidden, targets, torch.ones(ANSWERS))
    ours = answer_loss(converted.get_output_embeddings(), *given)
    theirs = answer_loss(plain.get_output_embeddings(), *given)
    assert all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


def test_another_head_is_left_to_autograd() -> None:
    class Capped(nn.Module):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return 5 * torch.tanh(hidden @ drawn(HIDDEN, VOCABULARY, seed=2))

    hidden, targets = drawn(ANSWERS, HIDDEN), torch.arange(ANSWERS)
    weights = torch.linspace(0, 1, ANSWERS)
    found = answer_loss(Capped(), hidden, targets, weights)
    for ours, theirs in zip(found, reference(Capped(), hidden, targets, weights), strict=True):
        torch.testing.assert_close(ours, theirs)
