"""What a learner was asked and what it answered, in order: so that a run can be played again up to
where its learner was last stored, without learning anything twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from cosim.errors import ResumeError
from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement, Score
from cosim.lifecycle.timed_learner import TimedJob, TimedLearner
from cosim.methods.workload import Workload
from cosim.simulation.learner import Job

_SHOWN = 300


class Journal:
    """Calls and answers, a line of JSON each; those told before are read, then new ones follow.

    `fresh` are the lines that are not on disk yet.
    """

    def __init__(self, told: Iterator[str], lines: int) -> None:
        self._told = told
        self._left = lines
        self.lines = lines
        self.fresh: list[str] = []

    @property
    def told_all(self) -> bool:
        """Whether everything has been heard that was told before."""
        return self._left == 0

    def answer(self, call: Sequence[Any], ask: Callable[[], Any]) -> Any:
        """The answer told before, or what `ask` says now, in JSON's own types.

        Raises ResumeError where another question was asked the time before.
        """
        asked = f"[{_json(call)},"
        if self.told_all:
            answer = _json(ask())
            self.fresh.append(f"{asked}{answer}]\n")
            self.lines += 1
            return json.loads(answer)
        self._left -= 1
        line = next(self._told, "")
        if not line.startswith(asked):
            raise _other_way(
                f"now it asks its learner {asked[1:-1][:_SHOWN]}, and before, that was "
                f"{line[1:_SHOWN].rstrip()}"
            )
        return json.loads(line)[1]

    def refuse_early_end(self) -> None:
        """Raises ResumeError where a run has ended before it heard everything."""
        if not self.told_all:
            raise _other_way(f"it ends, and before, {self._left} calls of its learner followed")


def _other_way(how: str) -> ResumeError:
    return ResumeError(
        f"The run cannot be resumed: played again, it does not do what it did before: {how}. A "
        "file that its scenario names may have changed."
    )


class Handle:
    """Something of the learner's that is on its way through the simulation, which never looks
    inside; None where nobody will."""

    __slots__ = ("__weakref__", "content", "number")

    def __init__(self, number: int, content: Any) -> None:
        self.number, self.content = number, content


class JournaledLearner:
    """A learner whose answers are written down, or come from what was written down.

    What the simulation hears has always gone through the journal, so that it is the same both
    times; updates and experts reach it as handles. `simulated_s` and `at_rest` are to be set before
    the first call: every call is told with its simulated time, and `at_rest` is called when a
    device has mixed or was scored, which is when little is on its way. jobs, contents: what was
    open and on its way when the inner learner was stored.
    """

    def __init__(
        self,
        inner: TimedLearner,
        journal: Journal,
        jobs: Mapping[int, TimedJob] | None = None,
        contents: Mapping[int, Any] | None = None,
    ) -> None:
        self.inner, self.journal = inner, journal
        self.simulated_s: Callable[[], float] = lambda: 0.0
        self.at_rest: Callable[[], None] = lambda: None
        self.jobs: dict[int, TimedJob] = dict(jobs or {})
        self._contents = dict(contents or {})
        self._handles: WeakValueDictionary[int, Handle] = WeakValueDictionary()
        self._numbers = 0
        self._densities: dict[int, list[float]] = {}
        self._sizes: list[int] = []

    @property
    def contents(self) -> dict[int, Any]:
        """What is on its way, by the numbers of its handles.

        A handle that the simulation has let go may lie about, empty, until Python collects it.
        """
        held = {number: handle.content for number, handle in self._handles.items()}
        return {number: content for number, content in held.items() if content is not None}

    @property
    def warnings(self) -> Sequence[str]:
        """As the inner learner."""
        return self.inner.warnings

    def _answer(self, method: str, said: Sequence[Any], ask: Callable[[], Any]) -> Any:
        return self.journal.answer([self.simulated_s(), method, *said], ask)

    def _rest(self) -> None:
        if self.journal.told_all:
            self.at_rest()

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _handle(self, number: int, content: Any) -> Handle:
        handle = self._handles[number] = Handle(number, content)
        return handle

    def submit(self, device: int, round_: int) -> Job:
        """The inner learner's job, journaled as well."""
        job = self._job("submit", [device, round_], lambda: self.inner.submit(device, round_))
        assert job is not None
        return job

    def calibrate(self, device: int) -> Job | None:
        """The inner learner's job, journaled as well."""
        return self._job("calibrate", [device], lambda: self.inner.calibrate(device))

    def limit(self, device: int, bits: float) -> None:
        """As the inner learner, both times: it follows from the scenario alone."""
        self.inner.limit(device, bits)

    def _job(self, method: str, said: list[int], make: Callable[[], TimedJob | None]) -> Job | None:
        number = self._next()

        def ask() -> Any:
            job = make()
            if job is None:
                return None
            self.jobs[number] = job
            return astuple(job.work)

        work = self._answer(method, said, ask)
        return None if work is None else _JournaledJob(Workload(*work), number, self)

    def result(self, number: int) -> FineTuned:
        """A job's result, its update as a handle; called by the job."""
        contents = self._contents  # of handles that were given out before

        def ask() -> Any:
            tuned = self.jobs.pop(number).result()
            contents[number] = tuned.update
            return [tuned.loss, tuned.update is not None, tuned.quarantined]

        loss, sends, quarantined = self._answer("result", [number], ask)
        content = contents.pop(number, None)
        return FineTuned(loss, self._handle(number, content) if sends else None, quarantined)

    def discard(self, number: int) -> None:
        """Forgets a job; called by the job."""
        self._answer("discard", [number], lambda: self.jobs.pop(number).discard())

    def payload_bits(self, update: Any, receiver: int) -> int:
        """As the inner learner."""
        return self._bits("payload_bits", self.inner.payload_bits, update, receiver)

    def _bits(self, name: str, ask: Callable[[Any, int], int], of: Handle, receiver: int) -> int:
        bits: int = self._answer(name, [of.number, receiver], lambda: ask(of.content, receiver))
        return bits

    def hear(self, device: int, update: Any) -> None:
        """As the inner learner."""
        self._answer(
            "hear", [device, update.number], lambda: self.inner.hear(device, update.content)
        )

    def lose(self, device: int) -> None:
        """As the inner learner."""
        self._answer("lose", [device], lambda: self.inner.lose(device))

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload | None:
        """As the inner learner."""

        def ask() -> Any:
            work = self.inner.mixing_work(device, {s: h.content for s, h in inbox.items()})
            return None if work is None else astuple(work)

        said = [[sender, handle.number] for sender, handle in inbox.items()]
        work = self._answer("mixing_work", [device, said], ask)
        return None if work is None else Workload(*work)

    def first_bits(self, devices: Sequence[int]) -> list[int]:
        """As the inner learner."""
        asked = list(devices)
        bits: list[int] = self._answer("first_bits", [asked], lambda: self.inner.first_bits(asked))
        return bits

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        """As the inner learner."""
        said = [[sender, handle.number, ages[sender]] for sender, handle in inbox.items()]
        self._answer(
            "aggregate",
            [device, said],
            lambda: self.inner.aggregate(device, {s: h.content for s, h in inbox.items()}, ages),
        )
        self._rest()

    def bank_bits(self, bank: Any, receiver: int) -> int:
        """As the inner learner."""
        return self._bits("bank_bits", self.inner.bank_bits, bank, receiver)

    def bank(self, sender: int) -> Any:
        """A handle on the inner learner's."""
        number = self._next()

        def ask() -> None:
            self._contents[number] = self.inner.bank(sender)

        self._answer("bank", [sender], ask)
        return self._handle(number, self._contents.pop(number, None))

    def absorb(self, device: int, bank: Any) -> None:
        """As the inner learner."""
        self._answer(
            "absorb", [device, bank.number], lambda: self.inner.absorb(device, bank.content)
        )

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """As the inner learner."""
        asked = list(devices)
        found = self._answer(
            "evaluate", [asked], lambda: list(map(astuple, self.inner.evaluate(asked)))
        )
        self._rest()
        return [Measurement(device, task, Score(*score)) for device, task, score in found]

    def layers(self, device: int) -> list[LayerState]:
        """As the inner learner."""
        found = self._answer(
            "layers", [device], lambda: list(map(astuple, self.inner.layers(device)))
        )
        return [LayerState(*one) for one in found]

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """As the inner learner; only what has changed is told."""
        asked = list(devices)

        def ask() -> Any:
            rows, sizes = self.inner.densities(asked)
            told = [
                None if self._densities.get(device) == row else row
                for device, row in zip(asked, rows.tolist(), strict=True)
            ]
            return [told, None if self._sizes == sizes.tolist() else sizes.tolist()]

        rows, sizes = self._answer("densities", [asked], ask)
        new = zip(asked, rows, strict=True)
        self._densities.update((device, row) for device, row in new if row is not None)
        self._sizes = self._sizes if sizes is None else sizes
        held = [self._densities[device] for device in asked]
        return np.array(held, dtype=np.float64), np.array(self._sizes, dtype=np.int64)

    def collision(self, devices: Sequence[int]) -> float | None:
        """As the inner learner."""
        asked = list(devices)
        share: float | None = self._answer(
            "collision", [asked], lambda: self.inner.collision(asked)
        )
        return share

    def diagnose(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[Any]]
    ) -> list[Diagnostic]:
        """As the inner learner."""
        asked = list(devices)
        said = [[device, [one.number for one in held]] for device, held in sets.items()]

        def ask() -> Any:
            held = {device: [one.content for one in own] for device, own in sets.items()}
            return list(map(astuple, self.inner.diagnose(asked, held)))

        return [Diagnostic(*one) for one in self._answer("diagnose", [asked, said], ask)]

    def save(self, folder: Path) -> None:
        """As the inner learner; after the last event, so not told."""
        self.inner.save(folder)


class _JournaledJob:
    def __init__(self, work: Workload, number: int, learner: JournaledLearner) -> None:
        self.work = work
        self._number, self._learner = number, learner

    def result(self) -> FineTuned:
        return self._learner.result(self._number)

    def discard(self) -> None:
        self._learner.discard(self._number)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=_number)


def _number(value: Any) -> Any:
    """One of numpy's scalars as a number of Python's."""
    return value.item()
