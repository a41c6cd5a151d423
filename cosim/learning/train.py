"""Local fine-tuning: many devices' steps in one forward and backward pass of the shared base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cosim.learning.adapted_linear import AdaptedModel
from cosim.learning.adapter import Adapter, Layout, Moments, top_gradient_support
from cosim.learning.encoding import Encoded, token_rows
from cosim.learning.stack import GroupedParameter


@dataclass(frozen=True)
class TrainingSettings:
    """How every device trains: scale α/r, density s, optimiser, whether A is trained."""

    scale: float
    density: float
    learning_rate: float
    optimizer: str
    weight_decay: float
    trainable_projection: bool
    masked: bool


@dataclass(frozen=True)
class Lesson:
    """One device's local fine-tuning: its adapter at the start and its mini-batches in order."""

    adapter: Adapter
    batches: tuple[tuple[Encoded, ...], ...]

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(row.tokens for batch in self.batches for row in batch)


@dataclass(frozen=True)
class Outcome:
    """The adapter after the last step and the mean loss of all steps (nats a token)."""

    adapter: Adapter
    loss: float


class GroupTrainer:
    """Trains a group of lessons together; each lesson ends as it would alone."""

    def __init__(
        self, model: AdaptedModel, layout: Layout, dtype: torch.dtype, settings: TrainingSettings
    ) -> None:
        self.model = model
        self.layout = layout
        self.dtype = dtype
        self.settings = settings
        self.device = next(model.model.parameters()).device

    def train(self, lessons: Sequence[Lesson]) -> list[Outcome]:
        """All lessons, which must have equally many steps, in grouped steps (torch.bmm)."""
        adapters = self._with_masks(lessons)
        stack = _Stack(self.layout, adapters, self.dtype, self.device, self.settings)
        losses = torch.zeros(len(lessons), dtype=torch.float64)
        steps = len(lessons[0].batches)
        for step in range(steps):
            losses += self._gradients(stack, [lesson.batches[step] for lesson in lessons])
            stack.optimiser_step()
        mean = (losses / steps).tolist()
        return [
            Outcome(adapter, loss) for adapter, loss in zip(stack.adapters(), mean, strict=True)
        ]

    def _with_masks(self, lessons: Sequence[Lesson]) -> list[Adapter]:
        """Adapters with a support: eq. 18, from the gradient of the first mini-batch at B = 0."""
        adapters = [lesson.adapter for lesson in lessons]
        blank = [
            number
            for number, adapter in enumerate(adapters)
            if adapter.support is not None and adapter.support.numel() == 0
        ]
        if not (blank and self.settings.masked):
            return adapters
        stack = _Stack(
            self.layout, [adapters[n] for n in blank], self.dtype, self.device, self.settings
        )
        self._gradients(stack, [lessons[n].batches[0] for n in blank])
        for row, number in enumerate(blank):
            support = top_gradient_support(
                self.layout, stack.expansion.read_gradient(row).float().cpu(), self.settings.density
            )
            values = torch.zeros(support.numel())
            adapters[number] = Adapter(values, support, adapters[number].projection)
        return adapters

    def _gradients(self, stack: _Stack, batches: Sequence[Sequence[Encoded]]) -> Tensor:
        """Leaves every device's own gradient in the stack; returns the losses (G,) in nats."""
        size = max(len(batch) for batch in batches)
        rows = [row for batch in batches for row in [*batch, *[None] * (size - len(batch))]]
        tokens = token_rows(rows, self.device)
        stack.clear_gradients()
        with self.model.adapters(stack.pairs, self.settings.scale):
            hidden = self.model.hidden(tokens.input_ids)
        scored = hidden.reshape(-1, hidden.shape[-1]).index_select(0, tokens.positions)
        nats = functional.cross_entropy(self.model.logits(scored), tokens.targets, reduction="none")
        owner = tokens.row // size
        counts = torch.bincount(owner, minlength=len(batches))
        per_device = torch.zeros(len(batches), device=self.device).index_add(0, owner, nats)
        per_device = per_device / counts
        # The devices share no trained value, so the gradient of the sum is each one's own.
        per_device.sum().backward()
        return per_device.detach().cpu().double()


class _Stack:
    """Working copies of a group's adapters in the model's dtype for the passes, and float32
    masters of the trained values for the optimiser."""

    def __init__(
        self,
        layout: Layout,
        adapters: Sequence[Adapter],
        dtype: torch.dtype,
        device: torch.device,
        settings: TrainingSettings,
    ) -> None:
        self._start = adapters
        self._projected = settings.trainable_projection
        self.expansion = GroupedParameter(
            len(adapters), layout.expansion_shapes, dtype=dtype, device=device, trained=True
        )
        self.projection = GroupedParameter(
            len(adapters),
            layout.projection_shapes,
            dtype=dtype,
            device=device,
            trained=self._projected,
        )
        self.pairs = list(zip(self.projection.blocks, self.expansion.blocks, strict=True))
        self._positions = [
            None if a.support is None else self.expansion.positions(row, a.support)
            for row, a in enumerate(adapters)
        ]
        for row, adapter in enumerate(adapters):
            self.projection.write(row, adapter.projection.to(device))
        self._masters = [self._trained(a).to(device).requires_grad_() for a in adapters]
        self._optimisers = [
            _optimiser(master, adapter.moments, settings)
            for master, adapter in zip(self._masters, adapters, strict=True)
        ]
        self._write_back()

    def clear_gradients(self) -> None:
        for factor in (self.expansion, self.projection):
            if factor.gradient is not None:
                factor.gradient.zero_()

    def optimiser_step(self) -> None:
        for row, (master, optimiser) in enumerate(
            zip(self._masters, self._optimisers, strict=True)
        ):
            positions = self._positions[row]
            if positions is None:
                gradient = self.expansion.read_gradient(row)
            else:
                assert self.expansion.gradient is not None
                gradient = self.expansion.gradient.index_select(0, positions)
            if self._projected:
                gradient = torch.cat([gradient, self.projection.read_gradient(row)])
            master.grad = gradient.float()
            optimiser.step()
        self._write_back()

    def adapters(self) -> list[Adapter]:
        """The trained adapters, on the CPU."""
        out = []
        for start, master, optimiser in zip(
            self._start, self._masters, self._optimisers, strict=True
        ):
            values = master.detach().cpu().clone()
            projection = start.projection
            if self._projected:
                cut = values.numel() - projection.numel()
                values, projection = values[:cut].clone(), values[cut:].clone()
            out.append(Adapter(values, start.support, projection, _moments(master, optimiser)))
        return out

    def _trained(self, adapter: Adapter) -> Tensor:
        if self._projected:
            return torch.cat([adapter.values, adapter.projection])
        return adapter.values.clone()

    @torch.no_grad()
    def _write_back(self) -> None:
        for row, (start, master) in enumerate(zip(self._start, self._masters, strict=True)):
            values: Tensor = master.detach()
            if self._projected:
                cut = values.numel() - start.projection.numel()
                self.projection.write(row, values[cut:])
                values = values[:cut]
            positions = self._positions[row]
            if positions is None:
                self.expansion.write(row, values)
            else:
                self.expansion.buffer.index_copy_(
                    0, positions, values.to(self.expansion.buffer.dtype)
                )


def _optimiser(
    master: Tensor, moments: Moments | None, settings: TrainingSettings
) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            [master], lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    optimiser = torch.optim.AdamW(
        [master], lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    if moments is not None:
        optimiser.state[master] = {
            "step": torch.tensor(float(moments.steps), device=master.device),
            "exp_avg": moments.first.to(master.device, copy=True),
            "exp_avg_sq": moments.second.to(master.device, copy=True),
        }
    return optimiser


def _moments(master: Tensor, optimiser: torch.optim.Optimizer) -> Moments | None:
    state = optimiser.state.get(master)
    if not state or "exp_avg" not in state:
        return None
    return Moments(
        int(state["step"].item()), state["exp_avg"].cpu().clone(), state["exp_avg_sq"].cpu().clone()
    )
