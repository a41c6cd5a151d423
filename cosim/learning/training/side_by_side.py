"""Shares of passes that take their steps side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from cosim.learning.threads import one_thread_each
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.pass_room import out_of_memory


class StoppedError(Exception):
    """Another share of the lessons has failed, or the user has had enough."""


def _gravity(error: BaseException) -> int:
    """What is raised of several shares' errors comes first: memory that does not suffice, then any
    fault, then that a share was stopped for it."""
    if isinstance(error, Exception) and out_of_memory(error):
        return 0
    return 2 if isinstance(error, StoppedError) else 1


@dataclass(frozen=True)
class Unit:
    """A unit is a share of a pass, which one thread trains.

    lessons: those of the share.
    place: the number of the pass, and its lessons' numbers there.
    shares: how many the pass is cut into.
    """

    lessons: Sequence[Lesson]
    place: tuple[int, ...]
    shares: int

    @property
    def tokens(self) -> int:
        """Tokens that its lessons read."""
        return sum(lesson.tokens for lesson in self.lessons)


def side_by_side(
    units: Sequence[Unit], train: Callable[[Unit, Event], list[Outcome]], threads: int
) -> list[list[Outcome]]:
    """Each unit's outcomes, the largest trained first, so many at once; where one fails, it sets
    the event that all of them watch, and they take no further step."""
    if not units:
        return []
    stopped = Event()

    def trained(unit: Unit) -> list[Outcome] | BaseException:
        try:
            return train(unit, stopped)
        except BaseException as error:
            stopped.set()
            return error

    order = sorted(range(len(units)), key=lambda number: -units[number].tokens)
    with one_thread_each(min(threads, len(units))) as run:
        try:
            results = dict(zip(order, run(trained, [units[n] for n in order]), strict=True))
        except BaseException:
            stopped.set()
            raise
    failed = [result for result in results.values() if isinstance(result, BaseException)]
    for error in sorted(failed, key=_gravity):
        raise error
    return [result for _, result in sorted(results.items()) if isinstance(result, list)]
