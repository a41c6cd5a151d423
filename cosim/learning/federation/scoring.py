"""Every device on every task: experts chosen, sequences routed, equal answers scored once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.data.pool import TaskPool
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.gate import voted_cosines
from cosim.learning.execution.executor import Asked, Executor
from cosim.learning.federation.fleet import Fleet
from cosim.learning.records import Diagnostic, Measurement, Score
from cosim.methods.expert import Expert


class Scoring:
    """Scores a fleet on the held-out questions of all tasks; the executor asks the experts."""

    def __init__(
        self,
        fleet: Fleet,
        evaluator: Evaluator,
        reader: PromptReader,
        pools: Mapping[str, TaskPool],
        executor: Executor,
    ) -> None:
        self.fleet, self.evaluator, self.reader, self.pools = fleet, evaluator, reader, pools
        self.executor = executor
        self.known: dict[tuple[str, str], list[Score]] = {}

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Every device on every task; equal experts are scored once, and those of last time not
        again."""
        wanted: list[tuple[int, tuple[str, str]]] = []
        experts: dict[tuple[str, str], Expert | None] = {}
        for device in devices:
            for task in self.pools:
                expert = self.fleet.expert(device, task)
                key = (task, "base model" if expert is None else expert.key)
                wanted.append((device, key))
                experts.setdefault(key, expert)
        fresh = [key for key in experts if not self.known.get(key)]
        asked = [self._asked(experts[key], key[0]) for key in fresh]
        scored = self.executor.score(self.evaluator, asked)
        found = {key: own for key in experts if (own := self.known.get(key))}
        for key, scores in zip(fresh, scored, strict=True):
            expert = experts[key]
            found[key] = list(scores)
            if expert is not None and expert.weigh is not None:
                found[key].append(self._routing(expert, key[0]))
        self.known = {key: found[key] for key in experts}
        return [
            Measurement(device, key[0], score) for device, key in wanted for score in found[key]
        ]

    def _asked(self, expert: Expert | None, task: str) -> Asked:
        weights = None
        if expert is not None and expert.weigh is not None:
            weights = self.weights(expert, task)
        return Asked(expert, self.pools[task].test, weights)

    def weights(self, expert: Expert, task: str) -> Tensor:
        """The gate's weights (questions, J); all candidates of a question share its prompt's."""
        prompts = [question.candidates[0].prompt for question in self.pools[task].test]
        known = [self.fleet.features(owner) for owner in expert.owners]
        cosines = voted_cosines(self.reader.features(prompts), torch.stack(known))
        assert expert.weigh is not None
        return expert.weigh(cosines)

    def _routing(self, expert: Expert, task: str) -> Score:
        """Share of questions whose expert of the largest weight was trained on their task."""
        chosen = self.weights(expert, task).argmax(1).tolist()
        right = [self.fleet.tasks[expert.owners[number]] == task for number in chosen]
        return Score("routing", sum(right) / len(right), len(right), False)

    def shares(self, devices: Iterable[int]) -> list[Diagnostic]:
        """Share of each task's questions whose expert of the largest weight is an owner's, for
        every owner in the bank; nothing of a device without a gate."""
        known: dict[tuple[str, tuple[int, ...]], list[float]] = {}
        out = []
        for device in devices:
            for task in self.pools:
                expert = self.fleet.expert(device, task)
                if expert is None or expert.weigh is None:
                    continue
                key = (task, expert.owners)
                if key not in known:
                    chosen = self.weights(expert, task).argmax(1)
                    counts = torch.bincount(chosen, minlength=len(expert.owners)).double()
                    known[key] = (counts / len(chosen)).tolist()
                out += [
                    Diagnostic("expert_share", share, device, owner, task)
                    for owner, share in zip(expert.owners, known[key], strict=True)
                ]
        return out
