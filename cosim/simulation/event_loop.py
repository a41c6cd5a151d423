"""The loop over events, which ends where a process fails."""

from __future__ import annotations

from simpy import Environment, Process
from simpy.core import SimTime
from simpy.events import NORMAL, Event, EventPriority


class EventLoop(Environment):
    """An event loop is SimPy's environment, but for processes that fail: it ends at once.

    SimPy has all else happen first that is due in the same instant. Devices would go on without
    the one that failed or was interrupted, and a checkpoint could be taken of what never was. No
    process can wait for another's failure.
    """

    def schedule(self, event: Event, priority: EventPriority = NORMAL, delay: SimTime = 0) -> None:
        """Schedules an event; raises what a process has ended with, an interruption too."""
        if event.__class__ is Process and not event.ok:
            assert isinstance(event.value, BaseException)
            raise event.value
        Environment.schedule(self, event, priority, delay)
