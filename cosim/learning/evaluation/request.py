"""What is asked of an evaluator, and which requests are answered in common passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from cosim.learning.data.pool import Question
from cosim.methods.expert import Expert

# Rows of a pass: it gains nothing by more of them.
ROWS_PER_PASS = 64
# Adapters that lie side by side in the model's dtype for one pass.
MEMBERS_TOGETHER = 8


@dataclass(frozen=True)
class ScoringRequest:
    """A scoring request has an expert scored on a task's questions.

    expert: None for the base model alone.
    questions: in the order in which their marks come back.
    weights: a gate's, of the expert's members (questions, J); None without a gate.
    """

    expert: Expert | None
    questions: Sequence[Question]
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        gated = self.expert is not None and self.expert.weigh is not None
        assert gated == (self.weights is not None)

    @property
    def candidates(self) -> int:
        """Rows at most, were each candidate one."""
        return sum(len(question.candidates) for question in self.questions)

    def without_idle(self) -> ScoringRequest:
        """The same of the members that any question asks, so that the others' ranks need not be
        computed; without a gate where one of them answers alone."""
        if self.weights is None:
            return self
        assert self.expert is not None
        active = (self.weights > 0).any(0).nonzero().flatten().tolist()
        members = tuple(self.expert.members[number] for number in active)
        alone = len(members) == 1  # with weight 1
        expert = replace(self.expert, members=members, owners=())
        expert = replace(expert, weigh=None) if alone else expert
        return ScoringRequest(expert, self.questions, None if alone else self.weights[:, active])


def groups_of(requests: Iterable[ScoringRequest]) -> list[list[int]]:
    """Numbers of requests by the passes that answer them: those of small tasks and of experts of
    one shape together, as long as they are few.

    It is a matter of the requests alone and not of the machine, since what goes through one product
    together may be rounded otherwise than apart.
    """
    groups: list[list[int]] = []
    open_groups: dict[tuple[int, bool], tuple[list[int], int]] = {}
    for number, request in enumerate(requests):
        expert = request.expert
        if expert is None or expert.select is not None or len(request.questions) >= ROWS_PER_PASS:
            groups.append([number])
            continue
        shape = len(expert.members), request.weights is not None
        group, rows = open_groups.get(shape, ([], 0))
        fits = rows + len(request.questions) <= ROWS_PER_PASS
        if not fits or (len(group) + 1) * len(expert.members) > MEMBERS_TOGETHER or not group:
            group, rows = [], 0
            groups.append(group)
        group.append(number)
        open_groups[shape] = group, rows + len(request.questions)
    return groups
