"""A message's content through the method's codec: its form by shape alone, and as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cosim.methods.adapter import Adapter
from cosim.methods.codec.slot import Codec, Coding, Memory
from cosim.methods.layout import Layout
from cosim.methods.message import Blocks, Said, Turn, Values, as_transmitted


def formed(
    codec: Codec, content: Sequence[Said], layout: Layout, kept: Sequence[int], memory: Memory
) -> tuple[Said, ...]:
    """Content as it goes on the air next, with or without values.

    kept: positions of each module in B's mask (L,); memory: the codec's.
    """
    return tuple(
        codec.form(item, counts, memory) if isinstance(item, Values) and counts else item
        for item, counts in _factors(content, layout, kept)
    )


def read(
    codec: Codec,
    content: Sequence[Said],
    layout: Layout,
    kept: Sequence[int],
    memory: Memory,
    at: Speech,
) -> tuple[tuple[Said, ...], Memory]:
    """Content as whoever hears it reads it, and what the codec remembers once it is said.

    What is neither A nor B is in the scenario's precision.
    """
    out: list[Said] = []
    for item, counts in _factors(content, layout, kept):
        if isinstance(item, Values) and counts:
            heard, memory = codec.read(item, memory, at.coding(item, counts))
            out.append(heard)
        elif isinstance(item, Values):
            out.append(replace(item, values=as_transmitted(item.values, at.bits_per_value)))
        else:
            out.append(item)
    return tuple(out), memory


class Speech:
    """A speech is one turn in which a device says something.

    first_projection: the A that every receiver knows from the start; None where each device has
        one of its own.
    draw: gives a factor's generator by its name.
    speaks: whether it is put on the air, and not the device's own mixture alone.
    """

    def __init__(
        self,
        turn: Turn,
        bits_per_value: int,
        first_projection: Tensor | None,
        draw: Callable[[str], np.random.Generator],
        *,
        speaks: bool,
    ) -> None:
        self.turn, self.bits_per_value, self.speaks = turn, bits_per_value, speaks
        self.first_projection, self.draw = first_projection, draw

    def coding(self, factor: Values, counts: Sequence[int]) -> Coding:
        """What a codec may ask of a factor; counts: its values by module (L,)."""
        known = self.first_projection if factor.name == "A" else None
        first = torch.zeros_like(factor.values) if known is None else known
        return Coding(
            self.turn,
            counts,
            self.bits_per_value,
            first,
            lambda: self.draw(factor.name),
            self.speaks,
        )


def spoken_in(turn: Turn) -> Turn:
    """The turn that an answer belongs to: a device speaks in it, or answers, and not both."""
    return Turn(turn.round, turn.mixing)


def _factors(
    content: Sequence[Said], layout: Layout, kept: Sequence[int]
) -> Iterator[tuple[Said, Sequence[int]]]:
    """Everything that is said, with the values of a factor that is said every time, by the modules
    that it holds; none of anything else."""
    numbers: Sequence[int] = range(len(layout.modules))
    for blocks in (item for item in content if isinstance(item, Blocks)):
        numbers = layout.in_last(blocks.reached)
    sizes = {"A": layout.projection_sizes, "B": kept}
    counts_of = {name: [of_all[number] for number in numbers] for name, of_all in sizes.items()}
    for item in content:
        counts = counts_of.get(item.name, ()) if not item.once else ()
        whole = isinstance(item, Values) and item.values.numel() == sum(counts)
        yield item, counts if whole else ()


def as_banked(expert: Adapter, bits_per_value: int) -> Adapter:
    """An expert in the scenario's precision; the same one where it is already."""
    values, projection = (
        coarse if not torch.equal(coarse := as_transmitted(part, bits_per_value), part) else part
        for part in (expert.values, expert.projection)
    )
    if values is expert.values and projection is expert.projection:
        return expert
    return replace(expert, values=values, projection=projection)
