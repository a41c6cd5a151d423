"""Local fine-tuning: many devices' steps in common passes over the shared base model."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.errors import CosimError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.data.packing import Reading, pack, pieces, reading
from cosim.learning.threads import MOST_THREADS, Each, one_thread_each
from cosim.learning.training.faults import first_non_finite, non_finite_factor
from cosim.learning.training.lesson import Batch, Lesson, Outcome
from cosim.learning.training.pass_room import PassRoom, out_of_memory
from cosim.learning.training.shares import shares, slices
from cosim.learning.training.side_by_side import StoppedError, Unit, side_by_side
from cosim.learning.training.working_copies import Optimisation, Pairs, WorkingCopies
from cosim.methods.adapter import Adapter
from cosim.methods.expansion.slot import Expansion
from cosim.methods.layout import Layout, kept_positions

_log = logging.getLogger(__name__)

# Where not even so few tokens fit, halving them helps no more.
_LEAST_TOKENS = 64


@dataclass(frozen=True)
class TrainingSettings(Optimisation):
    """The settings say how every device trains: scale α/r, optimiser, and how a mask is chosen.

    scale: α/r.
    density: s, for lessons that do not say how many positions of each module they train.
    expansion: the part that chooses masks.
    """

    scale: float
    density: float
    expansion: Expansion


@dataclass(frozen=True)
class _Group:
    """Lessons of a pass whose masks are chosen now, as `Choosing` has them."""

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
    """A group trainer trains a group of lessons together; each lesson ends as it would alone.

    room: how much is held at once; less, and for good, where memory did not suffice.
    threads: shares that are trained side by side at most.
    """

    def __init__(
        self, model: AdaptedModel, layout: Layout, dtype: torch.dtype, settings: TrainingSettings
    ) -> None:
        self.model, self.layout = model, layout
        self.dtype, self.settings = dtype, settings
        self.device = next(model.model.parameters()).device
        self.room = PassRoom()
        self.threads = MOST_THREADS
        self._divides = model.lean and self.device.type == "cpu"
        # Of a share: set where another one has failed.
        self._stopped: Event | None = None
        # Reads slices of a mini-batch side by side.
        self._each: Each | None = None

    def train(self, lessons: Sequence[Lesson]) -> list[Outcome]:
        """All lessons of a pass, which must have equally many steps, in grouped steps."""
        return self.train_all([lessons])[0]

    def train_all(self, groups: Sequence[Sequence[Lesson]]) -> list[list[Outcome]]:
        """The outcomes of every pass.

        On a processor shares of the passes take their steps side by side, each in one thread and
        with its part of the tokens that a pass may hold; passes that have no equal shares come
        after them, each one's mini-batches in slices that are read side by side. Ctrl-C waits for
        their present step.
        """
        whole = [[list(range(len(lessons)))] for lessons in groups]
        cuts = whole
        if self._divides and self.room.side_by_side:
            cuts = [
                shares([lesson.tokens for lesson in lessons], len(lessons[0].batches))
                for lessons in groups
            ]
        units = [
            Unit([lessons[row] for row in share], (number, *share), len(cut))
            for number, (lessons, cut) in enumerate(zip(groups, cuts, strict=True))
            for share in cut
            if len(cut) > 1
        ]
        outcomes: dict[tuple[int, int], Outcome] = {}
        try:
            for unit, results in zip(
                units, side_by_side(units, self._share, self.threads), strict=True
            ):
                group, *rows = unit.place
                outcomes |= zip(((group, row) for row in rows), results, strict=True)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            _log.warning("out of memory: from here on no two shares of a pass side by side")
            self.room = self.room._replace(side_by_side=False)
            return self.train_all(groups)
        for number, lessons in enumerate(groups):
            if (number, 0) not in outcomes:
                keys = ((number, row) for row in range(len(lessons)))
                outcomes |= zip(keys, self._by_slices(lessons), strict=True)
        return [
            [outcomes[number, row] for row in range(len(lessons))]
            for number, lessons in enumerate(groups)
        ]

    def _share(self, unit: Unit, stopped: Event) -> list[Outcome]:
        """Trains a share in this thread, with its part of the tokens."""
        part = copy.copy(self)
        part._divides, part._stopped = False, stopped
        part.room = self.room._replace(tokens=self.room.tokens // unit.shares)
        return part._steps(unit.lessons)

    def _by_slices(self, lessons: Sequence[Lesson]) -> list[Outcome]:
        """One pass, whose mini-batches are read in slices side by side where there is room."""
        if not (self._divides and self.room.side_by_side):
            return self._steps(lessons)
        with one_thread_each(self.threads) as run:
            self._each = run
            try:
                return self._steps(lessons)
            finally:
                self._each = None

    def _steps(
        self, lessons: Sequence[Lesson], adapters: Sequence[Adapter] | None = None
    ) -> list[Outcome]:
        # Of a dense B that chooses a mask nobody has a correction.
        corrections = [lesson.correction for lesson in lessons] if adapters is None else ()
        adapters = self._with_masks(lessons) if adapters is None else adapters
        copies = self._copies(adapters, [lesson.trains for lesson in lessons], corrections)
        losses = torch.zeros(len(lessons), dtype=torch.float64)
        steps = len(lessons[0].batches)
        faults: dict[int, str] = {}
        for step in range(steps):
            if self._stopped is not None and self._stopped.is_set():
                raise StoppedError
            losses_of_step = self._gradients(copies, [lesson.parts(step) for lesson in lessons])
            for row in (~losses_of_step.isfinite()).nonzero().flatten().tolist():
                if row not in faults:
                    faults[row] = self._fault(copies, row, step, float(losses_of_step[row]))
            losses += losses_of_step
            copies.optimiser_step(self._trained_in(step, lessons))
        mean = (losses / steps).tolist()
        out = []
        for row, (adapter, loss) in enumerate(zip(copies.adapters(), mean, strict=True)):
            fault = faults.get(row) or non_finite_factor(self.layout, adapter)
            out.append(Outcome(adapter, loss, fault))
        return out

    def _trained_in(self, step: int, lessons: Sequence[Lesson]) -> list[Sequence[int] | None]:
        """The modules of each lesson that a step updates; None: all of them."""
        return [
            None
            if lesson.reached is None or step < len(lesson.batches) - 1
            else self.layout.in_last(lesson.reached)
            for lesson in lessons
        ]

    def _fault(self, copies: WorkingCopies, row: int, step: int, loss: float) -> str:
        """Where a loss that is no number comes from: the first module whose gradient is none."""
        gradient = copies.expansion.read_gradient(row)
        module = first_non_finite(self.layout, gradient, self.layout.expansion_sizes)
        where = f", and so is the gradient of B in {module}" if module else ""
        return f"the loss of step {step + 1} is {loss}{where}"

    def _copies(
        self,
        adapters: Sequence[Adapter],
        trains: Sequence[frozenset[str] | None] = (),
        corrections: Sequence[Mapping[str, Tensor]] = (),
    ) -> WorkingCopies:
        return WorkingCopies(
            self.layout, adapters, self.dtype, self.device, self.settings, trains, corrections
        )

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
        readings = [[reading(row) for row in batch] for batch in batches]
        cut = [readings] if self._each is None else slices(readings)
        if self._each is None or len(cut) == 1:
            return self._read(copies.pairs, readings, weights, self.room.tokens)
        tokens = self.room.tokens // len(cut)
        pairs = copies.pairs_beside(len(cut))
        losses = self._each(
            lambda part: self._read(pairs[part], cut[part], weights, tokens), range(len(cut))
        )
        copies.gather()
        return torch.stack(losses).sum(0)

    def _read(
        self, pairs: Pairs, readings: Sequence[Sequence[Reading]], weights: Tensor, tokens: int
    ) -> Tensor:
        """Adds the gradients of readings, by lesson, to those of the pairs; their losses (G,)."""
        losses = torch.zeros(len(readings), device=self.device)
        for groups in pieces(readings, tokens):
            packed = pack(groups, self.device, stems=self.model.lean)
            states = self.model.scored(packed, pairs, self.settings.scale)
            # The devices share no trained value, so the gradient of the sum is each one's own.
            nats, gradient = self.model.answer_loss(
                states.detach(), packed.targets, weights[packed.owners]
            )
            states.backward(gradient)
            losses += torch.zeros_like(losses).index_add(0, packed.owners, nats) * weights
        return losses.cpu().double()
