"""Scoring an expert on held-out questions: ranked likelihood, or exact match by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cosim.learning.adapted_linear import AdaptedModel, Mix
from cosim.learning.adapter import Expert, Layout
from cosim.learning.encoding import Encoded, token_rows
from cosim.learning.gate import select_ranks
from cosim.learning.report import Score
from cosim.learning.tasks.pool import Question

# Attention weights grow with the square of a row's tokens: 64 rows of 512 at a time, or fewer.
_PAIRS_PER_PASS = 64 * 512**2


@dataclass(frozen=True)
class _RowScore:
    log_likelihood: float
    exact: bool


class Evaluator:
    """Evaluates experts on the shared base model, without gradients.

    `rows` is the number of sequences of one pass, fewer where they are long. Metrics, as
    lm-evaluation-harness defines them: `acc` ranks log P(choice | prompt), `acc_norm` divides it
    by the choice's characters, `exact_match` asks that every answer token, the terminator
    included, is the argmax, which is when greedy decoding would produce the answer.
    """

    def __init__(
        self, model: AdaptedModel, layout: Layout, dtype: torch.dtype, scale: float, rows: int = 64
    ) -> None:
        self.model = model
        self.layout = layout
        self.dtype = dtype
        self.scale = scale
        self.rows = rows
        self.device = next(model.model.parameters()).device

    @torch.no_grad()
    def scores(
        self, expert: Expert | None, questions: Sequence[Question], weights: Tensor | None = None
    ) -> list[Score]:
        """Accuracy of an expert (None: the base model alone) on one task's questions.

        weights: (questions, J) of the expert's members, where a gate weighs them.
        """
        rows = [candidate for question in questions for candidate in question.candidates]
        if weights is not None:
            counts = torch.tensor([len(question.candidates) for question in questions])
            weights = weights.repeat_interleave(counts, dim=0)
        scored = self._score(expert, rows, weights)
        free: list[bool] = []
        ranked: list[bool] = []
        normalised: list[bool] = []
        start = 0
        for question in questions:
            end = start + len(question.candidates)
            own = scored[start:end]
            start = end
            if question.free:
                free.append(own[0].exact)
                continue
            likelihood = np.array([row.log_likelihood for row in own])
            ranked.append(int(likelihood.argmax()) == question.right)
            by_length = likelihood / np.maximum(question.lengths, 1)
            normalised.append(int(by_length.argmax()) == question.right)
        out = []
        if free:
            out.append(Score("exact_match", float(np.mean(free)), len(free), True))
        if ranked:
            out.append(Score("acc", float(np.mean(ranked)), len(ranked), not free))
            out.append(Score("acc_norm", float(np.mean(normalised)), len(ranked), False))
        return out

    def _score(
        self, expert: Expert | None, rows: Sequence[Encoded], weights: Tensor | None = None
    ) -> list[_RowScore]:
        if weights is not None:
            assert expert is not None
            expert, weights = _without_idle(expert, weights)
        order = sorted(range(len(rows)), key=lambda number: -rows[number].tokens)
        out: dict[int, _RowScore] = {}
        pairs = None if expert is None else self._pairs(expert)
        first = 0
        while first < len(order):
            longest = rows[order[first]].tokens
            fit = max(1, min(self.rows, _PAIRS_PER_PASS // longest**2))
            part = order[first : first + fit]
            mix = None
            if expert is not None and expert.route != "uniform":
                mix = self._mix(expert, None if weights is None else weights[part])
            with self.model.adapters(pairs, self.scale, mix):
                found = self._pass([rows[number] for number in part])
            out.update(zip(part, found, strict=True))
            first += fit
        return [out[number] for number in range(len(rows))]

    def _mix(self, expert: Expert, weights: Tensor | None) -> Mix:
        """What becomes of the ranks z (rows, T, J·r): weighed by row, or the largest r kept."""
        shape = (len(expert.members), self.layout.rank)
        if expert.route == "literal":
            return lambda z: select_ranks(z.unflatten(-1, shape), self.layout.rank).flatten(-2)
        assert weights is not None
        by_rank = weights.repeat_interleave(self.layout.rank, dim=1)[:, None]
        factors = by_rank.to(self.device, self.dtype)
        return lambda z: z * factors

    def _pass(self, rows: Sequence[Encoded]) -> list[_RowScore]:
        tokens = token_rows(rows, self.device)
        hidden = self.model.hidden(tokens.input_ids)
        picked = hidden.reshape(-1, hidden.shape[-1]).index_select(0, tokens.positions)
        logits = self.model.logits(picked)
        right = logits.argmax(-1) == tokens.targets
        chosen = logits.gather(1, tokens.targets[:, None]).squeeze(1) - logits.logsumexp(-1)
        likelihood = torch.zeros(len(rows), dtype=torch.float64)
        likelihood.index_add_(0, tokens.row.cpu(), chosen.double().cpu())
        misses = torch.zeros(len(rows), dtype=torch.long)
        misses.index_add_(0, tokens.row.cpu(), (~right).long().cpu())
        return [
            _RowScore(value, missed == 0)
            for value, missed in zip(likelihood.tolist(), misses.tolist(), strict=True)
        ]

    def _pairs(self, expert: Expert) -> list[tuple[Tensor, Tensor]]:
        """A stacked over the members' ranks, B side by side, divided by their number if the
        outputs are averaged."""
        share = 1.0 / len(expert.members) if expert.route == "uniform" else 1.0
        parts = [
            self.layout.pairs(member.projection, member.expansion(self.layout) * share)
            for member in expert.members
        ]
        pairs = []
        for by_member in zip(*parts, strict=True):
            A = torch.cat([a for a, _ in by_member], dim=1)
            B = torch.cat([b for _, b in by_member], dim=2)
            pairs.append((A.to(self.device, self.dtype), B.to(self.device, self.dtype)))
        return pairs


def _without_idle(expert: Expert, weights: Tensor) -> tuple[Expert, Tensor]:
    """The members that any row asks, so that the others' ranks need not be computed."""
    asked = (weights > 0).any(0).nonzero().flatten().tolist()
    members = tuple(expert.members[number] for number in asked)
    return replace(expert, members=members, owners=()), weights[:, asked]
