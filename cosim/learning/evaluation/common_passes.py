"""Requests that are answered in common passes over the base model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel, Mix
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import PackedRows, Reading, candidates_reading, pack, reading
from cosim.learning.evaluation.request import ScoringRequest
from cosim.learning.evaluation.side_by_side import expert_pairs, joined, mix_of
from cosim.methods.layout import Layout

# Attention weights grow with the square of a row's tokens: 64 rows of 512 at a time, or fewer.
_PAIRS_PER_PASS = 64 * 512**2


@dataclass(frozen=True)
class CandidateScore:
    """A candidate's score is how its answer stands with the model.

    log_likelihood: ln P of the answer; nan where ranks are not asked for.
    exact: whether every token of it is the argmax.
    """

    log_likelihood: float
    exact: bool


class RequestRow(NamedTuple):
    """A request's row is one question's reading, or one candidate's, of one of the requests.

    reading: what the model reads.
    request: number of the request.
    question: number of the question in it.
    place: number of the candidate, 0 where one reading has them all.
    """

    reading: Reading
    request: int
    question: int
    place: int


class CommonPasses:
    """Common passes answer requests of experts of one shape together, each request a group.

    requests: without idle members. rows: of a pass at most, fewer where they are long. ranks:
    likelihoods are found even where no question ranks any. The passes may be read in any order and
    side by side; adapters in the model's dtype are put together for the first and let go after the
    last.
    """

    def __init__(
        self,
        model: AdaptedModel,
        layout: Layout,
        dtype: torch.dtype,
        scale: float,
        requests: Sequence[ScoringRequest],
        rows: int,
        *,
        ranks: bool = False,
    ) -> None:
        self.model, self.layout, self.dtype, self.scale = model, layout, dtype, scale
        self.requests = requests
        self.device = next(model.model.parameters()).device
        ranked = any(not question.free for r in requests for question in r.questions)
        self.ranks = ranks or ranked
        every = [
            RequestRow(reading, number, position, place)
            for number, request in enumerate(requests)
            for position, question in enumerate(request.questions)
            for place, reading in enumerate(self._readings(question.candidates))
        ]
        self.passes = list(_passes(every, rows))
        self._unread = len(self.passes)
        self._pairs: list[tuple[Tensor, Tensor]] | None = None
        self._lock = Lock()

    @property
    def tokens(self) -> int:
        """Tokens that all passes read, common beginnings counted for every row."""
        return sum(len(row.reading.tokens) for part in self.passes for row in part)

    def _readings(self, candidates: Sequence[Encoded]) -> list[Reading]:
        """A question's prompt is read once, but where its answers would need branches that the
        model cannot read."""
        if self.model.lean or all(len(row.answer) == 1 for row in candidates):
            return [candidates_reading(candidates)]
        return [reading(row) for row in candidates]

    @torch.no_grad()
    def read(self, number: int) -> list[list[CandidateScore]]:
        """The scores of one pass' rows, in their order."""
        part = self.passes[number]
        with self._lock:
            if self._pairs is None and self.requests[0].expert is not None:
                self._pairs = self._side_by_side()
            pairs = self._pairs
        # Tokens of rows with weights of their own are not alike, though their ids are.
        stems = self.model.lean and self.requests[0].weights is None
        of_request = [
            [row.reading for row in part if row.request == request]
            for request in range(len(self.requests))
        ]
        packed = pack(of_request, self.device, stems=stems)
        hidden = self.model.scored(packed, pairs, self.scale, self._mix(part))
        scores = self._scores(packed, hidden)
        with self._lock:
            self._unread -= 1
            if self._unread == 0:
                self._pairs = None
        return scores

    def _mix(self, part: Sequence[RequestRow]) -> Mix | None:
        expert, weights = self.requests[0].expert, None
        if expert is None:
            return None
        if self.requests[0].weights is not None:
            weights = torch.stack([self._weights(row) for row in part])
        return mix_of(expert, weights, self.layout, self.device, self.dtype)

    def _weights(self, row: RequestRow) -> Tensor:
        weights = self.requests[row.request].weights
        assert weights is not None
        return weights[row.question]

    def _scores(self, packed: PackedRows, hidden: Tensor) -> list[list[CandidateScore]]:
        # The first tokens of all a question's answers are read off one position.
        _, index, place = np.unique(
            packed.scored.numpy(force=True), return_index=True, return_inverse=True
        )
        positions = hidden[torch.from_numpy(index).to(self.device)]
        places = torch.from_numpy(place).to(self.device)
        answers = self.model.answer_scores(positions, places, packed.targets, ranks=self.ranks)
        candidates = packed.candidates.cpu()
        likelihood = torch.zeros(sum(packed.candidate_counts), dtype=torch.float64)
        likelihood.index_add_(0, candidates, answers.log_likelihood.cpu())
        misses = torch.zeros(len(likelihood), dtype=torch.long)
        misses.index_add_(0, candidates, (~answers.greedy).long().cpu())
        scores = map(CandidateScore, likelihood.tolist(), (misses == 0).tolist())
        return [list(islice(scores, count)) for count in packed.candidate_counts]

    def _side_by_side(self) -> list[tuple[Tensor, Tensor]]:
        """A (G, J·r, k) and B (G, d, J·r) of every module: an expert's members' ranks stacked."""
        experts = [
            expert_pairs(request.expert, self.layout, self.device, self.dtype)
            for request in self.requests
            if request.expert is not None
        ]
        return [
            (joined([A for A, _ in of_module], 0), joined([B for _, B in of_module], 0))
            for of_module in zip(*experts, strict=True)
        ]


def _passes(rows: Sequence[RequestRow], most: int) -> Iterator[list[RequestRow]]:
    """Rows of similar lengths together, the longest first; those of one request after another."""
    order = sorted(rows, key=lambda row: -len(row.reading.tokens))
    start = 0
    while start < len(order):
        longest = len(order[start].reading.tokens)
        fit = max(1, min(most, _PAIRS_PER_PASS // longest**2))
        yield sorted(order[start : start + fit], key=lambda row: row.request)
        start += fit
