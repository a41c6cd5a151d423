"""What is told of a sweep while it goes on: a line a run, and live in a terminal who is how far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from rich.console import Console
from rich.text import Text

from cosim.observers.tally import clock_text
from cosim.sweeping.duration import Outlook, wall_s_left
from cosim.sweeping.index import Entry
from cosim.sweeping.results import Results
from cosim.sweeping.state import State
from cosim.sweeping.watch import Watch

# Runs that go on of which a live display tells.
_SHOWN = 8
# Rounds by whose wall time the others of a run are foreseen.
_RECENT = 4
# Less than this is nothing that is left.
_LEAST_S = 0.5
# Of a first estimate; runs of a shorter sweep end before anybody wonders.
_WORTH_TELLING_S = 60.0


class SweepProgress(Watch):
    """A sweep's progress prints how each run has ended, and is itself what a live display shows.

    clock: the host's, in s, of which nothing reaches a trace.
    """

    def __init__(
        self, console: Console, directory: str, jobs: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._console, self._directory, self._jobs, self._clock = console, directory, jobs, clock
        self._entries: dict[str, Entry] = {}
        self._to_play = 0
        self._started_at_s: dict[str, float] = {}
        self._rounds: dict[str, int] = {}
        self._paces: dict[str, _Pace] = {}
        self._estimated = False
        self.ended_runs = 0

    def begins(self, entries: Sequence[Entry]) -> None:
        """Prints what there is to play and how long it may take, where there is anything."""
        self._estimated = wall_s_left(entries, self._jobs) is not None
        self._entries = {entry.point.name: entry for entry in entries}
        self._to_play = sum(entry.state is State.PENDING for entry in entries)
        if self._to_play:
            self._print(plan_words(entries, self._directory, self._jobs))

    def started(self, name: str) -> None:
        """Counts its time from now on."""
        self._started_at_s[name] = self._clock()

    def reached(self, name: str, round_: int) -> None:
        """Keeps the round; two of a run let a sweep of which nothing was known be estimated."""
        self._rounds[name] = round_
        spent_s = self._clock() - self._started_at_s[name]
        self._paces.setdefault(name, _Pace()).reach(round_, spent_s)
        if not self._estimated and (self._left_s() or 0.0) >= _WORTH_TELLING_S:
            self._estimated = True
            self._print(f"by the first rounds: about {self._left()} left")

    def ended(self, entry: Entry) -> None:
        """Prints how the run has ended, what it came to, and what is left of the sweep."""
        name = entry.point.name
        self._entries[name] = entry
        self._started_at_s.pop(name, None)
        self._estimated = True
        self.ended_runs += 1
        words = [f"{self.ended_runs}/{self._to_play}", str(entry.state)]
        words += [] if entry.seconds is None else [f"{entry.seconds:.1f} s"]
        words += [name, *result_words(entry.results)]
        if (left := self._left()) is not None:
            words.append(f"left about {left}")
        self._print("  ".join(words))

    def __rich__(self) -> Text:
        """The runs that go on, each with its round."""
        if not self._entries:
            return Text("looking at what the runs ask for")
        left = self._left()
        head = f"{self.ended_runs} of {self._to_play} runs, {self._jobs} at a time"
        lines = [head if left is None else f"{head}, about {left} left"]
        running = list(self._started_at_s)
        for name in running[:_SHOWN]:
            rounds = self._entries[name].point.scenario.rounds
            lines.append(f"{name}  round {self._rounds.get(name, 0)}/{rounds}")
        lines += [f"and {len(running) - _SHOWN} more"] if len(running) > _SHOWN else []
        return Text("\n".join(lines), overflow="ellipsis", no_wrap=True)

    def _left(self) -> str | None:
        """The wall time that is left, in words; None where it is not known, or nothing is left."""
        left_s = self._left_s()
        return clock_text(left_s) if left_s is not None and left_s >= _LEAST_S else None

    def _left_s(self) -> float | None:
        now_s = self._clock()
        # A live display asks from a thread of its own.
        started = list(self._started_at_s.items())
        elapsed_s = {name: now_s - start_s for name, start_s in started}
        outlooks = {}
        for name, pace in list(self._paces.items()):
            outlook = pace.outlook(self._entries[name].point.scenario.rounds)
            if name in elapsed_s and outlook is not None:
                outlooks[name] = outlook
        return wall_s_left(list(self._entries.values()), self._jobs, elapsed_s, outlooks)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


class _Pace:
    """A pace is how long a run takes for a round, by the last ones that were told: what went before
    was its set-up, or the rounds of an earlier attempt, which are played again in no time."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._last: deque[tuple[int, float]] = deque(maxlen=_RECENT + 1)

    def reach(self, round_: int, spent_s: float) -> None:
        """Takes a round that has ended after so much time."""
        self._first = self._first or (round_, spent_s)
        self._last.append((round_, spent_s))

    def outlook(self, rounds: int) -> Outlook | None:
        """What so many rounds come to; None where one alone was told, unless it is the last."""
        if self._first is None:
            return None
        first, began_s = self._first
        (former, former_s), (last, last_s) = self._last[0], self._last[-1]
        if last == former:
            return Outlook(last_s, last_s) if last == rounds else None
        pace_s = (last_s - former_s) / (last - former)
        return Outlook(last_s + (rounds - last) * pace_s, began_s + (rounds - first) * pace_s)


def plan_words(
    entries: Sequence[Entry], directory: str, jobs: int, foreseen_s: float | None = None
) -> str:
    """How many runs there are, how many of them have to be played, and how long that may take.

    foreseen_s: what it takes whatever the number of jobs, where no run has ended yet.
    """
    pending = sum(entry.state is State.PENDING for entry in entries)
    words = f"{len(entries)} runs in {directory}"
    if not pending:
        failed = any(entry.state is State.FAILED for entry in entries)
        return f"{words}: {'what is to be played cannot start' if failed else 'nothing to play'}"
    if pending < len(entries):
        words = f"{words}: {pending} to play"
    left_s = wall_s_left(entries, jobs)
    if left_s is None and foreseen_s is not None:
        words += f", about {clock_text(foreseen_s)} on this machine left alone"
        return f"{words}, by a few steps and questions that were timed now"
    if left_s is None:
        return f"{words}; how long they take is not known yet"
    return f"{words}, about {clock_text(left_s)} with --jobs {jobs}"


def result_words(results: Results) -> list[str]:
    """What a run came to, a figure each; those that it has not are left out."""
    told = (
        ("accuracy", results.accuracy, ".3f", ""),
        ("energy", results.energy_j, ".1f", " J"),
        ("air", results.mbit, ".1f", " Mbit"),
        ("simulated", results.simulated_s, ".2f", " s"),
    )
    return [f"{name} {value:{form}}{unit}" for name, value, form, unit in told if value is not None]
