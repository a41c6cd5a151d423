"""Every device on every task: experts chosen, sequences routed, equal answers scored once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.data.pool import TaskPool
from cosim.learning.evaluation.evaluator import Evaluator, metrics
from cosim.learning.evaluation.gate import voted_cosines
from cosim.learning.evaluation.request import ScoringRequest
from cosim.learning.execution.executor import Executor
from cosim.learning.records import (
    AnswerSheet,
    Diagnostic,
    Evaluation,
    Mark,
    Measurement,
    Score,
)
from cosim.methods.expert import Expert


class Answering(Protocol):
    """Devices may be asked for what they answer with."""

    @property
    def tasks(self) -> Sequence[str]:
        """The task of every device, by id."""

    def expert(self, device: int, task: str) -> Expert | None:
        """What a device answers a task with; None: the base model alone."""

    def features(self, owner: int) -> Tensor:
        """h of a device's task at the gate's blocks (L, h)."""


def gate_weights(
    fleet: Answering, reader: PromptReader, expert: Expert, prompts: Sequence[tuple[int, ...]]
) -> Tensor | None:
    """The weights (n, J) that an expert's gate gives its members for each prompt; None where it
    has no gate."""
    if expert.weigh is None:
        return None
    prototypes = [fleet.features(owner) for owner in expert.owners]
    return expert.weigh(voted_cosines(reader.features(prompts), torch.stack(prototypes)))


class Scoring:
    """Scoring marks a fleet on the held-out questions of all tasks; the executor asks the experts.

    keeps_answers: whether evaluations come with what every question was answered.
    """

    def __init__(
        self,
        fleet: Answering,
        evaluator: Evaluator,
        reader: PromptReader,
        pools: Mapping[str, TaskPool],
        executor: Executor,
    ) -> None:
        self.fleet, self.evaluator, self.reader, self.pools = fleet, evaluator, reader, pools
        self.executor = executor
        self.keeps_answers = False
        self.known: dict[tuple[str, str], list[Score]] = {}
        self.sheets: dict[tuple[str, str], AnswerSheet] = {}

    def evaluate(self, devices: Iterable[int]) -> Evaluation:
        """Measures every device on every task; equal experts are scored once, and those of last
        time not again."""
        keys: list[tuple[int, tuple[str, str]]] = []
        experts: dict[tuple[str, str], Expert | None] = {}
        for device in devices:
            for task in self.pools:
                expert = self.fleet.expert(device, task)
                key = (task, "base model" if expert is None else expert.key)
                keys.append((device, key))
                experts.setdefault(key, expert)
        fresh = [key for key in experts if not self.known.get(key)]
        requests = [self._asked(experts[key], key[0]) for key in fresh]
        outcomes = self.executor.score(self.evaluator, requests)
        measured = {key: earlier for key in experts if (earlier := self.known.get(key))}
        sheets = {key: self.sheets[key] for key in experts if key in self.sheets}
        for key, marks in zip(fresh, outcomes, strict=True):
            expert = experts[key]
            measured[key] = metrics(marks)
            owners: tuple[int, ...] = ()
            if expert is not None and expert.weigh is not None:
                owners = self._owners(expert, key[0])
                measured[key].append(self._routing(owners, key[0]))
            if self.keeps_answers:
                sheets[key] = self._sheet(key[0], marks, owners)
        self.known = {key: measured[key] for key in experts}
        self.sheets = {key: sheets[key] for key in experts if key in sheets}
        return Evaluation(
            [Measurement(device, key[0], score) for device, key in keys for score in measured[key]],
            sheets=[(device, self.sheets[key]) for device, key in keys if key in self.sheets],
        )

    def _sheet(self, task: str, marks: Sequence[Mark], owners: tuple[int, ...]) -> AnswerSheet:
        return AnswerSheet(
            task,
            questions=tuple(question.content for question in self.pools[task].test),
            right=tuple(mark.right for mark in marks),
            chosen=tuple(mark.chosen for mark in marks),
            margins=tuple(mark.margin for mark in marks),
            asked=owners,
        )

    def _asked(self, expert: Expert | None, task: str) -> ScoringRequest:
        weights = None
        if expert is not None and expert.weigh is not None:
            weights = self.weights(expert, task)
        return ScoringRequest(expert, self.pools[task].test, weights)

    def weights(self, expert: Expert, task: str) -> Tensor:
        """The gate's weights (questions, J); all candidates of a question share its prompt's."""
        prompts = [question.candidates[0].prompt for question in self.pools[task].test]
        weights = gate_weights(self.fleet, self.reader, expert, prompts)
        assert weights is not None
        return weights

    def _owners(self, expert: Expert, task: str) -> tuple[int, ...]:
        """Of each question, the device whose expert has the largest weight."""
        members = self.weights(expert, task).argmax(1).tolist()
        return tuple(expert.owners[number] for number in members)

    def _routing(self, owners: Sequence[int], task: str) -> Score:
        """Share of questions whose expert of the largest weight was trained on their task."""
        right = [self.fleet.tasks[owner] == task for owner in owners]
        return Score("routing", sum(right) / len(right), len(right), False)

    def shares(self, devices: Iterable[int]) -> list[Diagnostic]:
        """Share of each task's questions whose expert of the largest weight is an owner's, for
        every owner in the bank; nothing of a device without a gate."""
        shares_of: dict[tuple[str, tuple[int, ...]], list[float]] = {}
        out = []
        for device in devices:
            for task in self.pools:
                expert = self.fleet.expert(device, task)
                if expert is None or expert.weigh is None:
                    continue
                key = (task, expert.owners)
                if key not in shares_of:
                    members = self.weights(expert, task).argmax(1)
                    counts = torch.bincount(members, minlength=len(expert.owners)).double()
                    shares_of[key] = (counts / len(members)).tolist()
                out += [
                    Diagnostic("expert_share", share, device, owner, task)
                    for owner, share in zip(expert.owners, shares_of[key], strict=True)
                ]
        return out
