"""Cross-entropy of the answer tokens at the output head, and its gradient at the hidden states."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Logits that are float32 at a time: 8 MiB stay in the processor's cache, all of a pass' do not.
_LOGITS_AT_ONCE = 2**21


@torch.no_grad()
def answer_loss(
    head: nn.Module, hidden: Tensor, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """−ln P(target) (P,) in nats, float32, and the gradient (P, h) of Σ weight·nats.

    hidden (P, h); targets, weights (P,). The head is frozen; ln P is log softmax(W·h + b), taken in
    float32 of logits in the head's dtype.
    Autograd would hold the logits of all tokens five times, at the moment when the activations of
    all blocks are held as well.
    """
    if not isinstance(head, nn.Linear) or type(head).forward is not nn.Linear.forward:
        return _by_autograd(head, hidden, targets, weights)
    # One buffer: the logits, and then in their place their gradient.
    logits: Tensor = head(hidden.contiguous())
    nats = hidden.new_empty(len(targets), dtype=torch.float32)
    rows = max(1, _LOGITS_AT_ONCE // logits.shape[1])
    parts = (tensor.split(rows) for tensor in (logits, targets, weights, nats))
    for logits_c, targets_c, weights_c, nats_c in zip(*parts, strict=True):
        wide = logits_c.to(torch.float32, copy=True)
        wide -= wide.amax(1, keepdim=True)
        target = targets_c[:, None]
        target_logits = wide.gather(1, target)
        total = wide.exp_().sum(1, keepdim=True)
        nats_c.copy_((total.log() - target_logits).squeeze(1))
        share = weights_c[:, None].float()
        wide.mul_(share / total).scatter_add_(1, target, -share)
        logits_c.copy_(wide)
    return nats, logits @ head.weight


def _by_autograd(
    head: nn.Module, hidden: Tensor, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        states = hidden.detach().requires_grad_()
        nats = functional.cross_entropy(head(states).float(), targets, reduction="none")
        (gradient,) = torch.autograd.grad((nats * weights).sum(), states)
    return nats.detach(), gradient
