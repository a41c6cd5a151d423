"""How each answer of a learner is written into a journal, and what the simulation hears of it.

Questions are written as they are: numbers, containers of numbers, and handles. A verb of the
protocol `cosim.simulation.learner.Learner` that is to be asked by the simulation has a line in
`VERBS` and nothing else here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from cosim.host.phases import Phase
from cosim.learning.records import (
    AnswerSheet,
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
    """What is underway lies between a learner and the simulation.

    jobs: submitted and neither accepted nor discarded, by the number of their call.
    contents: of handles that are still to be given out, by number.
    handles: those that were given out, as long as anybody holds them.
    densities: what `describe` said last of each device, by module.
    sizes: what it said last of all modules: positions of each.
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
    """A call is a question to the learner.

    number: counted from the start of the run.
    arguments: of the verb, in its order.
    """

    number: int
    arguments: Sequence[Any]


@dataclass(frozen=True)
class Form:
    """A form says how a verb's answers are written down and read.

    encode: makes JSON's types of the learner's answer.
    decode: makes of these what the simulation hears.
    rests: of what the simulation hears, whether little is on its way afterwards, so that a
        checkpoint is small.
    job: whether the answer is a job, which stays behind; its work is encoded.
    ends: whether a job that was asked this is over.
    phase: what the learner's time is counted as; a job has its own.
    """

    encode: Callable[[Underway, Call, Any], Any]
    decode: Callable[[Underway, Call, Any], Any]
    rests: Callable[[Any], bool] = lambda _: False
    job: bool = False
    ends: bool = True
    phase: Phase = Phase.MIXING


def _same(_: Underway, __: Call, answer: Any) -> Any:
    return answer


def _score(device: int, task: str, score: Sequence[Any]) -> Measurement:
    return Measurement(device, task, Score(*score))


def _encode_work(_: Underway, __: Call, work: Workload | None) -> Any:
    return None if work is None else astuple(work)


def _decode_work(_: Underway, __: Call, record: Any) -> Workload | None:
    return None if record is None else Workload(*record)


def _encode_result(_: Underway, __: Call, result: FineTuned | None) -> Any:
    return None if result is None else astuple(result)


def _decode_result(_: Underway, __: Call, record: Any) -> FineTuned | None:
    if record is None:
        return None
    loss, quarantined, layers, dropped = record
    return FineTuned(loss, quarantined, tuple(LayerState(*layer) for layer in layers), dropped)


def _offered_handle(call: Call) -> Handle | None:
    """The handle of what was offered before, where it is to be offered again."""
    return next((argument for argument in call.arguments if isinstance(argument, Handle)), None)


def _encode_outgoing(underway: Underway, call: Call, outgoing: Outgoing | None) -> Any:
    """Bits by receiver, and scales; the content stays behind a handle, its first where it was
    offered."""
    if outgoing is None:
        return None
    if _offered_handle(call) is None:
        underway.put(call.number, outgoing.content)
    return [list(outgoing.bits.items()), outgoing.scales]


def _decode_outgoing(underway: Underway, call: Call, record: Any) -> Outgoing | None:
    """What was offered before is the content again, and has its handle already."""
    if record is None:
        return None
    first_handle = _offered_handle(call)
    handle = underway.handle(call.number) if first_handle is None else first_handle
    bits, scales = record
    return Outgoing(handle, dict(bits), scales)


def _encode_evaluation(_: Underway, __: Call, evaluation: Evaluation) -> Any:
    """Sheets that devices share are written once."""
    measurements, diagnostics = evaluation.measurements, evaluation.diagnostics
    numbers: dict[int, int] = {}
    own = [(d, numbers.setdefault(id(sheet), len(numbers))) for d, sheet in evaluation.sheets]
    distinct = {id(sheet): sheet for _, sheet in evaluation.sheets}
    sheets = [list(map(astuple, distinct.values())), own] if own else []
    return [list(map(astuple, measurements)), list(map(astuple, diagnostics)), *sheets]


def _decode_evaluation(_: Underway, __: Call, record: Any) -> Evaluation:
    measurements, diagnostics, *sheets = record
    distinct, own = sheets or ((), ())
    by_number = [AnswerSheet(task, *map(tuple, columns)) for task, *columns in distinct]
    return Evaluation(
        [_score(*row) for row in measurements],
        [Diagnostic(*row) for row in diagnostics],
        [(device, by_number[number]) for device, number in own],
    )


def _encode_description(underway: Underway, call: Call, report: Description) -> Any:
    """Of the densities only what has changed."""
    rows, sizes, before = report.densities.tolist(), report.sizes.tolist(), underway.densities
    devices = call.arguments[0]
    changes = [None if before.get(d) == row else row for d, row in zip(devices, rows, strict=True)]
    same_sizes = None if underway.sizes == sizes else sizes
    return [list(report.first_bits), changes, same_sizes, report.collision]


def _decode_description(underway: Underway, call: Call, record: Any) -> Description:
    devices = call.arguments[0]
    bits, rows, sizes, collision = record
    changes = zip(devices, rows, strict=True)
    underway.densities.update((device, row) for device, row in changes if row is not None)
    underway.sizes = underway.sizes if sizes is None else sizes
    densities = np.array([underway.densities[device] for device in devices], dtype=np.float64)
    return Description(bits, densities, np.array(underway.sizes, dtype=np.int64), collision)


AS_IT_IS = Form(_same, _same)
JOB = partial(Form, _encode_work, _decode_work, job=True)
OUTGOING = Form(_encode_outgoing, _decode_outgoing)
# What the simulation asks of the learner.
VERBS = {
    "inform": AS_IT_IS,
    "submit": JOB(phase=Phase.TRAINING),
    "messages": OUTGOING,
    "experts": OUTGOING,
    "hear": AS_IT_IS,
    "lose": AS_IT_IS,
    "mix": JOB(),
    "evaluate": Form(
        _encode_evaluation, _decode_evaluation, rests=lambda _: True, phase=Phase.EVALUATION
    ),
    "describe": Form(_encode_description, _decode_description),
}
# What it asks of a job, which is named by the number of its call.
JOB_VERBS = {
    "cut": Form(_same, _same, ends=False),
    "result": Form(_encode_result, _decode_result, rests=lambda tuned: tuned is None),
    "discard": AS_IT_IS,
}
