"""Ray's workers playing runs side by side; a worker that dies is replaced and its run goes on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from cosim.errors import RunDirectoryError
from cosim.host.ray_cluster import RayCluster, connect, cpus_for, environment
from cosim.scenario.model import Scenario
from cosim.sweeping.progress import Tell
from cosim.sweeping.state import State, look, make_way, move_aside
from cosim.sweeping.work import THREADS, Assignment, Reply, play_assignment, thread_variables
from cosim.sweeping.workers import threads_for
from cosim.trace.lock import break_lock

# How often a run is tried again whose worker has died; what kills three is the run itself.
RETRIES = 2
_INTERRUPTED = "interrupted"


def play_all(
    assignments: Iterable[Assignment], jobs: int, tell: Tell | None = None
) -> Generator[Reply]:
    """Plays all assignments, `jobs` at a time, and yields each one's reply as it comes.

    The directories of the runs must be the same files on every machine of the cluster. Closed
    early, it stops the runs that go on and waits until their traces are written. `tell` hears
    nothing: a worker of Ray has no line to this process. Raises RayError where there is no cluster.
    """
    with closing(connect("--engine ray", cpus=jobs)) as cluster:
        yield from _play(cluster, iter(assignments), jobs)


def _play(cluster: RayCluster, queue: Iterable[Assignment], jobs: int) -> Generator[Reply]:
    ray = cluster.ray
    places = _Places(cluster, jobs)
    running: dict[Any, Assignment] = {}
    deaths: Counter[str] = Counter()
    try:
        while True:
            for assignment in islice(queue, jobs - len(running)):
                running[places.start(assignment)] = assignment
            if not running:
                return
            for reference in ray.wait(list(running), num_returns=1)[0]:
                assignment = running.pop(reference)
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayTaskError as error:  # not even cosim is there, say
                    yield Reply(assignment.name, _first_line(error.cause or error), str(error))
                except ray.exceptions.RayError as error:
                    deaths[assignment.name] += 1
                    kinds = (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError)
                    try:
                        retry = _again(assignment, gone=isinstance(error, kinds))
                    except RunDirectoryError as busy:
                        yield Reply(assignment.name, str(busy))
                        continue
                    if retry is None:
                        yield Reply(assignment.name)
                    elif deaths[assignment.name] <= RETRIES:
                        running[places.start(retry)] = retry
                    else:
                        yield Reply(assignment.name, _death(deaths[assignment.name], error))
    finally:
        for reference in running:
            ray.cancel(reference, force=False)
        if running:
            ray.wait(list(running), num_returns=len(running))


class _Places:
    """What a worker gets of the cluster, and how an assignment is sent to one."""

    def __init__(self, cluster: RayCluster, jobs: int) -> None:
        self._gpus = cluster.gpus
        threads: int | None
        if cluster.started:  # as many CPUs as jobs, whatever the machine has
            cpus, threads = 1, threads_for(jobs)
        else:
            cpus = threads = cpus_for(cluster.cpus_by_node, jobs)
        self._variables = thread_variables(threads)
        self._options: dict[str, Any] = {
            **environment(self._variables),
            "num_cpus": cpus,
            "max_retries": 0,  # what is there of the run has to be looked at first
        }
        self._remote = cluster.ray.remote(_play_on_worker)

    def start(self, assignment: Assignment) -> Any:
        """Sends an assignment to the next worker that is free; returns what Ray calls its reply."""
        remote_assignment = assignment._replace(
            directory=Path(os.path.abspath(assignment.directory))
        )
        # Where Ray knows of no GPU nobody would ever play it; a worker at least says what it sees.
        gpus = min(1, self._gpus) if _needs_gpu(assignment) else 0
        options = {**self._options, "num_gpus": gpus}
        return self._remote.options(**options).remote(
            remote_assignment, self._variables, os.getcwd()
        )


def _play_on_worker(assignment: Assignment, variables: dict[str, str], directory: str) -> Reply:
    with suppress(OSError):  # another machine may not have it
        os.chdir(directory)  # where relative paths in the environment start
    for name in THREADS:
        if name not in variables:  # Ray sets what is not set
            os.environ.pop(name, None)
    try:
        return play_assignment(assignment)
    except KeyboardInterrupt:  # how Ray cancels; the traces are written
        return Reply(assignment.name, _INTERRUPTED)


def _needs_gpu(assignment: Assignment) -> bool:
    scenario: Scenario = assignment.scenario
    return scenario.learning.model != "none" and scenario.base_model.device == "cuda"


def _again(assignment: Assignment, *, gone: bool) -> Assignment | None:
    """The assignment after the death of its worker: what is left of the run is resumed or moved
    aside; None where the run was completed before.

    gone: the process has ended. Of a machine that does not answer nobody can tell:
    RunDirectoryError where its process may still be writing.
    """
    state = look(assignment.directory, assignment.scenario).state
    if state is State.COMPLETED:
        return None
    if not gone:
        move_aside(assignment.directory, state)
        return assignment._replace(resumed=False)
    break_lock(assignment.directory)
    return assignment._replace(resumed=make_way(assignment.directory, assignment.scenario, state))


def _death(times: int, error: Exception) -> str:
    return f"{times} workers of Ray died of it, the last with: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
