"""What a learner tells the simulation: plain records without time, and without tensors but for the
content of messages, which the simulation carries to its receivers and never looks into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

# Devices that diagnostics are of: pairs grow with the square of the devices.
WATCHED_AT_MOST = 16


@dataclass(frozen=True)
class Outgoing:
    """A device sends one content to several receivers at once.

    content: a message or experts, or whatever stands for them on the way.
    bits: what that weighs for each receiver.
    scales: how many of its vectors have a mean and a scale that a receiver of their sum must know.
    """

    content: Any
    bits: Mapping[int, int]
    scales: int = 0


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned result is what came of one local fine-tuning.

    loss: the mean over its steps, nats a token; None where nothing is trained.
    quarantined: the fine-tuning diverged; the device holds what it held before, and sends nothing.
    layers: what each adapted module trains and sends; empty but after a device's first fine-tuning.
    dropped: the compute deadline came before there was anything to keep; the device holds what it
        held before, and has nothing to say.
    """

    loss: float | None
    quarantined: bool = False
    layers: tuple[LayerState, ...] = ()
    dropped: bool = False


@dataclass(frozen=True)
class Description:
    """A description tells the messages that devices are going to send, before they do.

    first_bits: of each device's next message for a receiver that has had nothing of it yet.
    densities: (M, L) by device and module, planned ones before there are masks.
    sizes: positions of each module (L,).
    collision: share of positions that at least two of the devices train; None without masks, or
        where it was not asked for.
    """

    first_bits: Sequence[int]
    densities: NDArray[Any]
    sizes: NDArray[Any]
    collision: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """An evaluation holds scores, answers and diagnostics of one moment.

    measurements: scores of devices on tasks.
    diagnostics: what the scenario's diagnostics are at this moment.
    sheets: by device and task, where answers are kept; equal experts share one.
    """

    measurements: Sequence[Measurement]
    diagnostics: Sequence[Diagnostic] = ()
    sheets: Sequence[tuple[int, AnswerSheet]] = ()


@dataclass(frozen=True)
class Score:
    """A score is one metric over n questions.

    metric: `acc`, `acc_norm`, `exact_match` or `routing`.
    value: the share of the questions that are right by it.
    n: how many questions.
    headline: whether it is the accuracy of the task.
    """

    metric: str
    value: float
    n: int
    headline: bool


@dataclass(frozen=True)
class Measurement:
    """A measurement is one score of one device on one task.

    device: its id.
    task: whose questions were asked.
    score: what came of them.
    """

    device: int
    task: str
    score: Score


class Mark(NamedTuple):
    """A mark says how one question was answered.

    right: 1 or 0.
    chosen: number of the most likely candidate, None of a free answer.
    margin: ln P of the right candidate minus that of the best wrong one, None of a free answer.
    right_by_length: 1 or 0 where ln P is divided by characters, as `acc_norm` does; None of a free
        answer.
    """

    right: int
    chosen: int | None = None
    margin: float | None = None
    right_by_length: int | None = None


@dataclass(frozen=True)
class AnswerSheet:
    """An answer sheet holds how the questions of one task were answered, in their order.

    task: whose questions they are.
    questions: names of their content.
    right, chosen, margins: of their marks.
    asked: the device whose expert had the largest weight for each; empty where no gate chooses.
    """

    task: str
    questions: tuple[int, ...]
    right: tuple[int, ...]
    chosen: tuple[int | None, ...]
    margins: tuple[float | None, ...]
    asked: tuple[int, ...] = ()


@dataclass(frozen=True)
class Diagnostic:
    """A diagnostic is one number about a device, a pair of devices, a task's questions or a module.

    quantity: a word of `cosim.trace.schema.Quantity`, which says what it is about.
    value: without a unit.
    device: None of a module or of all devices.
    peer: the other device of a pair, or an expert's owner; None of neither.
    task: whose questions are counted; None where none are.
    layer, module: transformer block and name of an adapted module; None where it is about none.
    """

    quantity: str
    value: float
    device: int | None = None
    peer: int | None = None
    task: str | None = None
    layer: int | None = None
    module: str | None = None


@dataclass(frozen=True)
class LayerState:
    """A layer state says of one adapted module of one device how much of its B is trained and sent.

    layer: the number of its transformer block.
    module: its name.
    density: the share of B that is.
    parameters: d·r, all values of B.
    active: how many of them are.
    spectral_entropy: H of W0·C in nats; None where the densities do not come from it.
    """

    layer: int
    module: str
    density: float
    parameters: int
    active: int
    spectral_entropy: float | None = None
