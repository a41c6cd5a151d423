"""Greedy decoding: the answers that experts write by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.errors import AskError
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import pack, reading
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

    A free answer is an exact match where this writes it. All of a row is read for each of its
    tokens: that costs a pass a token, and is the same for every architecture. end: the
    end-of-text token; None: only `most` ends an answer.
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
        written: list[list[int]] = [[] for _ in prompts]
        going = list(range(len(prompts)))
        for _ in range(most):
            rows = [(*prompts[number], *written[number]) for number in going]
            theirs = None if weights is None else weights[going]
            following = self._next(expert, pairs, theirs, rows)
            if min(following) < 0:
                raise AskError("the model's answer is no finite number: its adapter has diverged.")
            for number, token in zip(list(going), following, strict=True):
                if token == self.end:
                    going.remove(number)
                else:
                    written[number].append(token)
            if not going:
                break
        return [Written(tuple(w), n not in going) for n, w in enumerate(written)]

    def _next(
        self,
        expert: Expert | None,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        weights: Tensor | None,
        rows: Sequence[tuple[int, ...]],
    ) -> list[int]:
        """The most likely token after each row."""
        at = self.evaluator
        # A row's last token is only predicted, so that one more is read as the answer.
        readings = [reading(Encoded(row, (0,))) for row in rows]
        # Tokens of rows with weights of their own are not alike, though their ids are.
        packed = pack([readings], at.device, stems=at.model.lean and weights is None)
        mix = None
        if expert is not None:
            mix = mix_of(expert, weights, at.layout, at.device, at.dtype)
        hidden = at.model.scored(packed, pairs, at.scale, mix)
        tokens: list[int] = at.model.likeliest(hidden).tolist()
        return tokens


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
