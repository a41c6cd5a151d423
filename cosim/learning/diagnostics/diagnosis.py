"""What a scenario's diagnostics ask of the learner: pairs of devices, Theorem 1, agreement, expert
shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cosim.learning.adapters.factors import by_module
from cosim.learning.diagnostics.agreement import mixing_errors, squared_distances
from cosim.learning.diagnostics.overlap import overlaps
from cosim.learning.diagnostics.theorems import TheoremOne, product_norms, theorem_one
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.scoring import Scoring
from cosim.learning.records import WATCHED_AT_MOST, Diagnostic
from cosim.learning.threads import one_thread_each
from cosim.learning.training.lesson import Batch
from cosim.learning.training.trainer import GroupTrainer
from cosim.methods.adapter import Adapter
from cosim.methods.message import Heard, Message
from cosim.randomness import stream


class LocalGradients(GroupTrainer):
    """Reads gradients of B as the training takes them, and updates nothing."""

    @classmethod
    def like(cls, trainer: GroupTrainer) -> LocalGradients:
        """Over the model and with the scale of a trainer."""
        settings = replace(trainer.settings, trainable_projection=False)
        return cls(trainer.model, trainer.layout, trainer.dtype, settings)

    def gradient(self, adapter: Adapter, batches: Sequence[Batch]) -> Tensor:
        """∂F/∂B (n,), flat float32, F the mean of the mini-batches' losses; of every position of
        B, on its support or not."""
        copies = self._copies([adapter])
        self._gradients(copies, [batches])
        return copies.expansion.read_gradient(0).float().cpu()


class Diagnosis:
    """Computes the diagnostics of a fleet; it draws and changes nothing that the fleet uses.

    gradients: None where all parameters are trained. batches: a device's mini-batches of a round.
    """

    def __init__(
        self,
        fleet: Fleet,
        scoring: Scoring,
        gradients: LocalGradients | None,
        batches: Callable[[int, int], Sequence[Batch]],
        seed: int,
    ) -> None:
        self.fleet, self.scoring = fleet, scoring
        self.gradients, self.batches = gradients, batches
        self.diagnosed_devices = diagnosed_devices(len(fleet.tasks), seed)
        self.norms: dict[int, tuple[int, Tensor]] = {}

    def of(
        self,
        devices: Sequence[int],
        sets: Mapping[int, Sequence[Message]],
        together: Mapping[int, Sequence[int]] | None = None,
    ) -> list[Diagnostic]:
        """All of these devices' diagnostics; `sets` are the updates that each of them may have
        averaged in this round, its own included, and `together` itself and all its neighbours."""
        degrees = {device: len(ids) - 1 for device, ids in (together or {}).items()}
        diagnosed = [device for device in self.diagnosed_devices if device in set(devices)]
        out = self.scoring.shares(diagnosed)
        if self.gradients is not None:
            gaps: dict[tuple[int, ...], list[tuple[str, float]]] = {}
            errors: dict[tuple[tuple[int, float], ...], list[tuple[str, float]]] = {}
            for device in diagnosed:
                updates = sets.get(device, ())
                name = tuple(update.number for update in updates)
                if name not in gaps:
                    gaps[name] = self._theorem_one(self.gradients, updates)
                shares = self._shares(device, updates, degrees)
                weighed = tuple(zip(name, shares, strict=False))
                if weighed not in errors:
                    errors[weighed] = self._errors(updates, shares)
                found = gaps[name] + errors[weighed]
                out += [Diagnostic(quantity, value, device) for quantity, value in found]
            out += self._overlaps(set(diagnosed))
            out += self._distances(set(diagnosed))
        return out

    @property
    def _trained(self) -> list[int]:
        """Those that diagnostics are of and that have learnt something."""
        adapters = self.fleet.adapters
        return [i for i in self.diagnosed_devices if bool(adapters[i].values.any())]

    def _shares(
        self, device: int, updates: Sequence[Message], degrees: Mapping[int, int]
    ) -> list[float]:
        """What each update counts for in the device's mixture, were all of them fresh; empty where
        it averages with nobody, where they hold one factor, and where the method's weights ask for
        degrees that are not known, or for a whole graph.
        """
        weighing = self.fleet.method.weighing
        unknown = {update.device for update in updates} - degrees.keys()
        if len(updates) < 2 or (weighing.asks_degrees and unknown) or weighing.asks_graph:
            return []
        if not all(update.whole for update in updates):
            return []
        weights = weighing.of(device, [Heard(update) for update in updates], degrees)
        return [weight / sum(weights) for weight in weights] if sum(weights) > 0 else []

    def _errors(
        self, updates: Sequence[Message], shares: Sequence[float]
    ) -> list[tuple[str, float]]:
        """What averaging these updates factor by factor, or cut to rank r, would err by."""
        if not shares:
            return []
        adapters = [Adapter(u.values, u.support, u.projection) for u in updates]
        with one_thread_each(1):
            errors = mixing_errors(self.fleet.layout, adapters, shares)
        found = {
            "aggregation_error": errors.aggregation,
            "broadcast_error": errors.broadcast,
            "cross_term": errors.cross_term,
        }
        return [(word, value) for word, value in found.items() if value is not None]

    def _distances(self, diagnosed: set[int]) -> Iterator[Diagnostic]:
        """Each device's distance from the mean, factor by factor, where two have learnt."""
        trained = self._trained
        if len(trained) < 2:
            return
        layout, adapters = self.fleet.layout, [self.fleet.adapters[i] for i in trained]
        factors = {
            "consensus_projection": [adapter.projection for adapter in adapters],
            "consensus_expansion": [adapter.expansion(layout) for adapter in adapters],
        }
        for word, vectors in factors.items():
            for device, distance in zip(trained, squared_distances(vectors), strict=True):
                if device in diagnosed:
                    yield Diagnostic(word, distance, device)

    def _overlaps(self, diagnosed: set[int]) -> Iterator[Diagnostic]:
        """Pairs of devices that have learnt something, one of them at least in `diagnosed`."""
        adapters, trained = self.fleet.adapters, self._trained
        numbers = [
            (i, j)
            for j, second in enumerate(trained)
            for i, first in enumerate(trained[:j])
            if {first, second} & diagnosed
        ]
        if not numbers:
            return
        layout = self.fleet.layout
        first, second = torch.tensor(numbers).T
        projection, update = (
            matrices[:, first, second]
            for matrices in overlaps(layout, [adapters[device] for device in trained])
        )
        for word, values in (("projection_overlap", projection), ("update_similarity", update)):
            for (i, j), mean, worst in zip(numbers, values.mean(0), values.amax(0), strict=True):
                yield Diagnostic(f"{word}_mean", float(mean), trained[i], trained[j])
                yield Diagnostic(f"{word}_max", float(worst), trained[i], trained[j])
            for module, mean in zip(layout.modules, values.mean(1), strict=True):
                yield Diagnostic(word, float(mean), layer=module.layer, module=module.name)

    def _theorem_one(
        self, gradients: LocalGradients, updates: Sequence[Message]
    ) -> list[tuple[str, float]]:
        """Both sides over all modules; nothing of a device that averages with nobody, and of
        messages of one factor."""
        if len(updates) < 2 or not all(update.whole for update in updates):
            return []
        adapters = [Adapter(u.values, u.support, u.projection) for u in updates]
        norms = [
            self._gradient_norms(gradients, update, adapter)
            for update, adapter in zip(updates, adapters, strict=True)
        ]
        bounds = torch.stack(norms).amax(0).tolist()
        sides: list[TheoremOne] = []
        for (A, B, M), bound in zip(by_module(self.fleet.layout, adapters), bounds, strict=True):
            collided = float((M.sum(0) >= 2).double().mean())
            sides.append(theorem_one(A, B, M, bound, collided))
        return [
            ("theorem1_gap", sum(side.gap for side in sides)),
            ("theorem1_bound", sum(side.bound for side in sides)),
            ("theorem1_violated", sum(side.gap > side.bound for side in sides) / len(sides)),
            ("theorem1_own_support_gap", sum(side.own_support_gap for side in sides)),
            ("theorem1_gradient", max(side.gradient_bound for side in sides)),
            ("theorem1_average", max(side.average_bound for side in sides)),
        ]

    def _gradient_norms(
        self, gradients: LocalGradients, update: Message, adapter: Adapter
    ) -> Tensor:
        """‖∇_{B_i}F_i·A_i‖_F (L,) at a device's own update, on its mini-batches of the round."""
        entry = self.norms.get(update.device)
        if entry is None or entry[0] != update.number:
            batches = self.batches(update.device, update.round)
            gradient = gradients.gradient(adapter, batches)
            pairs = self.fleet.layout.pairs(adapter.projection, gradient)
            norms = torch.cat([product_norms(slope, A) for A, slope in pairs])
            self.norms[update.device] = entry = (update.number, norms)
        return entry[1]


def diagnosed_devices(devices: int, seed: int) -> list[int]:
    """Diagnostics are computed of these devices: all, or 16 of them, the same in every round."""
    if devices <= WATCHED_AT_MOST:
        return list(range(devices))
    sample = stream(seed, "diagnostics").choice(devices, WATCHED_AT_MOST, replace=False)
    return sorted(sample.tolist())
