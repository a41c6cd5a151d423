"""What a scenario's diagnostics ask of the learner: pairs of devices, Theorem 1, agreement, expert
shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cosim.learning.adapters.factors import by_module
from cosim.learning.diagnostics.agreement import mixing_errors, squared_distances
from cosim.learning.diagnostics.overlap import overlaps
from cosim.learning.diagnostics.realised import RealisedMixing
from cosim.learning.diagnostics.theorems import TheoremOne, product_norms, theorem_one
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.scoring import Scoring
from cosim.learning.records import WATCHED_AT_MOST, Diagnostic
from cosim.learning.threads import one_thread_each
from cosim.learning.training.lesson import Batch
from cosim.learning.training.trainer import GroupTrainer
from cosim.methods.adapter import Adapter
from cosim.methods.message import Heard, Message, Turn, Values
from cosim.randomness import stream


class LocalGradients(GroupTrainer):
    """This trainer reads gradients of B as the training takes them, and updates nothing."""

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
    """A diagnosis computes the diagnostics of a fleet; it draws and changes nothing that the fleet
    uses.

    gradients: None where all parameters are trained. batches: a device's mini-batches of a round.
    realised: what devices have mixed so far, where all end a round before any begins the next.
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
        self.realised = RealisedMixing(len(fleet.tasks))

    def whole(self, message: Message) -> Message:
        """What a device says, and besides, where a round sends one factor, the other as the device
        has it and nobody hears it; padded to the federation's rank."""
        message = self.fleet.own[message.device].heard(message)
        if not self.fleet.method.projection.moves:
            return message
        adapter = self.fleet.adapters[message.device]
        factors = (Values("A", adapter.projection), Values("B", adapter.values))
        idle = [factor for factor in factors if factor.name not in message.by_name]
        return replace(message, content=(*message.content, *idle))

    def mixed(self, device: int, turn: Turn, shares: Mapping[int, float], before: Adapter) -> None:
        """Notes what a device has mixed just now, by the shares of the senders; before: its
        adapter until then."""
        method, layout = self.fleet.method, self.fleet.layout
        if not (method.schedule.in_step and method.aggregation.averages):
            return
        moved = {}
        if shares and self.gradients is not None:
            after = self.fleet.adapters[device]
            expansions = after.expansion(layout), before.expansion(layout)
            factors = {"A": (after.projection, before.projection), "B": expansions}
            sent = method.projection.sends(turn.round)
            moved = {
                name: x.double() - y.double() for name, (x, y) in factors.items() if name in sent
            }
        self.realised.note(device, turn, shares, moved)

    def of(
        self,
        devices: Sequence[int],
        sets: Mapping[int, Sequence[Message]],
        together: Mapping[int, Sequence[int]] | None = None,
    ) -> list[Diagnostic]:
        """All of these devices' diagnostics; `sets` are the updates that each of them may have
        averaged in this round, its own included, and `together` itself and all its neighbours."""
        diagnosed = [device for device in self.diagnosed_devices if device in set(devices)]
        out = self.scoring.shares(diagnosed)
        if self.gradients is not None:
            gaps: dict[tuple[int, ...], list[tuple[str, float]]] = {}
            errors: dict[tuple[Any, ...], list[tuple[str, float]]] = {}
            for device in diagnosed:
                updates = sets.get(device, ())
                name = tuple(update.number for update in updates)
                if name not in gaps:
                    gaps[name] = self._theorem_one(self.gradients, updates)
                out += [Diagnostic(quantity, value, device) for quantity, value in gaps[name]]
                shares = self._shares(device, updates, together or {})
                idle = self._idle(updates)
                rank = self.fleet.own[device].layout.rank
                weighed = device if idle else None, rank, tuple(zip(name, shares, strict=False))
                if weighed not in errors:
                    errors[weighed] = self._errors(device, updates, shares, idle)
                out += [Diagnostic(word, value, device) for word, value in errors[weighed]]
            out += self._overlaps(set(diagnosed))
        out += self._distances(set(diagnosed))
        rounds = [update.round for updates in sets.values() for update in updates]
        return [*out, *self._mixing(max(rounds, default=0))]

    def _mixing(self, round_: int) -> Iterator[Diagnostic]:
        """What the mixing of the rounds so far was like, and how it moved the mean over all."""
        if 0 < self.realised.round <= round_:
            yield Diagnostic("contraction", self.realised.contraction(round_))
            words = {"A": "drift_projection", "B": "drift_expansion"}
            for factor, value in self.realised.drifts(round_).items():
                yield Diagnostic(words[factor], value)

    def _idle(self, updates: Sequence[Message]) -> str:
        """The factors, of "A" and "B", that these updates hold and nobody heard of."""
        projection = self.fleet.method.projection
        sent = [projection.sends(update.round) for update in updates if projection.moves]
        return "".join(sorted(set("AB") - frozenset("AB").intersection(*sent)))

    @property
    def _trained(self) -> list[int]:
        """Those that diagnostics are of and that have learnt something."""
        adapters = self.fleet.adapters
        return [i for i in self.diagnosed_devices if bool(adapters[i].values.any())]

    def _shares(
        self, device: int, updates: Sequence[Message], together: Mapping[int, Sequence[int]]
    ) -> list[float]:
        """What each update counts for in the device's mixture, were all of them fresh; empty where
        it averages with nobody, where they hold some blocks or factors of several kinds of rounds,
        and where the method's weights ask for degrees or a whole graph that are not known.
        """
        weighing, schedule = self.fleet.method.weighing, self.fleet.method.schedule
        members = {update.device for update in updates}
        if weighing.asks_graph:
            members = members.union(*together.values())
        looks = weighing.asks_degrees or weighing.asks_graph
        unknown = looks and not members <= together.keys()
        if len(updates) < 2 or unknown or (weighing.asks_graph and not schedule.in_step):
            return []
        if not all(update.whole for update in updates) or len(self._idle(updates)) > 1:
            return []
        heard = [Heard(update) for update in updates]
        if weighing.asks_graph:
            graph = {
                member: tuple(i for i in ids if i != member) for member, ids in together.items()
            }
            weights = weighing.within(device, heard, graph)
        else:
            degrees = {member: len(ids) - 1 for member, ids in together.items()}
            weights = weighing.of(device, heard, degrees)
        return [weight / sum(weights) for weight in weights] if sum(weights) > 0 else []

    def _errors(
        self, device: int, updates: Sequence[Message], shares: Sequence[float], idle: str
    ) -> list[tuple[str, float]]:
        """What averaging these updates factor by factor, or cut to the device's rank, would err by,
        before it trims a mean; the idle factor stays the device's own."""
        if not shares:
            return []
        adapters = [Adapter(u.values, u.support, u.projection) for u in updates]
        with one_thread_each(1):
            own, rank = self.fleet.adapters[device], self.fleet.own[device].layout.rank
            errors = mixing_errors(self.fleet.layout, adapters, shares, own, idle or None, rank)
        values = {
            "aggregation_error": errors.aggregation,
            "broadcast_error": errors.broadcast,
            "cross_term": errors.cross_term,
        }
        return [(word, value) for word, value in values.items() if value is not None]

    def _distances(self, diagnosed: set[int]) -> Iterator[Diagnostic]:
        """Each device's distance from the mean, factor by factor, where two have learnt; of all
        parameters at once where these are trained."""
        trained = self._trained
        if len(trained) < 2:
            return
        layout, adapters = self.fleet.layout, [self.fleet.adapters[i] for i in trained]
        factors = {
            "consensus_projection": [adapter.projection for adapter in adapters],
            "consensus_expansion": [adapter.expansion(layout) for adapter in adapters],
        }
        if self.gradients is None:
            del factors["consensus_projection"]
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
        if self._idle(updates):
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


def updates_of(
    spoken: Mapping[int, Message], sets: Mapping[int, Sequence[int]]
) -> dict[int, list[Message]]:
    """What there is of each set of devices, of what each of them had to say."""
    return {
        device: [spoken[sender] for sender in together if sender in spoken]
        for device, together in sets.items()
    }


def diagnosed_devices(devices: int, seed: int) -> list[int]:
    """Diagnostics are computed of these devices: all, or 16 of them, the same in every round."""
    if devices <= WATCHED_AT_MOST:
        return list(range(devices))
    sample = stream(seed, "diagnostics").choice(devices, WATCHED_AT_MOST, replace=False)
    return sorted(sample.tolist())
