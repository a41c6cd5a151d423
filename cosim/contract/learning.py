"""Checks of what devices learn: that they do, from ΔW = 0, and whoever is trained beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosim.contract.subject import DEVICES, GRAPH, MethodUnderTest
from cosim.contract.verdict import Broken
from cosim.methods.message import Turn
from cosim.methods.method import Method

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.learning.jobs import CalibrationJob, FineTuningJob
    from cosim.learning.learner import ModelLearner
    from cosim.methods.adapter import Adapter

_ROUNDS = 4
# Sums of several devices in one pass are rounded otherwise than each one's own.
_ALIKE = 1e-4


def learns(subject: MethodUnderTest) -> str:
    """Over four rounds in which everything arrives the mean loss falls; of parts as they are
    printed, or whose shares do not sum to 1, it is asked only that values move and stay finite."""
    learner = subject.learner()
    before = [adapter.digest for adapter in learner.fleet.adapters]
    losses = []
    for round_ in range(1, _ROUNDS + 1):
        results = [job.result() for job in _submitted(learner, DEVICES, round_)]
        losses.append(_mean([result.loss for result in results]))
        exchange(learner, Turn(round_))
    after = [adapter.digest for adapter in learner.fleet.adapters]
    fell = f"the mean loss of {len(DEVICES)} devices"
    if not all(map(math.isfinite, losses)):
        raise Broken(f"{fell} was no finite number in a round: {_listed(losses)}")
    for device, adapter in enumerate(learner.fleet.adapters):
        if not bool(adapter.values.isfinite().all() and adapter.projection.isfinite().all()):
            raise Broken(f"device {device} holds values that are no finite numbers after mixing")
    if still := [device for device in DEVICES if before[device] == after[device]]:
        raise Broken(f"device {still[0]} holds what it held at the start after {_ROUNDS} rounds")
    if losses[-1] < losses[0]:
        return f"{fell} fell from {losses[0]:.3f} to {losses[-1]:.3f} in {_ROUNDS} rounds"
    if not _promises(subject.method):
        return (
            f"values move and stay finite; {fell} did not fall ({losses[0]:.3f}, then "
            f"{losses[-1]:.3f}), which such parts do not promise"
        )
    raise Broken(f"{fell} did not fall in {_ROUNDS} rounds: {_listed(losses)}")


def starts_at_zero(subject: MethodUnderTest) -> str:
    """Before a first fine-tuning, calibrated or not, every device answers as the base model."""
    learner = subject.learner()
    for when in ("at the start", "after its calibration"):
        for device, adapter in enumerate(learner.fleet.adapters):
            if (module := _moved(learner, adapter)) is not None:
                raise Broken(f"ΔW of device {device} in {module} is not zero {when}")
        scores: dict[str, set[tuple[str, float]]] = {}
        for row in learner.evaluate(DEVICES).measurements:
            scores.setdefault(row.task, set()).add((row.score.metric, row.score.value))
        base = learner.scoring.evaluator
        for task, pool in learner.pools.items():
            answers = {(score.metric, score.value) for score in base.scores(None, pool.test)}
            if scores[task] != answers:
                raise Broken(f"a device scores otherwise on '{task}' than the base model {when}")
        for device in DEVICES:
            if (calibration := learner.submit(device, 0)) is not None:
                calibration.result()
    return f"ΔW = 0: {len(DEVICES)} devices answer as the base model before their first round"


def grouped(subject: MethodUnderTest) -> str:
    """Devices that are trained in one pass end as each would alone."""
    together, apart = subject.learner(), subject.learner()
    jobs = _submitted(together, DEVICES, 1)
    losses = [job.result().loss for job in jobs]
    worst = 0.0
    for device, loss in zip(DEVICES, losses, strict=True):
        (job,) = _submitted(apart, (device,), 1)
        alone = job.result().loss
        first, second = together.fleet.adapters[device], apart.fleet.adapters[device]
        if not _same(first.support, second.support):
            raise Broken(
                f"device {device} chose other positions in a group than alone: `choose` must "
                "look at each lesson by itself"
            )
        for name, group_value, lone_value in (
            ("loss", loss, alone),
            ("B", first.values, second.values),
            ("A", first.projection, second.projection),
        ):
            distance = _distance(group_value, lone_value)
            if distance > _ALIKE:
                raise Broken(
                    f"{name} of device {device} differs by {distance:.1e} of itself in a group "
                    f"from alone, expected {_ALIKE:g} at most"
                )
            worst = max(worst, distance)
    return f"trained in one pass or one by one, devices end the same to {worst:.0e}"


def exchange(learner: ModelLearner, turn: Turn, devices: Sequence[int] = DEVICES) -> None:
    """Everybody says something to everybody, all of it arrives and is mixed."""
    if not learner.method.aggregation.exchanges:
        return
    outbox = {}
    for device in devices:
        receivers = [other for other in devices if other != device]
        outbox[device] = learner.messages(device, turn, receivers)
    for device in devices:
        inbox = {
            sender: outgoing.content
            for sender, outgoing in outbox.items()
            if sender != device and outgoing is not None
        }
        for message in inbox.values():
            learner.hear(device, message)
        learner.mix(device, inbox, dict.fromkeys(inbox, 0), turn, GRAPH).result()


def _submitted(
    learner: ModelLearner, devices: Sequence[int], round_: int
) -> list[FineTuningJob | CalibrationJob]:
    jobs = [learner.submit(device, round_) for device in devices]
    return [job for job in jobs if job is not None]


def _promises(method: Method) -> bool:
    """Whether a method whose loss does not fall is broken."""
    printed = any(
        getattr(part, name, None) == value
        for part in method.parts()
        for name, value in part.printed.items()
    )
    return method.weighing.renormalised and not printed


def _moved(learner: ModelLearner, adapter: Adapter) -> str | None:
    """The first module whose ΔW is not zero."""
    expansion = adapter.expansion(learner.layout)
    if not bool(expansion.any()):
        return None
    if learner.method.expansion.every_parameter:
        return "a parameter"
    pairs = learner.layout.pairs(adapter.projection, expansion)
    for module, (A, B) in zip(learner.layout.modules, pairs, strict=True):
        if bool((B @ A).any()):
            return module.name
    return None


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.shape == second.shape and bool((first == second).all())


def _distance(first: Tensor | float | None, second: Tensor | float | None) -> float:
    """‖a − b‖/‖b‖; 0 of two that are nothing."""
    import torch

    a, b = (torch.as_tensor(0.0 if x is None else x).double().flatten() for x in (first, second))
    if a.shape != b.shape:
        return math.inf
    gap, size = float((a - b).norm()), float(b.norm())
    return gap / size if size else (math.inf if gap else 0.0)


def _mean(losses: Sequence[float | None]) -> float:
    numbers = [loss for loss in losses if loss is not None]
    return sum(numbers) / len(numbers) if numbers else math.nan


def _listed(losses: Sequence[float]) -> str:
    return ", ".join(f"{loss:.3f}" for loss in losses)
