"""How long each part of a run takes on the host: wall and processor seconds by phase.

For a run's manifest and for those who look at it; nothing that is simulated may ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock
from time import perf_counter, process_time, thread_time
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")
# By phase and clock: `wall_s`, and `cpu_s` of all threads of this process.
PhaseSeconds = dict[str, dict[str, float]]


class Phase(StrEnum):
    """A phase is what a run spends its time on; whatever it does is one of these."""

    TRAINING = "training"
    EVALUATION = "evaluation"
    CALIBRATION = "calibration"
    SPECTRA = "spectra"
    MIXING = "mixing"
    NETWORK = "network"
    TRACES = "traces"
    CHECKPOINTS = "checkpoints"


class Phases:
    """This stopwatch gives every moment to the innermost of the phases that are open.

    One thread opens and closes phases. Its workers may compute `aside` what belongs to another
    one, which then has of the open phase's wall time the share that it has of its processor time,
    so that however many work at once, the wall time is counted once.
    """

    def __init__(self) -> None:
        self._seconds = {phase: [0.0, 0.0] for phase in Phase}
        self._open: list[Phase] = []
        self._aside_s: dict[Phase, float] = {}
        self._lock = Lock()
        self._last = (perf_counter(), process_time())

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Counts what the block takes as the phase's, but for phases that it opens itself."""
        self._count()
        self._open.append(phase)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def aside(self, phase: Phase, work: Callable[Given, Found]) -> Callable[Given, Found]:
        """The same work, whose processor time in the thread that does it is the phase's.

        It must compute in that thread alone. Where no phase is open it is not counted.
        """

        def counted(*args: Given.args, **keywords: Given.kwargs) -> Found:
            began_s = thread_time()
            try:
                return work(*args, **keywords)
            finally:
                taken_s = thread_time() - began_s
                with self._lock:
                    self._aside_s[phase] = self._aside_s.get(phase, 0.0) + taken_s

        return counted

    def so_far(self, before: Mapping[str, Mapping[str, float]] | None = None) -> PhaseSeconds:
        """Seconds of every phase until now; before: those of an earlier part of the run."""
        self._count()
        past = before or {}
        return {
            phase.value: {
                clock: seconds + past.get(phase.value, {}).get(clock, 0.0)
                for clock, seconds in zip(("wall_s", "cpu_s"), pair, strict=True)
            }
            for phase, pair in self._seconds.items()
        }

    def _count(self) -> None:
        """Gives what has passed since the last count to the phase that was open."""
        now, aside_s = (perf_counter(), process_time()), self._aside_s
        passed = [at - before for at, before in zip(now, self._last, strict=True)]
        self._last, self._aside_s = now, {}
        if not self._open:
            return
        # The clock of a thread and that of the process need not agree to the last tick.
        whole_s = max(passed[1], sum(aside_s.values()))
        shares = {phase: taken_s / whole_s for phase, taken_s in aside_s.items() if whole_s > 0}
        shares[self._open[-1]] = 1.0 - sum(shares.values()) + shares.get(self._open[-1], 0.0)
        for phase, share in shares.items():
            for clock, seconds in enumerate(passed):
                self._seconds[phase][clock] += share * seconds
