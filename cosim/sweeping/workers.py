"""A few processes that play runs side by side; the death of one costs one run."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator, Iterable
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import wait
from typing import Any

from cosim.host.safe_path import safe_path
from cosim.sweeping.progress import Progress, Tell
from cosim.sweeping.work import Assignment, Reply, serve


def cores() -> int:
    """Processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def threads_for(jobs: int) -> int | None:
    """Threads of each of `jobs` workers, so that together they use each core once.

    A single worker keeps the threads that `cosim run` would have: None.
    """
    return None if jobs == 1 else max(1, cores() // jobs)


def play_all(
    assignments: Iterable[Assignment], jobs: int, tell: Tell | None = None
) -> Generator[Reply]:
    """Plays all assignments, `jobs` at a time, and yields each one's reply as it comes.

    tell: hears of the rounds of those that go on.
    Closed early, it stops the runs that go on and waits until their traces are written.
    """
    queue = iter(assignments)
    busy: list[_Worker] = []
    idle: list[_Worker] = []
    try:
        while True:
            for assignment in islice(queue, jobs - len(busy)):
                worker = idle.pop() if idle else _Worker(threads_for(jobs))
                busy.append(worker)
                worker.give(assignment)
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in [worker for worker in busy if worker.connection in ready]:
                reply = worker.reply()
                if isinstance(reply, Progress):
                    if tell is not None:
                        tell(reply)
                    continue
                busy.remove(worker)
                if worker.alive:
                    idle.append(worker)
                yield reply
    finally:
        _end(idle, busy)


def _end(idle: list[_Worker], busy: list[_Worker]) -> None:
    for worker in busy:
        worker.process.terminate()
    # A busy one may have ended its run at this very moment, and wait for the next.
    for worker in (*idle, *busy):
        worker.dismiss()
    try:
        for worker in (*idle, *busy):
            worker.process.join()
    except KeyboardInterrupt:  # pressed again: what is flushed is kept, the rest is not waited for
        for worker in (*idle, *busy):
            worker.process.kill()
        raise


class _Worker:
    """One spawned process and the line to it."""

    def __init__(self, threads: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, child_end = context.Pipe()
        self.process = context.Process(target=serve, args=(child_end, threads), daemon=True)
        self.assignment: Assignment | None = None
        # Ctrl-C goes to every process of a terminal; only this one is to hear it.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with safe_path():
                self.process.start()
        finally:
            signal.signal(signal.SIGINT, handler)
        child_end.close()
        self.alive = True

    def give(self, assignment: Assignment) -> None:
        """Has the process play an assignment."""
        self.assignment = assignment
        with suppress(BrokenPipeError):  # it is dead, which `reply` tells
            self.connection.send(assignment)

    def reply(self) -> Reply | Progress:
        """How far the assignment is, or the reply to it; a process that has died is told of as the
        run's failure."""
        assert self.assignment is not None
        try:
            reply: Any = self.connection.recv()
            assert isinstance(reply, Reply | Progress)
            return reply
        except (EOFError, ConnectionResetError):
            self.alive = False
            self.process.join()
            return Reply(self.assignment.name, _death(self.process.exitcode))

    def dismiss(self) -> None:
        """Lets a process end that waits for an assignment."""
        with suppress(BrokenPipeError):
            self.connection.send(None)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = ": the system may have run out of memory" if -code == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with code {code} before the run did"
