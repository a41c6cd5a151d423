"""A Llama or Qwen2 model on packed rows, with adapters by group of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cosim.learning.base.packed_llama.block import differentiable, forward
from cosim.learning.base.packed_llama.continuation import Continuation, KeysAndValues
from cosim.learning.base.packed_llama.geometry import kept_tokens, plan, plan_of_single_tokens
from cosim.learning.base.packed_llama.saved import Kept, Mix, Pair, Setting
from cosim.learning.base.packed_llama.weights import PLACES, ModelWeights, weights_of
from cosim.learning.data.packing import PackedRows
from cosim.methods.layout import AdaptedModule


class LeanModel:
    """A lean model has the transformer blocks of a model that is known exactly, without padding.

    A pass computes what the transformers model computes on each row alone, up to the order of
    sums, and shares its weights.
    """

    def __init__(self, weights: ModelWeights) -> None:
        self.weights = weights

    @classmethod
    def of(cls, model: Any, modules: Sequence[AdaptedModule]) -> LeanModel | None:
        """From a transformers model with adapted modules, wrapped already or not.

        None where the model is no Llama or Qwen2 or has an option that is not known here.
        """
        weights = weights_of(model, modules)
        return None if weights is None else cls(weights)

    def scored(
        self,
        packed: PackedRows,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        scale: float,
        mix: Mix | None = None,
    ) -> Tensor:
        """Last hidden states (P, h) at `packed.scored`, after the final norm.

        pairs: A (G, r, k), or (1, r, k) for all, and B (G, d, r) of each module, G the groups of
        `packed`; the states are differentiable by those that require it. mix: from the ranks z
        (n, R) and the tokens' row numbers (n,) to what B is multiplied with, without gradients.
        """
        geometry = plan(packed, self.weights)
        index, position = packed.scored.unique(return_inverse=True)
        kept = Kept(index, kept_tokens(packed, index))
        x = self._embedded(packed)
        last_block = self.weights.blocks[-1]
        graded = torch.is_grad_enabled() and mix is None
        for block in self.weights.blocks:
            setting = Setting(block, geometry, scale, kept if block is last_block else None, mix)
            factors = _own(setting, pairs)
            x = differentiable(x, setting, factors) if graded else forward(x, setting, factors)[0]
        return self._normed(x).index_select(0, position)

    @torch.no_grad()
    def begun(
        self,
        packed: PackedRows,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        scale: float,
        mix: Mix | None,
        places: int,
    ) -> tuple[Tensor, Continuation]:
        """The last hidden states (P, h) as `scored`, and the rows, of one group, to be read on up
        to so many places."""
        geometry = plan(packed, self.weights)
        tokens, rows = packed.whole_rows()
        depths, memories = packed.depths[tokens], []
        x = self._embedded(packed)
        for block in self.weights.blocks:
            setting = Setting(block, geometry, scale, mix=mix)
            x, trace = forward(x, setting, _own(setting, pairs))
            keys, values = trace.heads[tokens, self.weights.heads :], trace.values[tokens]
            memories.append(KeysAndValues.of(keys, values, rows, depths, places))
        lengths = rows.bincount()
        numbers = torch.arange(len(lengths), device=rows.device)
        hidden = self._normed(x.index_select(0, packed.scored))
        return hidden, Continuation(memories, lengths, numbers, pairs, scale, mix)

    @torch.no_grad()
    def read_on(self, ids: Tensor, rows: Continuation) -> Tensor:
        """The last hidden states (n, h) at one more token of each of n rows."""
        depths, rows.lengths = rows.lengths, rows.lengths + 1
        geometry = plan_of_single_tokens(depths, rows.numbers, self.weights)
        x = functional.embedding(ids, self.weights.embedding)
        for block, memory in zip(self.weights.blocks, rows.memories, strict=True):
            attend = partial(memory.attended, depths=depths)
            setting = Setting(block, geometry, rows.scale, mix=rows.mix, attend=attend)
            x = forward(x, setting, _own(setting, rows.pairs))[0]
        return self._normed(x)

    @torch.no_grad()
    def states(self, packed: PackedRows, blocks: Sequence[int]) -> list[Tensor]:
        """The hidden states (N, h) that each of these blocks reads, without adapters.

        The number after the last block's: what the final norm reads.
        """
        geometry = plan(packed, self.weights)
        x = self._embedded(packed)
        states = {0: x}
        for number in range(max(blocks, default=0)):
            setting = Setting(self.weights.blocks[number], geometry)
            x = forward(x, setting, _own(setting, None))[0]
            if number + 1 in blocks:
                states[number + 1] = x
        return [states[number] for number in blocks]

    @torch.no_grad()
    def walk(self, packed: PackedRows, see: Callable[[int, Tensor, Tensor], None]) -> None:
        """Calls `see(module's number, W0, x (N, k))` before every adapted module, no adapter set.

        Ends with the block of the last one.
        """
        geometry = plan(packed, self.weights)
        x = self._embedded(packed)
        adapted = [any(p.number is not None for p in b.products) for b in self.weights.blocks]
        while adapted and not adapted[-1]:
            adapted.pop()
        for block in self.weights.blocks[: len(adapted)]:
            setting = Setting(block, geometry, see=see)
            x = forward(x, setting, _own(setting, None))[0]

    def _normed(self, x: Tensor) -> Tensor:
        """What the output head reads."""
        norm = self.weights.norm
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        rate = torch.rsqrt(wide.square().mean(-1, keepdim=True) + norm.epsilon)
        return (wide * rate).to(x.dtype) * norm.weight

    def _embedded(self, packed: PackedRows) -> Tensor:
        return functional.embedding(packed.ids, self.weights.embedding)


def _own(setting: Setting, pairs: Sequence[tuple[Tensor, Tensor]] | None) -> list[Pair]:
    """The factors of one block by place."""
    if pairs is None:
        return [None] * len(PLACES)
    numbers = [product.number for product in setting.block.products]
    return [None if number is None else pairs[number] for number in numbers]
