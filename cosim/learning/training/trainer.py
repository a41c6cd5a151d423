"""Local fine-tuning: many devices' steps in common passes over the shared base model."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.errors import CosimError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.data.packing import pack, pieces, reading
from cosim.learning.threads import divided_threads
from cosim.learning.training.lesson import Batch, Lesson, Outcome
from cosim.learning.training.pass_room import PassRoom
from cosim.learning.training.shares import shares
from cosim.learning.training.working_copies import Optimisation, WorkingCopies
from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout, kept_positions
from cosim.methods.slots import Expansion

_log = logging.getLogger(__name__)

# Where not even so few tokens fit, halving them helps no more.
_LEAST_TOKENS = 64


@dataclass(frozen=True)
class TrainingSettings(Optimisation):
    """How every device trains: scale α/r, optimiser, and how a mask is chosen.

    scale: α/r.
    density: s, for lessons that do not say how many positions of each module they train.
    expansion: the part that chooses masks.
    """

    scale: float
    density: float
    expansion: Expansion


def out_of_memory(error: Exception) -> bool:
    """Whether torch says that it could get no memory: on a CPU there is no exception for that."""
    words = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def first_non_finite(layout: Layout, flat: Tensor, sizes: Sequence[int]) -> str | None:
    """The name of the first module whose part of a flat vector is not all finite numbers."""
    if _sum_is_finite(flat):
        return None
    parts = zip(layout.modules, flat.split(list(sizes)), strict=True)
    return next((m.name for m, part in parts if not bool(part.isfinite().all())), None)


def _sum_is_finite(flat: Tensor) -> bool:
    """False where any value is no finite number, which makes their sum none, and also where it
    merely overflows; several times faster than looking at every value."""
    return bool(flat.sum(dtype=torch.float32).isfinite())


def non_finite_factor(layout: Layout, adapter: Adapter) -> str | None:
    """What is wrong with a trained adapter's values; None where all are finite numbers."""
    for factor, flat, sizes in (
        ("B", adapter.values, layout.expansion_sizes),
        ("A", adapter.projection, layout.projection_sizes),
    ):
        if not _sum_is_finite(flat):
            whole = adapter.expansion(layout) if factor == "B" else flat
            if module := first_non_finite(layout, whole, sizes):
                return f"{factor} of {module} is not finite after the last step"
    return None


class _StoppedError(Exception):
    """Another share of the lessons has failed, or the user has had enough."""


@dataclass(frozen=True)
class _Group:
    """Lessons of a pass whose masks are chosen now, as `cosim.methods.slots.Choosing` has them."""

    trainer: GroupTrainer
    lessons: Sequence[Lesson]

    @property
    def layout(self) -> Layout:
        return self.trainer.layout

    @property
    def optimizer(self) -> str:
        return self.trainer.settings.optimizer

    def first_gradients(self) -> Iterator[Tensor]:
        return self.trainer.first_gradients(self.lessons)

    def trained(self) -> Iterator[Tensor]:
        return self.trainer.trained_densely(self.lessons)


class GroupTrainer:
    """Trains a group of lessons together; each lesson ends as it would alone.

    room: how much is held at once; less, and for good, where memory did not suffice.
    """

    def __init__(
        self, model: AdaptedModel, layout: Layout, dtype: torch.dtype, settings: TrainingSettings
    ) -> None:
        self.model, self.layout = model, layout
        self.dtype, self.settings = dtype, settings
        self.device = next(model.model.parameters()).device
        self.room = PassRoom()
        self._divides = model.lean and self.device.type == "cpu"
        # Of a share: set where another one has failed.
        self._stopped: Event | None = None

    def train(self, lessons: Sequence[Lesson]) -> list[Outcome]:
        """All lessons, which must have equally many steps, in grouped steps (torch.bmm).

        On a processor two shares of them take their steps side by side, each with half of the
        tokens that may be held at once. Ctrl-C waits for their present step.
        """
        divides = self._divides and self.room.side_by_side
        cut = shares([lesson.tokens for lesson in lessons]) if divides else []
        if len(cut) < 2:
            return self._steps(lessons, self._with_masks(lessons))
        part, stopped = copy.copy(self), Event()
        part._divides, part._stopped = False, stopped
        part.room = self.room._replace(tokens=self.room.tokens // len(cut))

        def trained(share: Sequence[int]) -> list[Outcome] | BaseException:
            try:
                return part.train([lessons[row] for row in share])
            except BaseException as error:
                stopped.set()
                return error

        with divided_threads(len(cut)) as run:
            try:
                results = run(trained, cut)
            except BaseException:
                stopped.set()
                raise
        failed = [result for result in results if isinstance(result, BaseException)]
        if any(isinstance(error, Exception) and out_of_memory(error) for error in failed):
            _log.warning("out of memory: from here on no two shares of a pass side by side")
            self.room = self.room._replace(side_by_side=False)
            return self.train(lessons)
        for error in sorted(failed, key=lambda error: isinstance(error, _StoppedError)):
            raise error
        outcomes: dict[int, Outcome] = {}
        for rows, result in zip(cut, results, strict=True):
            assert not isinstance(result, BaseException)
            outcomes |= zip(rows, result, strict=True)
        return [outcomes[row] for row in range(len(lessons))]

    def _steps(self, lessons: Sequence[Lesson], adapters: Sequence[Adapter]) -> list[Outcome]:
        copies = self._copies(adapters, [lesson.trains for lesson in lessons])
        losses = torch.zeros(len(lessons), dtype=torch.float64)
        steps = len(lessons[0].batches)
        faults: dict[int, str] = {}
        for step in range(steps):
            if self._stopped is not None and self._stopped.is_set():
                raise _StoppedError
            losses_of_step = self._gradients(copies, [lesson.parts(step) for lesson in lessons])
            for row in (~losses_of_step.isfinite()).nonzero().flatten().tolist():
                if row not in faults:
                    faults[row] = self._fault(copies, row, step, float(losses_of_step[row]))
            losses += losses_of_step
            copies.optimiser_step()
        mean = (losses / steps).tolist()
        out = []
        for row, (adapter, loss) in enumerate(zip(copies.adapters(), mean, strict=True)):
            fault = faults.get(row) or non_finite_factor(self.layout, adapter)
            out.append(Outcome(adapter, loss, fault))
        return out

    def _fault(self, copies: WorkingCopies, row: int, step: int, loss: float) -> str:
        """Where a loss that is no number comes from: the first module whose gradient is none."""
        gradient = copies.expansion.read_gradient(row)
        module = first_non_finite(self.layout, gradient, self.layout.expansion_sizes)
        where = f", and so is the gradient of B in {module}" if module else ""
        return f"the loss of step {step + 1} is {loss}{where}"

    def _copies(
        self, adapters: Sequence[Adapter], trains: Sequence[frozenset[str] | None] = ()
    ) -> WorkingCopies:
        return WorkingCopies(self.layout, adapters, self.dtype, self.device, self.settings, trains)

    def _with_masks(self, lessons: Sequence[Lesson]) -> list[Adapter]:
        """Adapters with a support: where it is missing it is chosen now, and B is zero again."""
        adapters = [lesson.adapter for lesson in lessons]
        blank = [number for number, adapter in enumerate(adapters) if adapter.unmasked]
        if not blank:
            return adapters
        unmasked = [lessons[number] for number in blank]
        supports = self.settings.expansion.choose(
            _Group(self, unmasked), [self._kept(lesson) for lesson in unmasked]
        )
        for number, support in zip(blank, supports, strict=True):
            values = torch.zeros(support.numel())
            adapters[number] = Adapter(values, support, adapters[number].projection)
        return adapters

    def first_gradients(self, lessons: Sequence[Lesson]) -> Iterator[Tensor]:
        """∂L/∂B (n,) of each lesson's first mini-batch, flat float32, B as it is; one after the
        other, as each is as large as B."""
        copies = self._copies([lesson.adapter for lesson in lessons])
        self._gradients(copies, [lesson.parts(0) for lesson in lessons])
        for row in range(len(lessons)):
            yield copies.expansion.read_gradient(row).float().cpu()

    def trained_densely(self, lessons: Sequence[Lesson]) -> Iterator[Tensor]:
        """Flat B of each lesson after all of its steps with a dense B from zero."""
        dense = [
            Adapter(torch.zeros(self.layout.expansion_size), None, lesson.adapter.projection)
            for lesson in lessons
        ]
        return (outcome.adapter.values for outcome in self._steps(lessons, dense))

    def _kept(self, lesson: Lesson) -> NDArray[np.int64]:
        if lesson.kept is not None:
            return lesson.kept
        density = self.settings.density
        return np.array([kept_positions(n, density) for n in self.layout.expansion_sizes])

    def _gradients(self, copies: WorkingCopies, lessons: Sequence[Sequence[Batch]]) -> Tensor:
        """Leaves every lesson's own gradient in the copies; returns the losses (G,) in nats.

        A lesson of several devices' mini-batches has the mean of their losses, each the mean over
        its own answer tokens: (1/M)·Σ_j F_j, whatever the lengths of their answers.
        """
        while True:
            copies.clear_gradients()
            try:
                return self._of_all(copies, lessons)
            except (RuntimeError, MemoryError) as error:
                if self._stopped is not None or not out_of_memory(error):
                    raise
                self._take_less(error)

    def _take_less(self, error: Exception) -> None:
        if self.room.tokens < 2 * _LEAST_TOKENS:
            raise CosimError(
                f"training: memory does not suffice for {self.room.tokens} tokens at once; use a "
                "smaller training.max_tokens, fewer devices or a smaller rank"
            ) from error
        self.room = self.room._replace(tokens=self.room.tokens // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # else its blocks of other sizes stay in the way
        _log.warning("out of memory: from here on at most %d tokens at once", self.room.tokens)

    def _of_all(self, copies: WorkingCopies, lessons: Sequence[Sequence[Batch]]) -> Tensor:
        losses = torch.zeros(len(lessons), dtype=torch.float64)
        fractions = torch.tensor([1.0 / len(parts) for parts in lessons], device=self.device)
        for number in range(max(map(len, lessons))):
            batches = [parts[number] if number < len(parts) else () for parts in lessons]
            losses += self._backward(copies, batches, fractions)
        return losses

    def _backward(
        self, copies: WorkingCopies, batches: Sequence[Batch], fractions: Tensor
    ) -> Tensor:
        """Adds each mini-batch's gradient, times its fraction, to its row of the copies."""
        counts = torch.tensor(
            [sum(len(row.answer) for row in batch) for batch in batches], device=self.device
        )
        weights = fractions / counts.clamp(min=1)
        losses = torch.zeros(len(batches), device=self.device)
        readings = [[reading(row) for row in batch] for batch in batches]
        for groups in pieces(readings, self.room.tokens):
            packed = pack(groups, self.device, stems=self.model.lean)
            states = self.model.scored(packed, copies.pairs, self.settings.scale)
            # The devices share no trained value, so the gradient of the sum is each one's own.
            nats, gradient = self.model.answer_loss(
                states.detach(), packed.targets, weights[packed.owners]
            )
            states.backward(gradient)
            losses += torch.zeros_like(losses).index_add(0, packed.owners, nats) * weights
        return losses.cpu().double()
