"""Scoring experts on held-out questions: ranked likelihood, or exact match by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.data.pool import Question
from cosim.learning.evaluation.common_passes import CandidateScore, CommonPasses
from cosim.learning.evaluation.request import ROWS_PER_PASS, ScoringRequest, groups_of
from cosim.learning.records import Mark, Score
from cosim.learning.threads import MOST_THREADS, one_thread_each
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout


class Evaluator:
    """An evaluator evaluates experts on the shared base model, without gradients.

    `rows` is the number of sequences of one pass, fewer where they are long. Metrics, as
    lm-evaluation-harness defines them: `acc` ranks log P(choice | prompt), `acc_norm` divides it
    by the choice's characters, `exact_match` asks that every answer token, the terminator
    included, is the argmax, which is when greedy decoding would produce the answer. The hidden
    states at the answers meet the head in float32, whatever the model's dtype, so that no two
    choices tie by rounding; those that are exactly as likely go to the first, as numpy's argmax
    has it. threads: passes that are read side by side at most.
    """

    def __init__(
        self,
        model: AdaptedModel,
        layout: Layout,
        dtype: torch.dtype,
        scale: float,
        rows: int = ROWS_PER_PASS,
    ) -> None:
        self.model, self.layout = model, layout
        self.dtype, self.scale, self.rows = dtype, scale, rows
        self.threads = MOST_THREADS
        self.device = next(model.model.parameters()).device

    def scores(
        self, expert: Expert | None, questions: Sequence[Question], weights: Tensor | None = None
    ) -> list[Score]:
        """Accuracy of an expert (None: the base model alone) on one task's questions.

        weights: (questions, J) of the expert's members, where a gate weighs them.
        """
        return self.scores_of([ScoringRequest(expert, questions, weights)])[0]

    def scores_of(self, requests: Sequence[ScoringRequest]) -> list[list[Score]]:
        """The scores of every request, in order."""
        return [metrics(marks) for marks in self.marks_of(requests)]

    def marks_of(self, requests: Sequence[ScoringRequest]) -> list[list[Mark]]:
        """How every question was answered, by request."""
        answers = self.answers(requests)
        return [
            [_mark(*pair) for pair in zip(request.questions, own, strict=True)]
            for request, own in zip(requests, answers, strict=True)
        ]

    def answers(
        self, requests: Sequence[ScoringRequest], *, ranks: bool = False
    ) -> list[list[list[CandidateScore]]]:
        """Every candidate's score, by request and question.

        On a processor the passes are read side by side, each in one thread: no value depends on
        how many are. ranks: likelihoods are found also where a question has but one candidate.
        """
        scorings = [request.without_idle() for request in requests]
        groups = groups_of(scorings)
        every = [
            CommonPasses(
                self.model,
                self.layout,
                self.dtype,
                self.scale,
                [scorings[number] for number in group],
                self.rows,
                ranks=ranks,
            )
            for group in groups
        ]
        numbers = [number for group in groups for number in group]
        by_request = dict(zip(numbers, chain(*self._read(every)), strict=True))
        return [by_request[number] for number in range(len(requests))]

    def _read(self, every: Sequence[CommonPasses]) -> list[list[list[list[CandidateScore]]]]:
        """Every candidate's score, by common passes, request and question."""
        parts = [
            (number, part)
            for number in sorted(range(len(every)), key=lambda n: -every[n].tokens)
            for part in range(len(every[number].passes))
        ]

        def read(part: tuple[int, int]) -> list[list[CandidateScore]]:
            return every[part[0]].read(part[1])

        if self.model.lean and self.device.type == "cpu":
            with one_thread_each(min(self.threads, len(parts))) as run:
                results = run(read, parts)
        else:  # the padded pass sets its adapters on the one model that all would read
            results = [read(part) for part in parts]
        of_row: dict[tuple[int, int, int, int], list[CandidateScore]] = {}
        for (number, part), scores in zip(parts, results, strict=True):
            for row, of_candidates in zip(every[number].passes[part], scores, strict=True):
                of_row[number, row.request, row.question, row.place] = of_candidates
        out: list[list[list[list[CandidateScore]]]] = [
            [[[] for _ in request.questions] for request in passes.requests] for passes in every
        ]
        for number, request, question, place in sorted(of_row):
            out[number][request][question] += of_row[number, request, question, place]
        return out


def _mark(question: Question, answers: Sequence[CandidateScore]) -> Mark:
    if question.free:
        return Mark(int(answers[0].exact))
    likelihood = np.array([row.log_likelihood for row in answers])
    chosen = int(likelihood.argmax())
    by_length = likelihood / np.maximum(question.lengths, 1)
    return Mark(
        right=int(chosen == question.right),
        chosen=chosen,
        margin=float(likelihood[question.right] - np.delete(likelihood, question.right).max()),
        right_by_length=int(int(by_length.argmax()) == question.right),
    )


def metrics(marks: Sequence[Mark]) -> list[Score]:
    """The metrics of one task from how its questions were answered."""
    matches = [mark.right for mark in marks if mark.chosen is None]
    ranked = [mark.right for mark in marks if mark.chosen is not None]
    by_length = [mark.right_by_length for mark in marks if mark.right_by_length is not None]
    out = []
    if matches:
        out.append(Score("exact_match", float(np.mean(matches)), len(matches), True))
    if ranked:
        out.append(Score("acc", float(np.mean(ranked)), len(ranked), not matches))
        out.append(Score("acc_norm", float(np.mean(by_length)), len(ranked), False))
    return out
