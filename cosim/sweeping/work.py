"""What a worker process does: it plays the scenarios that it is sent, one after another."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Any, NamedTuple

from cosim.errors import CosimError, ResumeError
from cosim.sweeping.progress import Progress, Tell

# Whoever computes in threads reads one of these when it is first imported.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")

# What an orphan has to write what it knows.
_TO_END_S = 10.0


class Assignment(NamedTuple):
    """An assignment is a run to be played.

    name: by which its reply is known.
    scenario: a `Scenario`.
    directory: new or empty, or with an interrupted run of the scenario.
    resumed: whether that run is to be resumed.
    refused: why the run cannot be played at all; None where it can.
    """

    name: str
    scenario: Any
    directory: Path
    resumed: bool = False
    refused: str | None = None


class Reply(NamedTuple):
    """A reply says how a run ended.

    name: the assignment's.
    error: one sentence; None where the run was completed.
    traceback: of a bug; None where there was none.
    """

    name: str
    error: str | None = None
    traceback: str | None = None


def serve(connection: Connection, threads: int | None) -> None:
    """Plays what arrives until None does, or the other side is gone.

    `threads` bounds each library's thread pool; None leaves them as they are. SIGTERM ends a run
    as Ctrl-C ends one of `cosim run`: with readable traces. So does the end of the process that
    began this one, by whatever it was ended.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        raise KeyboardInterrupt

    def tell(reply: Reply | Progress) -> None:
        if stopped:  # and the interrupt was lost: one that meets a destructor is
            raise KeyboardInterrupt
        connection.send(reply)

    signal.signal(signal.SIGTERM, stop)
    if hasattr(signal, "SIGHUP"):  # goes to every process of a terminal; the one that asks is told
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(thread_variables(threads))
    try:
        while (assignment := connection.recv()) is not None:
            tell(play_assignment(assignment, tell))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass


def _end_with_parent() -> None:
    """An orphan would write into the directory of the run that takes the place of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        Event().wait(_TO_END_S)
        os.kill(os.getpid(), signal.SIGKILL)


def thread_variables(threads: int | None) -> dict[str, str]:
    """The environment of a worker of so many threads: as this process has it, but no more than
    that; None bounds nothing."""
    environment = {name: os.environ[name] for name in THREADS if name in os.environ}
    if threads is None:
        return environment
    counts = {name: int(text) for name, text in environment.items() if text.isdecimal()}
    return {name: str(max(1, min(counts.get(name, threads), threads))) for name in THREADS}


def play_assignment(assignment: Assignment, tell: Tell | None = None) -> Reply:
    """Plays a run to its end, and replies with its failure where it fails.

    tell: hears of its rounds.
    """
    if assignment.refused is not None:
        return Reply(assignment.name, assignment.refused)
    gc.collect()  # a run before may hang together in cycles, gigabytes of it
    from cosim.methods.outside import blamed

    try:
        _play_or_resume(assignment, tell)
    except CosimError as error:
        return Reply(assignment.name, str(error))
    except Exception as error:
        if (fault := blamed(error)) is not None:
            return Reply(assignment.name, str(fault))
        kind = type(error).__name__
        lines = str(error).splitlines()
        return Reply(
            assignment.name, f"{kind}: {lines[0]}" if lines else kind, traceback.format_exc()
        )
    return Reply(assignment.name)


def _play_or_resume(assignment: Assignment, tell: Tell | None) -> None:
    from cosim.lifecycle.play import play, resume
    from cosim.sweeping.rounds import RoundTeller
    from cosim.sweeping.state import State, move_aside

    watched = (
        [] if tell is None else [RoundTeller(assignment.name, assignment.scenario.rounds, tell)]
    )
    if assignment.resumed:
        try:
            resume(assignment.directory, watched)
            return
        except ResumeError:  # by another version of the code, say
            move_aside(assignment.directory, State.INTERRUPTED)
    play(assignment.scenario, out=assignment.directory, observers=watched)
