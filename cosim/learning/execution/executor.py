"""Who computes the passes over the base model: this process, or workers elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.request import ScoringRequest
from cosim.learning.records import Mark
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.trainable import Trainer

Groups = Sequence[Sequence[Lesson]]
Requests = Sequence[ScoringRequest]


class Executor(Protocol):
    """An executor computes passes whose lessons are chosen before, so that it changes speed alone.
    `here` is this process' own trainer or evaluator."""

    def train(self, here: Trainer, groups: Groups) -> Sequence[Sequence[Outcome]]:
        """The outcomes of every pass, in order."""

    def score(self, here: Evaluator, requests: Requests) -> Sequence[Sequence[Mark]]:
        """How every expert that is asked answers, in order."""

    def close(self) -> None:
        """Lets the workers go; the next pass gathers them again."""


class InProcess:
    """This executor computes all passes in this process."""

    def train(self, here: Trainer, groups: Groups) -> Sequence[Sequence[Outcome]]:
        """The outcomes of every pass, in order."""
        return here.train_all(groups)

    def score(self, here: Evaluator, requests: Requests) -> Sequence[Sequence[Mark]]:
        """How every expert that is asked answers, in order."""
        return here.marks_of(requests)

    def close(self) -> None:
        """There are no workers."""
