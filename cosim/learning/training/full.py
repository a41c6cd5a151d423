"""Full fine-tuning: every parameter of the base model is trained, one device after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.data.encoding import token_rows
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.request import ScoringRequest
from cosim.learning.records import Mark
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.optimiser import new_optimiser
from cosim.learning.training.pass_room import PassRoom
from cosim.learning.training.trainer import TrainingSettings
from cosim.methods.adapter import Adapter
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.method import Method


class ParameterLayout(Layout):
    """This layout says where each parameter W lies in one flat vector: an expansion without a
    projection."""

    @property
    def expansion_shapes(self) -> list[tuple[int, int]]:
        """(d, k) of each parameter, its further dimensions taken together."""
        return [(module.out_features, module.in_features) for module in self.modules]

    def of_rank(self, rank: int) -> Layout:
        """The same: there is no rank."""
        return self


def layout_of(method: Method, model: Any, target_modules: str | Sequence[str], rank: int) -> Layout:
    """The layout of what a method trains; raises `BaseModelError` as `adapted_modules`.

    model: not adapted yet.
    """
    if not method.expansion.every_parameter:
        return Layout(adapted_modules(model, target_modules), rank)
    parts = []
    for name, value in model.named_parameters():
        block = re.search(r"\.(\d+)\.", name)
        columns = value.numel() // value.shape[0]
        layer = int(block.group(1)) if block else 0
        parts.append(AdaptedModule(name, layer, value.shape[0], columns))
    return ParameterLayout(tuple(parts), rank=0)


class FullWeights:
    """The full weights are the base model's parameters, which one device after the other
    borrows."""

    def __init__(self, model: AdaptedModel) -> None:
        self.parameters: list[Tensor] = list(model.model.parameters())
        self.base = torch.cat([value.detach().flatten() for value in self.parameters])

    @contextmanager
    def borrowed(self, *, trained: bool = False) -> Iterator[None]:
        """Inside the block the parameters may be written; the base's come back after it."""
        try:
            for value in self.parameters:
                value.requires_grad_(trained)
            yield
        finally:
            for value in self.parameters:
                value.requires_grad_(False)
                value.grad = None
            self.write(self.base)

    @torch.no_grad()
    def write(self, flat: Tensor) -> None:
        """Sets all parameters, in the model's dtype."""
        sizes = [value.numel() for value in self.parameters]
        for value, part in zip(self.parameters, flat.split(sizes), strict=True):
            value.copy_(part.view_as(value))

    def moved(self, difference: Tensor) -> Tensor:
        """W0 + ΔW, flat float32."""
        return self.base.float() + difference.to(self.base.device)

    def gradient(self) -> Tensor:
        """The parameters' gradients, flat float32; 0 where the loss does not reach."""
        parts = [
            torch.zeros_like(value) if value.grad is None else value.grad
            for value in self.parameters
        ]
        return torch.cat([part.float().flatten() for part in parts])


class FullTrainer:
    """This trainer trains ΔW of every parameter; an adapter's values are ΔW, flat float32."""

    def __init__(
        self, model: AdaptedModel, weights: FullWeights, settings: TrainingSettings
    ) -> None:
        self.model, self.weights, self.settings = model, weights, settings
        self.room = PassRoom()  # one device's mini-batch is never taken apart
        self.threads = 1  # at a time

    def train(self, lessons: Sequence[Lesson]) -> list[Outcome]:
        """Each lesson by itself: no two devices' weights fit into one pass."""
        return [self._train(lesson) for lesson in lessons]

    def train_all(self, groups: Sequence[Sequence[Lesson]]) -> list[list[Outcome]]:
        """The outcomes of every pass, one after the other."""
        return [self.train(lessons) for lessons in groups]

    def _train(self, lesson: Lesson) -> Outcome:
        master = self.weights.moved(lesson.adapter.values).requires_grad_()
        optimiser = new_optimiser(master, lesson.adapter.moments.get("B"), self.settings)
        correction = lesson.correction.get("B")
        if correction is not None:
            correction = correction.to(master.device)
        losses = []
        with self.weights.borrowed(trained=True):
            for step in range(len(lesson.batches)):
                self.weights.write(master.detach())
                for value in self.weights.parameters:
                    value.grad = None
                losses.append(self._backward(lesson, step))
                gradient = self.weights.gradient()
                master.grad = gradient if correction is None else gradient - correction
                optimiser.step()
        difference = (master.detach() - self.weights.base.float()).cpu()
        start = lesson.adapter
        moments = optimiser.moments() if self.settings.keeps_moments else None
        moments_of = {} if moments is None else {"B": moments}
        trained = Adapter(difference, None, start.projection, moments_of)
        fault = next(
            (f"the loss of step {n + 1} is {x}" for n, x in enumerate(losses) if not isfinite(x)),
            None,
        )
        if fault is None and not bool(difference.isfinite().all()):
            fault = "a parameter is not finite after the last step"
        return Outcome(trained, sum(losses) / len(losses), fault)

    def _backward(self, lesson: Lesson, step: int) -> float:
        parts = lesson.parts(step)
        total = 0.0
        for batch in parts:
            tokens = token_rows(batch, self.weights.base.device)
            hidden = self.model.hidden(tokens.input_ids)
            states = hidden.reshape(-1, hidden.shape[-1]).index_select(0, tokens.positions)
            loss = functional.cross_entropy(self.model.logits(states), tokens.targets)
            loss = loss / len(parts)
            loss.backward()
            total += loss.item()
        return total


class FullEvaluator(Evaluator):
    """This evaluator scores ΔW of every parameter: the base model answers with its parameters
    moved."""

    def __init__(self, model: AdaptedModel, layout: Layout, weights: FullWeights) -> None:
        super().__init__(model, layout, weights.base.dtype, scale=1.0)
        self.weights = weights

    @torch.no_grad()
    def marks_of(self, requests: Sequence[ScoringRequest]) -> list[list[Mark]]:
        """How every question was answered: one request after the other, as all borrow the same
        parameters."""
        return [self._marks(request) for request in requests]

    def _marks(self, request: ScoringRequest) -> list[Mark]:
        requests = [ScoringRequest(None, request.questions)]
        if request.expert is None:
            return super().marks_of(requests)[0]
        (member,) = request.expert.members
        with self.weights.borrowed():
            self.weights.write(self.weights.moved(member.values))
            return super().marks_of(requests)[0]
