"""Who computes the passes over the base model: this process, or workers elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from cosim.learning.data.pool import Question
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.records import Score
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.trainable import Trainer
from cosim.methods.expert import Expert


@dataclass(frozen=True)
class Asked:
    """An expert, a task's questions, and what a gate makes of the expert's members (questions, J)
    where there is one."""

    expert: Expert | None
    questions: Sequence[Question]
    weights: Tensor | None


class Executor(Protocol):
    """Computes passes; what shares a pass is decided before, so that it changes nothing but speed
    who does it. `here` is this process' own trainer or evaluator."""

    def train(
        self, here: Trainer, groups: Sequence[Sequence[Lesson]]
    ) -> Sequence[Sequence[Outcome]]:
        """The outcomes of every pass, in order."""

    def score(self, here: Evaluator, asked: Sequence[Asked]) -> Sequence[Sequence[Score]]:
        """The scores of every expert that is asked, in order."""

    def close(self) -> None:
        """Lets the workers go; the next pass gathers them again."""


class InProcess:
    """One pass after the other, in this process."""

    def train(
        self, here: Trainer, groups: Sequence[Sequence[Lesson]]
    ) -> Sequence[Sequence[Outcome]]:
        """The outcomes of every pass, in order."""
        return [here.train(group) for group in groups]

    def score(self, here: Evaluator, asked: Sequence[Asked]) -> Sequence[Sequence[Score]]:
        """The scores of every expert that is asked, in order."""
        return [here.scores(one.expert, one.questions, one.weights) for one in asked]

    def close(self) -> None:
        """There are no workers."""
