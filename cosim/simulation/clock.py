"""The simulated clock's rules for what happens in one instant: cut-offs first, deadlines last,
then its end."""

from __future__ import annotations

from collections.abc import Callable

from simpy import Environment
from simpy.events import Event, EventPriority

# SimPy orders equal times by priority; its own events use 0 (urgent) and 1 (normal). Urgent are
# the starts and interruptions of processes, which follow from something in their own instant.
_FIRST = EventPriority(0)
_LAST = EventPriority(2)
_AFTER_ALL = EventPriority(3)


class CutOff(Event):
    """An event `delay_s` from now that fires before whatever ends in its instant, so that what a
    device computes until then is lost, whichever of the two was scheduled first."""

    def __init__(self, env: Environment, delay_s: float) -> None:
        super().__init__(env)
        if delay_s < 0:
            raise ValueError(f"a cut-off cannot lie {-delay_s} s in the past")
        self._ok = True
        self._value = None
        env.schedule(self, priority=_FIRST, delay=delay_s)


class Deadline(Event):
    """An event `delay_s` from now that fires last in its instant: exactly on time counts."""

    def __init__(self, env: Environment, delay_s: float) -> None:
        super().__init__(env)
        if delay_s < 0:
            raise ValueError(f"a deadline cannot lie {-delay_s} s in the past")
        self._ok = True
        self._value = None
        env.schedule(self, priority=_LAST, delay=delay_s)


class EndOfInstant(Event):
    """An event that fires when nothing else is left in the present instant, deadlines included."""

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        env.schedule(self, priority=_AFTER_ALL)


def then(event: Event, callback: Callable[[Event], None]) -> None:
    """Has a callback follow an event that has not happened yet."""
    assert event.callbacks is not None
    event.callbacks.append(callback)
