"""Whether something else kept this process from the processor while it was measured."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter, process_time

from cosim.errors import BusyMachineError

# Above this, durations are those of the machine and of what else it was doing.
MOST_CONTENTION = 1.2
# Above this there is no need to measure all jobs to know.
PLAIN_CONTENTION = 1.5
# Median of the fit's relative errors above which a profile predicts little. On quiet processors
# whose products are fast (AMX) it is 0.08 to 0.09, since time grows by less than the FLOP do:
# passes of few tokens are not cut in two.
MOST_ERROR = 0.15
# Clocks tell nothing about shorter times.
_LEAST_S = 5e-3
# Seconds after which a busy machine is told from a moment's disturbance.
_PLAIN_S = 30.0
_THREADS = Path("/proc/self/task")


@dataclass(frozen=True)
class ContentionWatch:
    """A contention watch holds the clocks of this process at a moment.

    wall_s: the clock of the wall.
    processor_s: processor time of all threads.
    waited_s: how long each thread has been ready and not running (Linux, sched-stats.rst).
    """

    wall_s: float
    processor_s: float
    waited_s: dict[str, float]

    @classmethod
    def started(cls) -> ContentionWatch:
        """The clocks as they are now."""
        return cls(perf_counter(), process_time(), _waited_s())

    def contention(self) -> float:
        """Wall time since then over the part of it in which nothing kept this process waiting.

        1 on a machine that is left alone. Of threads the one that waited longest counts; where
        the system does not tell, at least a thread is taken to be always at work.
        """
        now = ContentionWatch.started()
        wall_s = now.wall_s - self.wall_s
        if wall_s < _LEAST_S:
            return 1.0
        waits_s = [at - self.waited_s.get(name, 0.0) for name, at in now.waited_s.items()]
        undisturbed_s = wall_s - max(waits_s, default=0.0)
        at_work_s = now.processor_s - self.processor_s
        return max(1.0, wall_s / max(min(undisturbed_s, at_work_s), _LEAST_S))


class Patience:
    """Measuring goes on until it is plain that the machine is busy.

    most: the contention that is borne, of all the time since this was made.
    """

    def __init__(self, most: float = inf) -> None:
        self._watch, self._most = ContentionWatch.started(), most

    def check(self) -> None:
        """Raises BusyMachineError where too little of enough time was this process' own."""
        if perf_counter() - self._watch.wall_s < _PLAIN_S:
            return
        contention = self._watch.contention()
        if contention > self._most:
            raise BusyMachineError(busy_sentence(contention))


def busy_sentence(contention: float) -> str:
    """What so much contention means."""
    return (
        f"the machine was busy: the jobs took {contention:.1f} times as long as this process had a "
        "processor"
    )


def _waited_s() -> dict[str, float]:
    waits = {}
    try:
        for thread in _THREADS.iterdir():
            waits[thread.name] = float((thread / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):  # not on every system; a thread that has just ended
        return {}
    return waits
