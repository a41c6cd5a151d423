"""How each answer of a learner is written into a journal, and what the simulation hears of it.

Questions are written as they are: numbers, containers of numbers, and handles. A verb of the
protocol `cosim.simulation.learner.Learner` that is to be asked by the simulation has a line in
`VERBS` and nothing else here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement, Score
from cosim.learning.workload import Workload
from cosim.lifecycle.journal import Handle
from cosim.simulation.learner import Job


@dataclass
class Underway:
    """What lies between a learner and the simulation.

    jobs: submitted and neither accepted nor discarded, by the number of their call.
    contents: of handles that are still to be given out, by number.
    handles: those that were given out, as long as anybody holds them.
    densities, sizes: what `densities` said last of each device and of all modules.
    """

    jobs: dict[int, Job] = field(default_factory=dict)
    contents: dict[int, Any] = field(default_factory=dict)
    handles: WeakValueDictionary[int, Handle] = field(default_factory=WeakValueDictionary)
    densities: dict[int, list[float]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def put(self, number: int, content: Any) -> None:
        """Keeps what a handle of this number will hold."""
        self.contents[number] = content

    def handle(self, number: int) -> Handle:
        """Gives a handle out; an empty one where nobody will ask what was in it."""
        handle = self.handles[number] = Handle(number, self.contents.pop(number, None))
        return handle


class Call(NamedTuple):
    """One call: its number, counted from the start of the run, and what was said with it."""

    number: int
    said: Sequence[Any]


@dataclass(frozen=True)
class Form:
    """The form of a verb's answers.

    told: the learner's answer in JSON's types.
    heard: what the simulation hears of that.
    rests: whether little is on its way afterwards, so that a checkpoint is small.
    job: whether the answer is a job, which stays behind; its work is told.
    """

    told: Callable[[Underway, Call, Any], Any]
    heard: Callable[[Underway, Call, Any], Any]
    rests: bool = False
    job: bool = False


def _same(_: Underway, __: Call, answer: Any) -> Any:
    return answer


def _records(made: Callable[..., Any]) -> Form:
    """A list of dataclasses."""
    return Form(
        lambda _, __, answer: list(map(astuple, answer)),
        lambda _, __, told: [made(*one) for one in told],
    )


def _measurement(device: int, task: str, score: Sequence[Any]) -> Measurement:
    return Measurement(device, task, Score(*score))


def _work_told(_: Underway, __: Call, work: Workload | None) -> Any:
    return None if work is None else astuple(work)


def _work_heard(_: Underway, __: Call, told: Any) -> Workload | None:
    return None if told is None else Workload(*told)


def _tuned_told(underway: Underway, call: Call, tuned: FineTuned) -> Any:
    underway.put(call.number, tuned.update)
    return [tuned.loss, tuned.update is not None, tuned.quarantined]


def _tuned_heard(underway: Underway, call: Call, told: Any) -> FineTuned:
    loss, sends, quarantined = told
    return FineTuned(loss, underway.handle(call.number) if sends else None, quarantined)


def _densities_told(underway: Underway, call: Call, answer: Any) -> Any:
    """Only what has changed."""
    rows, sizes = (array.tolist() for array in answer)
    known = underway.densities
    told = [None if known.get(d) == row else row for d, row in zip(call.said[0], rows, strict=True)]
    return [told, None if underway.sizes == sizes else sizes]


def _densities_heard(underway: Underway, call: Call, told: Any) -> Any:
    (devices,) = call.said
    rows, sizes = told
    new = zip(devices, rows, strict=True)
    underway.densities.update((device, row) for device, row in new if row is not None)
    underway.sizes = underway.sizes if sizes is None else sizes
    held = [underway.densities[device] for device in devices]
    return np.array(held, dtype=np.float64), np.array(underway.sizes, dtype=np.int64)


AS_IT_IS = Form(_same, _same)
WORK = Form(_work_told, _work_heard)
JOB = replace(WORK, job=True)
HANDLE = Form(
    lambda underway, call, content: underway.put(call.number, content),
    lambda underway, call, _: underway.handle(call.number),
)
# What the simulation asks of the learner.
VERBS = {
    "submit": JOB,
    "calibrate": JOB,
    "limit": AS_IT_IS,
    "first_bits": AS_IT_IS,
    "payload_bits": AS_IT_IS,
    "hear": AS_IT_IS,
    "lose": AS_IT_IS,
    "mixing_work": WORK,
    "aggregate": replace(AS_IT_IS, rests=True),
    "bank": HANDLE,
    "bank_bits": AS_IT_IS,
    "absorb": AS_IT_IS,
    "evaluate": replace(_records(_measurement), rests=True),
    "layers": _records(LayerState),
    "densities": Form(_densities_told, _densities_heard),
    "collision": AS_IT_IS,
    "diagnose": _records(Diagnostic),
}
# What it asks of a job, which is named by the number of its call.
JOB_VERBS = {"result": Form(_tuned_told, _tuned_heard), "discard": AS_IT_IS}
