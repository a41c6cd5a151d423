"""What a learner tells the simulation: plain records without time, and without tensors but for the
update of a fine-tuning, which the simulation carries to its receivers and never looks into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Devices that diagnostics are of: pairs grow with the square of the devices.
WATCHED_AT_MOST = 16


@dataclass(frozen=True)
class FineTuned:
    """What a device holds after fine-tuning: its mean loss and the update it may send.

    update: an `Update` with its tensors, or whatever stands for it on the way; None where nothing
    is sent.
    quarantined: the fine-tuning diverged; the device holds what it held before, and sends nothing.
    """

    loss: float | None
    update: Any
    quarantined: bool = False


@dataclass(frozen=True)
class Score:
    """One metric over n questions; `headline` marks the accuracy of the task."""

    metric: str
    value: float
    n: int
    headline: bool


@dataclass(frozen=True)
class Measurement:
    """One score of one device on one task."""

    device: int
    task: str
    score: Score


@dataclass(frozen=True)
class Diagnostic:
    """One number about a device, a pair of devices, a task's questions or a module.

    quantity: a word of `cosim.trace.schema.Quantity`, which says what it is about.
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
    """One adapted module of one device: how much of its B is trained and sent.

    spectral_entropy: H of W0·C in nats; None where the densities do not come from it.
    """

    layer: int
    module: str
    density: float
    parameters: int
    active: int
    spectral_entropy: float | None = None
