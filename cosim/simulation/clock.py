"""The simulated clock's rules for what happens in one instant: cut-offs first, deadlines last,
then its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from simpy import Environment
from simpy.events import Event, EventPriority

# SimPy orders equal times by priority; its own events use 0 (urgent) and 1 (normal). Urgent are
# the starts and interruptions of processes, which follow from something in their own instant.

Late = TypeVar("Late")


class _At(Event):
    """An event `delay_s` from now, at its class's place among those of its instant."""

    place: EventPriority
    name: str

    def __init__(self, env: Environment, delay_s: float = 0.0) -> None:
        super().__init__(env)
        if delay_s < 0:
            raise ValueError(f"a {self.name} cannot lie {-delay_s} s in the past")
        self._ok = True
        self._value = None
        env.schedule(self, priority=self.place, delay=delay_s)


class CutOff(_At):
    """A cut-off fires before whatever ends in its instant, so that what a device computes until
    then is lost, whichever of the two was scheduled first."""

    place, name = EventPriority(0), "cut-off"


class Deadline(_At):
    """A deadline fires last in its instant: exactly on time counts."""

    place, name = EventPriority(2), "deadline"


class EndOfInstant(_At):
    """The end of an instant fires when nothing else is left in it, deadlines included."""

    place, name = EventPriority(3), "end"


class Deadlines(Generic[Late]):
    """Deadlines that end in one instant end together, before anybody acts on any of them; `expire`
    hears of all that they were for."""

    def __init__(self, env: Environment, expire: Callable[[Sequence[Late]], None]) -> None:
        self._env = env
        self._expire = expire
        self._due: dict[float, list[Late]] = {}

    def watch(self, those: Sequence[Late], delay_s: float) -> None:
        """Sets a deadline for all of those."""
        if those:
            at_s = float(self._env.now) + delay_s
            if at_s not in self._due:
                self._due[at_s] = []
                then(Deadline(self._env, delay_s), lambda _: self._expire(self._due.pop(at_s)))
            self._due[at_s] += those


def then(event: Event, callback: Callable[[Event], None]) -> None:
    """Has a callback follow an event that has not happened yet."""
    assert event.callbacks is not None
    event.callbacks.append(callback)
