"""Scoring an expert on held-out questions: ranked likelihood, or exact match by teacher forcing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel, Mix
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import PackedRows, Reading, candidates_reading, pack, reading
from cosim.learning.data.pool import Question
from cosim.learning.records import Score
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout

# Attention weights grow with the square of a row's tokens: 64 rows of 512 at a time, or fewer.
_PAIRS_PER_PASS = 64 * 512**2


@dataclass(frozen=True)
class _RowScore:
    log_likelihood: float
    exact: bool


@dataclass(frozen=True)
class _Row:
    reading: Reading
    question: int
    place: int


class Evaluator:
    """Evaluates experts on the shared base model, without gradients.

    `rows` is the number of sequences of one pass, fewer where they are long. Metrics, as
    lm-evaluation-harness defines them: `acc` ranks log P(choice | prompt), `acc_norm` divides it
    by the choice's characters, `exact_match` asks that every answer token, the terminator
    included, is the argmax, which is when greedy decoding would produce the answer. The hidden
    states at the answers meet the head in float32, whatever the model's dtype, so that no two
    choices tie by rounding; those that are exactly as likely go to the first, as numpy's argmax
    has it.
    """

    def __init__(
        self, model: AdaptedModel, layout: Layout, dtype: torch.dtype, scale: float, rows: int = 64
    ) -> None:
        self.model, self.layout = model, layout
        self.dtype, self.scale, self.rows = dtype, scale, rows
        self.device = next(model.model.parameters()).device

    @torch.no_grad()
    def scores(
        self, expert: Expert | None, questions: Sequence[Question], weights: Tensor | None = None
    ) -> list[Score]:
        """Accuracy of an expert (None: the base model alone) on one task's questions.

        weights: (questions, J) of the expert's members, where a gate weighs them.
        """
        candidates = [question.candidates for question in questions]
        ranks = not all(question.free for question in questions)
        answer_scores = self._score(expert, candidates, weights, ranks=ranks)
        matches: list[bool] = []
        ranked: list[bool] = []
        normalised: list[bool] = []
        for question, answers in zip(questions, answer_scores, strict=True):
            if question.free:
                matches.append(answers[0].exact)
                continue
            likelihood = np.array([row.log_likelihood for row in answers])
            ranked.append(int(likelihood.argmax()) == question.right)
            by_length = likelihood / np.maximum(question.lengths, 1)
            normalised.append(int(by_length.argmax()) == question.right)
        out = []
        if matches:
            out.append(Score("exact_match", float(np.mean(matches)), len(matches), True))
        if ranked:
            out.append(Score("acc", float(np.mean(ranked)), len(ranked), not matches))
            out.append(Score("acc_norm", float(np.mean(normalised)), len(ranked), False))
        return out

    def _score(
        self,
        expert: Expert | None,
        questions: Sequence[Sequence[Encoded]],
        weights: Tensor | None = None,
        *,
        ranks: bool = True,
    ) -> list[list[_RowScore]]:
        """The score of every candidate, by question; weights: (questions, J), summing to 1 each.

        ranks: likelihoods are asked for; they are nan where they are not.
        """
        assert (weights is not None) == (expert is not None and expert.weigh is not None)
        if weights is not None:
            assert expert is not None
            expert, weights = _without_idle(expert, weights)
            if len(expert.members) == 1:
                weights = None  # it answers alone, with weight 1
        pairs = None if expert is None else self._pairs(expert)
        rows = [
            _Row(reading, number, place)
            for number, candidates in enumerate(questions)
            for place, reading in enumerate(self._readings(candidates))
        ]
        row_scores: dict[tuple[int, int], list[_RowScore]] = {}
        for part in self._passes(rows):
            questions_of_rows = [row.question for row in part]
            mix = self._mix(expert, None if weights is None else weights[questions_of_rows])
            # Tokens of rows with weights of their own are not alike, though their ids are.
            stems = self.model.lean and weights is None
            packed = pack([[row.reading for row in part]], self.device, stems=stems)
            hidden = self.model.scored(packed, pairs, self.scale, mix)
            scores = self._row_scores(packed, hidden, ranks=ranks)
            for row, row_score in zip(part, scores, strict=True):
                row_scores[row.question, row.place] = row_score
        out: list[list[_RowScore]] = [[] for _ in questions]
        for question, place in sorted(row_scores):
            out[question] += row_scores[question, place]
        return out

    def _readings(self, candidates: Sequence[Encoded]) -> list[Reading]:
        """A question's prompt is read once, but where its answers would need branches that the
        model cannot read."""
        if self.model.lean or all(len(row.answer) == 1 for row in candidates):
            return [candidates_reading(candidates)]
        return [reading(row) for row in candidates]

    def _passes(self, rows: Sequence[_Row]) -> Iterator[list[_Row]]:
        """Rows of similar lengths together, the longest first."""
        order = sorted(rows, key=lambda row: -len(row.reading.tokens))
        start = 0
        while start < len(order):
            longest = len(order[start].reading.tokens)
            fit = max(1, min(self.rows, _PAIRS_PER_PASS // longest**2))
            yield order[start : start + fit]
            start += fit

    def _mix(self, expert: Expert | None, weights: Tensor | None) -> Mix | None:
        """What becomes of the ranks z (n, J·r): weighed by row, some of them kept, or nothing."""
        if expert is not None and (select := expert.select) is not None:
            shape = (len(expert.members), self.layout.rank)
            return lambda z, _: select(z.unflatten(-1, shape)).flatten(-2)
        if weights is None:
            return None
        factors = weights.repeat_interleave(self.layout.rank, dim=1).to(self.device, self.dtype)
        return lambda z, rows: z * factors[rows]

    def _row_scores(
        self, packed: PackedRows, hidden: Tensor, *, ranks: bool
    ) -> list[list[_RowScore]]:
        # The first tokens of all a question's answers are read off one position.
        _, index, place = np.unique(
            packed.scored.numpy(force=True), return_index=True, return_inverse=True
        )
        positions = hidden[torch.from_numpy(index).to(self.device)]
        places = torch.from_numpy(place).to(self.device)
        scores_of_tokens = self.model.answer_scores(positions, places, packed.targets, ranks=ranks)
        candidates = packed.candidates.cpu()
        likelihood = torch.zeros(sum(packed.candidate_counts), dtype=torch.float64)
        likelihood.index_add_(0, candidates, scores_of_tokens.log_likelihood.cpu())
        misses = torch.zeros(len(likelihood), dtype=torch.long)
        misses.index_add_(0, candidates, (~scores_of_tokens.greedy).long().cpu())
        scores = map(_RowScore, likelihood.tolist(), (misses == 0).tolist())
        return [list(islice(scores, count)) for count in packed.candidate_counts]

    def _pairs(self, expert: Expert) -> list[tuple[Tensor, Tensor]]:
        """A stacked over the members' ranks, B side by side, times their share of the output
        if none is routed to."""
        share = expert.share
        if share is None:
            share = 1.0 if expert.weigh is not None else 1.0 / len(expert.members)
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
    active = (weights > 0).any(0).nonzero().flatten().tolist()
    members = tuple(expert.members[number] for number in active)
    return replace(expert, members=members, owners=()), weights[:, active]
