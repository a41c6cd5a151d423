"""Devices of a lower rank than the federation's: what they hold, say and hear of its factors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cosim.methods.adapter import Adapter
from cosim.methods.codec.slot import Codec
from cosim.methods.layout import Layout
from cosim.methods.message import Blocks, Mask, Message, Said, Turn
from cosim.methods.state import DeviceState


class OwnRank:
    """A device's rank r_i is at most the federation's r: of r directions it has the first r_i.

    Zero padding after HetLoRA (arXiv 2401.06432): rows of A and columns of B beyond r_i are zero,
    and stay so while the device trains, since each has the other's as a factor of its gradient.
    What it says and stores has no padding; who hears it pads; and what it has mixed is trimmed. Its
    scale is the federation's α/r, so that padded products add up. Ours: nobody prunes a rank, and
    there is no server.

    common: the federation's layout, of rank r. layout: the device's own, of rank r_i.
    """

    def __init__(self, common: Layout, rank: int) -> None:
        self.common, self.layout = common, common.of_rank(rank)

    @property
    def whole(self) -> bool:
        """Whether it is the federation's, so that there is nothing to pad or to trim."""
        return self.layout.rank == self.common.rank

    def narrowed(self, name: str, factor: Tensor) -> Tensor:
        """The device's own values (n_i,) of a flat factor "A" or "B" of the federation's (n,)."""
        if self.whole:
            return factor
        return torch.cat([part.flatten() for part in self._own(name, factor)])

    def widened(self, name: str, factor: Tensor) -> Tensor:
        """A flat factor of the device's own (n_i,) padded by zeros to the federation's (n,)."""
        if self.whole:
            return factor
        flat = factor.new_zeros(sum(_sizes(name, self.common)))
        values = factor.split(_sizes(name, self.layout))
        for place, part in zip(self._own(name, flat), values, strict=True):
            place.copy_(part.view(place.shape))
        return flat

    def trimmed(self, name: str, factor: Tensor) -> Tensor:
        """A flat factor of the federation's with zeros beyond the device's rank."""
        return factor if self.whole else self.widened(name, self.narrowed(name, factor))

    def _own(self, name: str, factor: Tensor) -> list[Tensor]:
        """Views of what is the device's own in a flat factor of the federation's, by module."""
        rank = self.layout.rank
        parts = factor.split(_sizes(name, self.common))
        if name == "A":
            shapes = self.common.projection_shapes
            return [part.view(shape)[:rank] for part, shape in zip(parts, shapes, strict=True)]
        shapes = self.common.expansion_shapes
        return [part.view(shape)[:, :rank] for part, shape in zip(parts, shapes, strict=True)]

    def own_part(self, adapter: Adapter) -> Adapter:
        """The device's adapter without the padding."""
        if self.whole:
            return adapter
        return replace(
            adapter,
            values=self.narrowed("B", adapter.values),
            projection=self.narrowed("A", adapter.projection),
        )

    def said(self, content: Sequence[Said]) -> tuple[Said, ...]:
        """What the device says, without the padding."""
        return tuple(content) if self.whole else _replaced(content, self.narrowed)

    def heard(self, message: Message) -> Message:
        """A message of this device as whoever hears it mixes it, padded."""
        if self.whole:
            return message
        return replace(message, content=_replaced(message.content, self.widened))

    def settled(
        self, codec: Codec, before: DeviceState, mixed: DeviceState, turn: Turn
    ) -> DeviceState:
        """The device's state once it has mixed and its codec has settled, trimmed; a factor that
        was not mixed stays the tensor that it was."""
        if self.whole:
            return codec.settle(before, mixed, turn)
        narrow: dict[tuple[str, int], Tensor] = {}

        def own(name: str, factor: Tensor) -> Tensor:
            return narrow.setdefault((name, id(factor)), self.narrowed(name, factor))

        def cut(state: DeviceState) -> DeviceState:
            B, A = state.adapter.values, state.adapter.projection
            return state.with_adapter(values=own("B", B), projection=own("A", A))

        def padded(name: str, new: Tensor, old: Tensor) -> Tensor:
            return old if new is own(name, old) else self.widened(name, new)

        settled, old = codec.settle(cut(before), cut(mixed), turn), before.adapter
        return settled.with_adapter(
            values=padded("B", settled.adapter.values, old.values),
            projection=padded("A", settled.adapter.projection, old.projection),
        )


def _replaced(content: Sequence[Said], change: Callable[[str, Tensor], Tensor]) -> tuple[Said, ...]:
    """Content whose factors are changed, by their names."""
    return tuple(
        replace(part, values=change(part.name, part.values))
        if part.name in ("A", "B") and not isinstance(part, Mask | Blocks)
        else part
        for part in content
    )


def _sizes(name: str, layout: Layout) -> list[int]:
    return layout.projection_sizes if name == "A" else layout.expansion_sizes
