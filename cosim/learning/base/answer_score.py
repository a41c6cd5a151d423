"""How likely the answer tokens are at the output head, and whether greedy decoding takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

# Float32 values of a part of the head, and of the logits at it, that are held at a time: 8 MiB.
_VALUES_AT_ONCE = 2**21


class AnswerScores(NamedTuple):
    """Answer scores say how likely each target is.

    log_likelihood: ln P (P,) in nats, float64, nan where not asked for.
    greedy: (P,), whether the target is the argmax.
    """

    log_likelihood: Tensor
    greedy: Tensor


@torch.no_grad()
def answer_scores(
    head: nn.Module, hidden: Tensor, places: Tensor, targets: Tensor, *, ranks: bool = True
) -> AnswerScores:
    """ln P of targets (P,), each read off the hidden state hidden[places] of hidden (n, h).

    ln P = W·h + b − ln Σ exp(W·h + b), multiplied in float32 whatever the dtype of the model:
    rounded to bfloat16, logits above 8 lie 1/16 apart, and two answers would often be as likely as
    each other. Of logits that are equal still, the lowest token's is the argmax; one that is no
    number is none. Only a part of the head is float32 at a time. ranks: ln P is asked for.
    """
    wide = hidden.float()
    best = _Best.of(wide)
    total = best.logit.double()
    target_logits = wide.new_full((len(targets),), torch.nan)
    for start, logits in _parts(head, wide):
        best = best.among(start, logits)
        if not ranks:
            continue
        total = torch.logaddexp(total, logits.logsumexp(1).double())
        in_block = ((targets >= start) & (targets < start + logits.shape[1])).nonzero().flatten()
        target_logits[in_block] = logits[places[in_block], targets[in_block] - start]
    return AnswerScores(target_logits.double() - total[places], best.token[places] == targets)


@torch.no_grad()
def likeliest(head: nn.Module, hidden: Tensor) -> Tensor:
    """The token (n,) that greedy decoding takes after each hidden state (n, h), the argmax of
    `answer_scores`; -1 where no logit is a number."""
    wide = hidden.float()
    best = _Best.of(wide)
    for start, logits in _parts(head, wide):
        best = best.among(start, logits)
    return best.token


class _Best(NamedTuple):
    """The largest logit so far (n,), and whose it is (n,)."""

    logit: Tensor
    token: Tensor

    @classmethod
    def of(cls, hidden: Tensor) -> _Best:
        nobody = torch.full((len(hidden),), -1, device=hidden.device)
        return cls(hidden.new_full((len(hidden),), -torch.inf), nobody)

    def among(self, start: int, logits: Tensor) -> _Best:
        """The same with the logits (n, m) of m more tokens."""
        highest, at = logits.max(1)
        better = highest > self.logit
        return _Best(
            torch.where(better, highest, self.logit), torch.where(better, at + start, self.token)
        )


def _parts(head: nn.Module, hidden: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Float32 logits (n, m) of m tokens after the other, with the first token's number."""
    if not isinstance(head, nn.Linear) or type(head).forward is not nn.Linear.forward:
        values = {**dict(head.named_parameters()), **dict(head.named_buffers())}
        floats = {k: v.float() if v.is_floating_point() else v for k, v in values.items()}
        yield 0, functional_call(head, floats, (hidden,))
        return
    tokens = max(1, _VALUES_AT_ONCE // max(hidden.shape))
    for start in range(0, head.out_features, tokens):
        logits = hidden @ head.weight[start : start + tokens].float().T
        if head.bias is not None:
            logits += head.bias[start : start + tokens].float()
        yield start, logits
