"""Greedy decoding: the answers that experts write by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.errors import AskError
from cosim.learning.base.adapted_model import Mix
from cosim.learning.base.packed_llama.continuation import Continuation
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import PackedRows, pack, reading
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.request import ROWS_PER_PASS, ScoringRequest
from cosim.learning.evaluation.side_by_side import expert_pairs, mix_of
from cosim.methods.expert import Expert

# Of a pass, the answers to come among them.
_TOKENS_PER_PASS = 4096


@dataclass(frozen=True)
class Written:
    """What is written is a model's answer to a prompt.

    tokens: without the end-of-text token.
    ended: whether that token came; else the answer was cut.
    """

    tokens: tuple[int, ...]
    ended: bool


class Decoder:
    """A decoder takes the most likely token again and again, by the passes and the float32 head
    that an evaluator scores with.

    A free answer is an exact match where this writes it. end: the end-of-text token; None: only
    `most` ends an answer.
    """

    def __init__(self, evaluator: Evaluator, end: int | None) -> None:
        self.evaluator, self.end = evaluator, end

    @torch.no_grad()
    def written(
        self,
        expert: Expert | None,
        prompts: Sequence[tuple[int, ...]],
        most: int,
        weights: Tensor | None = None,
    ) -> list[Written]:
        """What an expert (None: the base model alone) writes after each prompt.

        most: tokens of an answer. weights: of the expert's members by prompt (n, J), where a gate
        weighs them. Raises AskError where the model's logits are no numbers.
        """
        request = ScoringRequest(expert, (), weights).without_idle()
        pairs = None
        if request.expert is not None:
            model = self.evaluator
            pairs = expert_pairs(request.expert, model.layout, model.device, model.dtype)
        out: dict[int, Written] = {}
        for part in _passes(prompts, most):
            rows = None if request.weights is None else request.weights[part]
            completions = self._pass(request.expert, pairs, rows, [prompts[n] for n in part], most)
            out.update(zip(part, completions, strict=True))
        return [out[number] for number in range(len(prompts))]

    def _pass(
        self,
        expert: Expert | None,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        weights: Tensor | None,
        prompts: Sequence[tuple[int, ...]],
        most: int,
    ) -> list[Written]:
        reader = _Reader(self.evaluator, expert, pairs, weights, most)
        written: list[list[int]] = [[] for _ in prompts]
        going = list(range(len(prompts)))
        hidden = reader.begin(prompts)
        while True:
            following: list[int] = self.evaluator.model.likeliest(hidden).tolist()
            if min(following) < 0:
                raise AskError("the model's answer is no finite number: its adapter has diverged.")
            on = [at for at, token in enumerate(following) if token != self.end]
            for at in on:
                written[going[at]].append(following[at])
            going = [going[at] for at in on]
            if not going or len(written[going[0]]) == most:
                break
            hidden = reader.go_on([following[at] for at in on], on)
        return [Written(tuple(w), n not in going) for n, w in enumerate(written)]


class _Reader:
    """This reads prompts and then token by token what is written after them.

    Lean passes remember what they have read; elsewhere rows are read anew for every token.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        expert: Expert | None,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        weights: Tensor | None,
        most: int,
    ) -> None:
        self.evaluator, self.expert, self.pairs = evaluator, expert, pairs
        self.weights, self.most = weights, most
        self._rows: list[tuple[int, ...]] = []
        self._begun: Continuation | None = None

    def begin(self, prompts: Sequence[tuple[int, ...]]) -> Tensor:
        """The last hidden states (n, h) after each prompt."""
        self._rows, model = list(prompts), self.evaluator.model
        if not model.lean:
            return model.scored(self._packed(), self.pairs, self.evaluator.scale, self._mix())
        # The last token of an answer is not read.
        places = max(map(len, prompts)) + self.most - 1
        scale = self.evaluator.scale
        hidden, self._begun = model.begun(self._packed(), self.pairs, scale, self._mix(), places)
        return hidden

    def go_on(self, tokens: Sequence[int], rows: Sequence[int]) -> Tensor:
        """The last hidden states (n, h) after one more token of each of these rows, which alone are
        kept."""
        at = self.evaluator
        self._rows = [(*self._rows[row], token) for row, token in zip(rows, tokens, strict=True)]
        if self._begun is not None:
            if len(rows) < len(self._begun.lengths):
                self._begun.keep(rows)
            return at.model.read_on(torch.tensor(tokens, device=at.device), self._begun)
        if self.weights is not None:
            self.weights = self.weights[list(rows)]
        return at.model.scored(self._packed(), self.pairs, at.scale, self._mix())

    def _packed(self) -> PackedRows:
        # A row's last token is only predicted, so that one more is read as the answer.
        readings = [reading(Encoded(row, (0,))) for row in self._rows]
        # Tokens of rows with weights of their own are not alike, though their ids are.
        stems = self.evaluator.model.lean and self.weights is None
        return pack([readings], self.evaluator.device, stems=stems)

    def _mix(self) -> Mix | None:
        at = self.evaluator
        if self.expert is None:
            return None
        return mix_of(self.expert, self.weights, at.layout, at.device, at.dtype)


def _passes(prompts: Sequence[tuple[int, ...]], most: int) -> list[list[int]]:
    """The prompts' numbers, those of similar lengths together, the longest first."""
    order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
    parts = []
    while order:
        longest = len(prompts[order[0]]) + most
        fit = max(1, min(ROWS_PER_PASS, _TOKENS_PER_PASS // longest))
        parts.append(order[:fit])
        order = order[fit:]
    return parts
