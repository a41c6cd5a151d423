"""Learning where data lies in one place: one adapter of a task, or of everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cosim.learning.training.lesson import Batch, Lesson, Outcome
from cosim.methods.data.slot import Data


class Pools:
    """A pool trains one adapter on the rows of several devices, once a round.

    In a round an adapter learns from the mini-batches of all its devices, whoever of them is
    there: the data is in one place, and the devices only ask. So it is trained once a round, when
    the first of them asks for what has come of it, and the others are given the same. A device that
    is cut off before it asks leaves no trace: what has not been asked for has not been trained.
    """

    def __init__(self, data: Data, tasks: Sequence[str]) -> None:
        self._names = data.pools(tasks)
        self.latest: dict[str, Outcome] = {}
        self.ended: dict[tuple[str, int], tuple[float, str | None]] = {}

    @property
    def gathered(self) -> bool:
        """Whether rows of several devices lie in one place."""
        return bool(self._names)

    def settle(
        self,
        device: int,
        round_: int,
        start: Lesson,
        batches_of: Callable[[int], tuple[Batch, ...]],
        train: Callable[[Lesson], Outcome],
    ) -> Outcome:
        """The adapter after this round; `start` is the asking device's lesson.

        Where training comes to no finite number, all devices of the pool are told, and the adapter
        stays what it was before.
        """
        name = self._names[device]
        if (name, round_) not in self.ended:
            leader, *followers = [d for d, pool in enumerate(self._names) if pool == name]
            latest = self.latest.get(name)
            lesson = Lesson(
                start.adapter if latest is None else latest.adapter,
                batches_of(leader),
                start.kept,
                tuple(batches_of(follower) for follower in followers),
                start.trains,
            )
            outcome = train(lesson)
            if outcome.fault is None:
                self.latest[name] = outcome
            self.ended[name, round_] = outcome.loss, outcome.fault
        latest = self.latest.get(name)
        loss, fault = self.ended[name, round_]
        return Outcome(start.adapter if latest is None else latest.adapter, loss, fault)
