"""What a worker process does: it plays the scenarios that it is sent, one after another."""

from __future__ import annotations

import gc
import os
import signal
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from cosim.errors import CosimError, ResumeError

# Whoever computes in threads reads one of these when it is first imported.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


class Task(NamedTuple):
    """A run to be played: its scenario, and a directory that is new or empty, or that holds an
    interrupted run of it that is to be resumed."""

    name: str
    scenario: Any
    directory: Path
    resumed: bool = False


class Reply(NamedTuple):
    """How a run ended: with an error in one sentence, a bug's traceback besides, or neither."""

    name: str
    error: str | None = None
    traceback: str | None = None


def serve(connection: Connection, threads: int | None) -> None:
    """Plays what arrives until None does, or the other side is gone.

    `threads` bounds each library's thread pool; None leaves them as they are. SIGTERM ends a run
    as Ctrl-C ends one of `cosim run`: with readable traces.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(thread_variables(threads))
    try:
        while (task := connection.recv()) is not None:
            connection.send(play_task(task))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass


def thread_variables(threads: int | None) -> dict[str, str]:
    """The environment of a worker of so many threads: as this process has it, but no more than
    that; None bounds nothing."""
    found = {name: os.environ[name] for name in THREADS if name in os.environ}
    if threads is None:
        return found
    given = {name: int(text) for name, text in found.items() if text.isdecimal()}
    return {name: str(max(1, min(given.get(name, threads), threads))) for name in THREADS}


def play_task(task: Task) -> Reply:
    """Plays a run to its end, and tells of its failure where it fails."""
    gc.collect()  # a run before may hang together in cycles, gigabytes of it
    try:
        _play_or_resume(task)
    except CosimError as error:
        return Reply(task.name, str(error))
    except Exception as error:
        kind = type(error).__name__
        told = str(error).splitlines()
        return Reply(task.name, f"{kind}: {told[0]}" if told else kind, traceback.format_exc())
    return Reply(task.name)


def _play_or_resume(task: Task) -> None:
    from cosim.simulation.play import play, resume
    from cosim.sweep.state import State, move_aside

    if task.resumed:
        try:
            resume(task.directory)
            return
        except ResumeError:  # by another version of the code, say
            move_aside(task.directory, State.INTERRUPTED)
    play(task.scenario, out=task.directory)
