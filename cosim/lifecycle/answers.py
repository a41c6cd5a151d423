"""How each answer of a learner is written into a journal, and what the simulation hears of it.

Questions are written as they are: numbers, containers of numbers, and handles. A verb of the
protocol `cosim.simulation.learner.Learner` that is to be asked by the simulation has a line in
`VERBS` and nothing else here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from cosim.learning.records import (
    Description,
    Diagnostic,
    Evaluation,
    FineTuned,
    LayerState,
    Measurement,
    Outgoing,
    Score,
)
from cosim.lifecycle.journal import Handle
from cosim.methods.workload import Workload
from cosim.simulation.learner import Job


@dataclass
class Underway:
    """What lies between a learner and the simulation.

    jobs: submitted and neither accepted nor discarded, by the number of their call.
    contents: of handles that are still to be given out, by number.
    handles: those that were given out, as long as anybody holds them.
    densities, sizes: what `describe` said last of each device and of all modules.
    """

    jobs: dict[int, Job[Any]] = field(default_factory=dict)
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
    rests: of what the simulation hears, whether little is on its way afterwards, so that a
        checkpoint is small.
    job: whether the answer is a job, which stays behind; its work is told.
    """

    told: Callable[[Underway, Call, Any], Any]
    heard: Callable[[Underway, Call, Any], Any]
    rests: Callable[[Any], bool] = lambda _: False
    job: bool = False


def _same(_: Underway, __: Call, answer: Any) -> Any:
    return answer


def _score(device: int, task: str, score: Sequence[Any]) -> Measurement:
    return Measurement(device, task, Score(*score))


def _work_told(_: Underway, __: Call, work: Workload | None) -> Any:
    return None if work is None else astuple(work)


def _work_heard(_: Underway, __: Call, told: Any) -> Workload | None:
    return None if told is None else Workload(*told)


def _result_told(_: Underway, __: Call, tuned: FineTuned | None) -> Any:
    return None if tuned is None else astuple(tuned)


def _result_heard(_: Underway, __: Call, told: Any) -> FineTuned | None:
    if told is None:
        return None
    loss, quarantined, layers = told
    return FineTuned(loss, quarantined, tuple(LayerState(*layer) for layer in layers))


def _offered(call: Call) -> Handle | None:
    """The handle of what was offered before, where it is to be offered again."""
    return next((said for said in call.said if isinstance(said, Handle)), None)


def _outgoing_told(underway: Underway, call: Call, outgoing: Outgoing | None) -> Any:
    """Bits by receiver; the content stays behind a handle, its first where it was offered."""
    if outgoing is None:
        return None
    if _offered(call) is None:
        underway.put(call.number, outgoing.content)
    return list(outgoing.bits.items())


def _outgoing_heard(underway: Underway, call: Call, told: Any) -> Outgoing | None:
    """What was offered before is the content again, and has its handle already."""
    if told is None:
        return None
    offered = _offered(call)
    handle = underway.handle(call.number) if offered is None else offered
    return Outgoing(handle, dict(told))


def _evaluation_told(_: Underway, __: Call, evaluation: Evaluation) -> Any:
    return [
        list(map(astuple, evaluation.measurements)),
        list(map(astuple, evaluation.diagnostics)),
    ]


def _evaluation_heard(_: Underway, __: Call, told: Any) -> Evaluation:
    measurements, diagnostics = told
    return Evaluation(
        [_score(*row) for row in measurements], [Diagnostic(*row) for row in diagnostics]
    )


def _description_told(underway: Underway, call: Call, described: Description) -> Any:
    """Of the densities only what has changed."""
    rows, sizes, known = described.densities.tolist(), described.sizes.tolist(), underway.densities
    devices = call.said[0]
    changed = [None if known.get(d) == row else row for d, row in zip(devices, rows, strict=True)]
    same_sizes = None if underway.sizes == sizes else sizes
    return [list(described.first_bits), changed, same_sizes, described.collision]


def _description_heard(underway: Underway, call: Call, told: Any) -> Description:
    devices = call.said[0]
    bits, rows, sizes, collision = told
    changed = zip(devices, rows, strict=True)
    underway.densities.update((device, row) for device, row in changed if row is not None)
    underway.sizes = underway.sizes if sizes is None else sizes
    densities = np.array([underway.densities[device] for device in devices], dtype=np.float64)
    return Description(bits, densities, np.array(underway.sizes, dtype=np.int64), collision)


AS_IT_IS = Form(_same, _same)
JOB = Form(_work_told, _work_heard, job=True)
OUTGOING = Form(_outgoing_told, _outgoing_heard)
# What the simulation asks of the learner.
VERBS = {
    "limit": AS_IT_IS,
    "submit": JOB,
    "messages": OUTGOING,
    "experts": OUTGOING,
    "hear": AS_IT_IS,
    "lose": AS_IT_IS,
    "mix": JOB,
    "evaluate": Form(_evaluation_told, _evaluation_heard, rests=lambda _: True),
    "describe": Form(_description_told, _description_heard),
}
# What it asks of a job, which is named by the number of its call.
JOB_VERBS = {
    "result": Form(_result_told, _result_heard, rests=lambda tuned: tuned is None),
    "discard": AS_IT_IS,
}
