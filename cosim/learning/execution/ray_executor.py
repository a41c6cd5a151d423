"""Passes over the base model spread over Ray's workers, each with one; a dead one is replaced."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import psutil
import torch

from cosim.errors import BaseModelError, CosimError, RayError
from cosim.host.ray_cluster import RayCluster, connect
from cosim.learning.base.base_model import BaseModel, load
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.request import ScoringRequest, groups_of
from cosim.learning.execution.executor import Groups, Requests
from cosim.learning.records import Mark
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.pass_room import PassRoom, least
from cosim.learning.training.trainable import Trainable, Trainer, trainable
from cosim.methods.method import Method
from cosim.scenario.learning import AdapterChoice, Training
from cosim.scenario.method import read_method

_log = logging.getLogger(__name__)

ASKED = "learning.executor: ray"
# How often a worker is started again that has died, its pass repeated.
RESTARTS = 2
_MOST_STORE_BYTES = 2 * 2**30
_NOTHING = torch.empty(0)


class Computation(NamedTuple):
    """A pass' values depend on its lessons and on this, which is the same on every worker.

    base_model: SHA-256 of the weights.
    dtype: that the model computes in.
    threads: of torch.
    torch: its version.
    processor: the GPU's name, or the CPU's instruction set as torch calls it.
    """

    base_model: str
    dtype: str
    threads: int
    torch: str
    processor: str

    @classmethod
    def of(cls, base: BaseModel) -> Computation:
        """As this process has it."""
        place = base.device
        cuda = place.type == "cuda"
        return cls(
            base_model=base.sha256,
            dtype=str(base.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            processor=torch.cuda.get_device_name(place)
            if cuda
            else torch.backends.cpu.get_cpu_capability(),
        )


@dataclass(frozen=True)
class Choices:
    """A worker builds its trainer from these choices.

    source: of the base model, as a scenario writes it.
    device: `cpu` or `cuda`, where the model is.
    method: as a scenario writes it.
    adapter, training: the scenario's sections.
    computation: what this process computes with.
    here: the directory where relative paths in the environment start.
    """

    source: str
    device: str
    # As a scenario writes it: a part from outside is a class that a worker must load by itself.
    method: Mapping[str, Any]
    adapter: AdapterChoice
    training: Training
    computation: Computation
    here: str = ""


class Worker:
    """A worker is one base model with its trainer and evaluator, in a process of Ray's."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._fault: CosimError | None = None
        # Before any lesson comes, which may name its parts.
        try:
            self._method = read_method(choices.method)
        except CosimError as error:
            self._fault = error  # an error here Ray would take for a death

    def train(self, part: tuple[Sequence[Lesson], PassRoom]) -> tuple[list[Outcome], PassRoom]:
        """The outcomes of a pass in so much room, without the tensors that the lessons have
        already; and what room there was."""
        lessons, room = part
        trainer = self._made.trainer
        trainer.room = room
        outcomes = trainer.train(lessons)
        return [lighter(*pair) for pair in zip(outcomes, lessons, strict=True)], trainer.room

    def score(self, requests: Sequence[ScoringRequest]) -> list[list[Mark]]:
        """How requests are answered that are answered in common passes."""
        return self._made.evaluator.marks_of(requests)

    @cached_property
    def _made(self) -> Trainable:
        # Not in __init__, whose errors Ray would take for a death.
        choices = self._choices
        if self._fault is not None:
            raise self._fault
        with suppress(OSError):  # another machine may not have it
            os.chdir(choices.here)  # where relative paths in the environment start
        torch.set_num_threads(choices.computation.threads)
        base = load(choices.source, choices.computation.dtype, choices.device)
        computation = Computation.of(base)
        pairs = zip(computation, choices.computation, strict=True)
        for name, (value, expected) in zip(computation._fields, pairs, strict=True):
            if value != expected:
                raise BaseModelError(
                    f"{ASKED}: a worker computes otherwise than this process: its {name} is "
                    f"{value}, here it is {expected}"
                )
        return trainable(base, self._method, choices.adapter, choices.training)


def lighter(outcome: Outcome, lesson: Lesson) -> Outcome:
    """An outcome without a mask and an A that are the lesson's own; `whole` puts them back."""
    adapter, start = outcome.adapter, lesson.adapter
    if adapter.projection is start.projection:
        adapter = replace(adapter, projection=_NOTHING)
    if adapter.support is not None and adapter.support is start.support:
        adapter = replace(adapter, support=_NOTHING)
    return replace(outcome, adapter=adapter)


def whole(outcome: Outcome, lesson: Lesson) -> Outcome:
    """What `lighter` was given; devices go on sharing the tensors that they shared."""
    adapter, start = outcome.adapter, lesson.adapter
    if adapter.projection.numel() < start.projection.numel():
        adapter = replace(adapter, projection=start.projection)
    if adapter.support is not None and adapter.support.dtype is _NOTHING.dtype:
        adapter = replace(adapter, support=start.support)
    return replace(outcome, adapter=adapter)


class RayExecutor:
    """This executor gives each pass to the next worker that is free; workers are gathered for the
    first pass.

    A worker has as many threads as this process, because sums depend on them, and takes as many
    of Ray's CPUs; with base_model.device cuda a GPU of its own.
    """

    def __init__(
        self,
        base: BaseModel,
        method: Method,
        adapter: AdapterChoice,
        training: Training,
        workers: int,
    ) -> None:
        self._choices = Choices(
            base.source,
            base.device.type,
            method.model_dump(mode="json"),
            adapter,
            training,
            Computation.of(base),
            os.getcwd(),
        )
        self._count = workers
        self._cluster: RayCluster | None = None
        self._workers: list[Any] = []

    def train(self, here: Trainer, groups: Groups) -> Sequence[Sequence[Outcome]]:
        """The outcomes of every pass, in order; one that is alone is done here.

        Raises RayError where there are not enough workers, or where one dies again and again.
        """
        if len(groups) < 2:
            return here.train_all(groups)
        results = self._spread("train", [(list(group), here.room) for group in groups])
        here.room = least(room for _, room in results)
        return [
            [whole(*pair) for pair in zip(outcomes, group, strict=True)]
            for (outcomes, _), group in zip(results, groups, strict=True)
        ]

    def score(self, here: Evaluator, requests: Requests) -> Sequence[Sequence[Mark]]:
        """How every expert that is asked answers, in order; who is alone is asked here."""
        scorings = [request.without_idle() for request in requests]
        groups = groups_of(scorings)
        if len(groups) < 2:
            return here.marks_of(requests)
        spread = self._spread("score", [[scorings[number] for number in group] for group in groups])
        scores = dict(zip(chain(*groups), chain(*spread), strict=True))
        return [scores[number] for number in range(len(requests))]

    def _spread(self, method: str, parts: Sequence[Any]) -> list[Any]:
        """What the workers make of each part, which wait here until a worker is free."""
        cluster = self._gathered()
        ray = cluster.ray
        results: dict[int, Any] = {}
        running: dict[Any, tuple[int, Any]] = {}
        idle, waiting = list(self._workers), deque(enumerate(parts))
        try:
            while waiting or running:
                while waiting and idle:
                    (number, part), worker = waiting.popleft(), idle.pop()
                    running[getattr(worker, method).remote(part)] = (number, worker)
                ((reference,), _) = ray.wait(list(running), num_returns=1)
                number, worker = running.pop(reference)
                results[number] = ray.get(reference)
                idle.append(worker)
        except ray.exceptions.RayTaskError as error:
            raise error.cause or error from None
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0]
            raise RayError(
                f"{ASKED}: a worker died {RESTARTS + 1} times; Ray says: {reason}"
            ) from error
        return [results[number] for number in range(len(parts))]

    def _gathered(self) -> RayCluster:
        """The cluster, with the workers started."""
        if self._cluster is not None:
            return self._cluster
        threads = self._choices.computation.threads
        cluster = connect(ASKED, cpus=self._count * threads, store_bytes=_store_bytes())
        self._cluster = cluster
        gpus = 1 if self._choices.device == "cuda" else 0
        self._refuse_too_few(cluster, threads, gpus)
        worker = cluster.ray.remote(Worker).options(
            num_cpus=threads, num_gpus=gpus, max_restarts=RESTARTS, max_task_retries=RESTARTS
        )
        self._workers = [worker.remote(self._choices) for _ in range(self._count)]
        return cluster

    def _refuse_too_few(self, cluster: RayCluster, threads: int, gpus: int) -> None:
        if cluster.started and self._count * threads > (cores := _cores()):
            _log.warning(
                "%d workers of %d threads share %d cores: OMP_NUM_THREADS=%d gives each its own",
                self._count,
                threads,
                cores,
                max(1, cores // self._count),
            )
        room = sum(cpus // threads for cpus in cluster.cpus_by_node)
        if room < self._count:
            raise RayError(
                f"{ASKED}: Ray's machines have room for {room} workers of {threads} threads and "
                f"learning.workers asks for {self._count}; use fewer, or a smaller OMP_NUM_THREADS"
            )
        if cluster.gpus < gpus * self._count:
            raise RayError(
                f"{ASKED}: Ray has {cluster.gpus} GPUs and {self._count} workers need one each; "
                "use fewer learning.workers"
            )

    def close(self) -> None:
        """Ends the workers, and the cluster if it was started for them."""
        cluster, self._cluster = self._cluster, None
        workers, self._workers = self._workers, []
        if cluster is not None:
            for worker in workers:
                cluster.ray.kill(worker)
            cluster.close()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _store_bytes() -> int:
    """Room for the passes on their way: half of the shared memory that is free, 2 GiB at most.

    It is taken as it is used; what does not fit goes to the disk.
    """
    try:
        free = psutil.disk_usage("/dev/shm").free
    except OSError:  # not on every system
        return _MOST_STORE_BYTES
    return int(min(_MOST_STORE_BYTES, free / 2))
