"""What a learner must be given back to go on as if nothing had been: taken, and put back.

What follows from the scenario is left out: the base model, the rows, A where a seed gives it, and
mixtures, which come out of the same updates to the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cosim.learning.federation.aggregation import Update
from cosim.learning.jobs import Calibrating, FineTuning
from cosim.learning.learner import Learner
from cosim.learning.records import Score
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.pass_room import PassRoom
from cosim.methods.adapter import Adapter, Moments
from cosim.methods.calibration import Calibration
from cosim.methods.workload import Workload

Taken = dict[str, Any]


def take(
    learner: Learner, jobs: Mapping[int, Any], contents: Mapping[int, Any]
) -> tuple[Taken, dict[str, Tensor]]:
    """The learner's state as plain data and named tensors.

    jobs: submitted and neither accepted nor discarded. contents: updates and bundles that are on
    their way. Nothing is copied; tensors are never changed in place.
    """
    fleet, scoring, pooled = learner.fleet, learner.scoring, learner.pooled
    taking = _Taking(fleet.first_projections)
    taken = {
        "budgets": fleet.budgets,
        "room": list(learner.trainer.room),
        "fleet": [taking.adapter(adapter) for adapter in fleet.adapters],
        "banks": [taking.bundle(bank) for bank in fleet.banks],
        "shared": [[task, taking.adapter(one)] for task, one in fleet.shared.items()],
        "calibrations": [taking.calibration(one) for one in fleet.calibrations],
        "found": [[device, taking.calibration(one)] for device, one in learner.found.items()],
        "introduced": sorted(learner.exchange.introduced),
        "unmixed": [[one, sorted(of)] for one, of in learner.exchange.unmixed.items()],
        "numbered": learner.exchange.numbered,
        "scores": [[*key, list(map(astuple, own))] for key, own in scoring.known.items()],
        "prompts": taking.prompts(scoring.reader.known),
        "pooled": [[name, taking.outcome(one)] for name, one in pooled.latest.items()],
        "ended": [[*key, *how] for key, how in pooled.ended.items()],
        "norms": [
            [device, number, taking.tensor(norms)]
            for device, (number, norms) in learner.diagnosis.norms.items()
        ],
        "jobs": [[number, taking.job(job)] for number, job in jobs.items()],
        "contents": [[number, taking.content(one)] for number, one in contents.items()],
    }
    return {**taken, "adapters": taking.adapters}, taking.tensors


def put_back(
    learner: Learner, taken: Taken, tensors: Mapping[str, Tensor]
) -> tuple[dict[int, Any], dict[int, Any]]:
    """Makes a fresh learner of the same scenario what the other was; the jobs and contents."""
    fleet, scoring, pooled = learner.fleet, learner.scoring, learner.pooled
    back = _Putting(learner, taken["adapters"], tensors)
    fleet.budgets = list(taken["budgets"])
    learner.trainer.room = PassRoom(*taken["room"])
    fleet.adapters = [back.adapters[number] for number in taken["fleet"]]
    fleet.banks = [back.bundle(bank) for bank in taken["banks"]]
    fleet.shared = {task: back.adapters[number] for task, number in taken["shared"]}
    fleet.calibrations = [back.calibration(one) for one in taken["calibrations"]]
    learner.found = {
        device: found
        for device, one in taken["found"]
        if (found := back.calibration(one)) is not None
    }
    exchange = learner.exchange
    exchange.introduced = {(owner, receiver) for owner, receiver in taken["introduced"]}
    exchange.unmixed = {device: set(owners) for device, owners in taken["unmixed"]}
    exchange.numbered = taken["numbered"]
    scoring.known = {
        (task, key): [Score(*one) for one in own] for task, key, own in taken["scores"]
    }
    scoring.reader.known = back.prompts(taken["prompts"])
    pooled.latest = {name: back.outcome(one) for name, one in taken["pooled"]}
    pooled.ended = {(name, round_): (loss, fault) for name, round_, loss, fault in taken["ended"]}
    learner.diagnosis.norms = {
        device: (number, back.tensors[name]) for device, number, name in taken["norms"]
    }
    jobs = {number: back.job(job) for number, job in taken["jobs"]}
    return jobs, {number: back.content(one) for number, one in taken["contents"]}


class _Taking:
    """Every tensor and every adapter once, however many hold it: who shares one shares it again."""

    def __init__(self, given: Sequence[Tensor]) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.adapters: list[dict[str, Any]] = []
        self._names = {_place(A): f"given {device}" for device, A in enumerate(given)}
        self._numbers: dict[int, int] = {}

    def tensor(self, tensor: Tensor) -> str:
        place = _place(tensor)
        if place not in self._names:
            self._names[place] = f"{len(self.tensors)}"
            self.tensors[self._names[place]] = tensor
        return self._names[place]

    def _maybe(self, tensor: Tensor | None) -> str | None:
        return None if tensor is None else self.tensor(tensor)

    def adapter(self, adapter: Adapter) -> int:
        if id(adapter) not in self._numbers:
            self._numbers[id(adapter)] = len(self.adapters)
            moments = adapter.moments
            self.adapters.append(
                {
                    "values": self.tensor(adapter.values),
                    "support": self._maybe(adapter.support),
                    "projection": self.tensor(adapter.projection),
                    "moments": None
                    if moments is None
                    else [moments.steps, self.tensor(moments.first), self.tensor(moments.second)],
                    "round": adapter.round,
                }
            )
        return self._numbers[id(adapter)]

    def bundle(self, bundle: Mapping[int, Adapter]) -> list[list[int]]:
        return [[owner, self.adapter(expert)] for owner, expert in bundle.items()]

    def calibration(self, found: Calibration | None) -> dict[str, Any] | None:
        if found is None:
            return None
        entropies = None if found.entropies is None else found.entropies.tolist()
        features, inputs = self._maybe(found.features), self._maybe(found.inputs)
        told = {"entropies": entropies, "features": features, "inputs": inputs}
        return {**told, "fault": found.fault}

    def prompts(self, known: Mapping[tuple[int, ...], Tensor]) -> dict[str, Any] | None:
        if not known:
            return None
        features = torch.stack(list(known.values()))
        return {"tokens": list(known), "features": self.tensor(features)}

    def outcome(self, outcome: Outcome | None) -> list[Any] | None:
        if outcome is None:
            return None
        return [self.adapter(outcome.adapter), outcome.loss, outcome.fault]

    def job(self, job: FineTuning | Calibrating) -> dict[str, Any]:
        said = {"device": job.device, "work": astuple(job.work)}
        if isinstance(job, Calibrating):
            return said
        kept = job.lesson.kept
        return said | {
            "round": job.round,
            "calibrates": job.calibrates,
            "adapter": self.adapter(job.lesson.adapter),
            "kept": None if kept is None else kept.tolist(),
            "outcome": self.outcome(job.outcome),
        }

    def content(self, content: Any) -> Any:
        if not isinstance(content, Update):
            return self.bundle(content)
        return {
            "device": content.device,
            "round": content.round,
            "values": self.tensor(content.values),
            "support": self._maybe(content.support),
            "projection": self._maybe(content.projection),
            "weight": content.weight,
            "freshness": content.freshness,
            "seeded": self._maybe(content.seeded),
            "number": content.number,
        }


class _Putting:
    """The way back."""

    def __init__(
        self, learner: Learner, adapters: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor]
    ) -> None:
        given = enumerate(learner.fleet.first_projections)
        self.learner = learner
        self.tensors = {**tensors, **{f"given {device}": A for device, A in given}}
        self.adapters = [self._adapter(one) for one in adapters]

    def _maybe(self, name: str | None) -> Tensor | None:
        return None if name is None else self.tensors[name]

    def _adapter(self, one: Mapping[str, Any]) -> Adapter:
        moments = None
        if one["moments"] is not None:
            steps, first, second = one["moments"]
            moments = Moments(steps, self.tensors[first], self.tensors[second])
        values, projection = self.tensors[one["values"]], self.tensors[one["projection"]]
        return Adapter(values, self._maybe(one["support"]), projection, moments, one["round"])

    def bundle(self, bundle: Sequence[Sequence[int]]) -> dict[int, Adapter]:
        return {owner: self.adapters[number] for owner, number in bundle}

    def calibration(self, one: Mapping[str, Any] | None) -> Calibration | None:
        if one is None:
            return None
        entropies = None if one["entropies"] is None else np.array(one["entropies"])
        features, inputs = self._maybe(one["features"]), self._maybe(one["inputs"])
        return Calibration(entropies, features, inputs, one["fault"])

    def prompts(self, one: Mapping[str, Any] | None) -> dict[tuple[int, ...], Tensor]:
        if one is None:
            return {}
        features = self.tensors[one["features"]].unbind(0)
        return dict(zip(map(tuple, one["tokens"]), features, strict=True))

    def outcome(self, one: Sequence[Any]) -> Outcome:
        number, loss, fault = one
        return Outcome(self.adapters[number], loss, fault)

    def job(self, one: Mapping[str, Any]) -> FineTuning | Calibrating:
        learner, device, work = self.learner, one["device"], Workload(*one["work"])
        if "round" not in one:
            return Calibrating(learner, device, work)
        kept = None if one["kept"] is None else np.array(one["kept"], dtype=np.int64)
        batches = learner.batches(device, one["round"])
        lesson = Lesson(self.adapters[one["adapter"]], batches, kept)
        job = FineTuning(learner, device, one["round"], lesson, work, calibrates=one["calibrates"])
        if one["outcome"] is None:
            learner.queue.append(job)
        else:
            job.outcome = self.outcome(one["outcome"])
        return job

    def content(self, one: Any) -> Any:
        if not isinstance(one, Mapping):
            return self.bundle(one)
        names = ("values", "support", "projection", "seeded")
        return Update(**{**one, **{name: self._maybe(one[name]) for name in names}})


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Where a tensor's values lie; an empty one lies nowhere, and is like all of its type."""
    nowhere = tensor.numel() == 0
    return (0 if nowhere else tensor.data_ptr(), tensor.dtype, tuple(tensor.shape))
