"""The backward pass of a transformer block, written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cosim.learning.base.packed_llama import low_rank
from cosim.learning.base.packed_llama.attention import attention_gradient
from cosim.learning.base.packed_llama.geometry import Tokens
from cosim.learning.base.packed_llama.norm_and_rotation import (
    norm_gradient,
    normalised_again,
    rotated,
)
from cosim.learning.base.packed_llama.saved import Pair, Setting, Trace
from cosim.learning.base.packed_llama.weights import Norm


class Gradient:
    """This computes the gradients of one block's factors and of its input.

    wanted: of A and of B, by place. factors: what was found, A and B in turn; where `sums` has a
    tensor, the gradient of all passes so far, it is added to that in place and not returned, which
    saves a buffer of all adapters' size in every pass.
    """

    def __init__(
        self,
        setting: Setting,
        pairs: Sequence[Pair],
        trace: Trace,
        needs: Sequence[tuple[bool, bool]],
        sums: Sequence[Tensor | None],
    ) -> None:
        self.setting, self.pairs, self.trace = setting, pairs, trace
        self._needs, self.sums = needs, sums
        self.factors: list[Tensor | None] = [None] * (2 * len(pairs))

    def through(self, x: Tensor, dy: Tensor, further: bool) -> Tensor | None:
        """Fills `factors` from dy (m, h), that of the output; gives dx (n, h) if it goes on."""
        d_middle = self._through_mlp(dy)
        block, plan, trace = self.setting.block, self.setting.plan, self.trace
        kept = self.setting.kept
        count, size = x.shape[0], plan.cos.shape[-1]
        d_out = x.new_zeros(count + 1, block.products[3].weight.shape[1])
        if kept is None:
            self._product(3, d_middle, trace.mixed, self.setting.late, d_out[:count])
        else:
            d_out[kept.index] = self._product(3, d_middle, trace.mixed, kept.tokens)
            d_middle = torch.zeros_like(x).index_copy_(0, kept.index, d_middle)
        d_heads, d_values = attention_gradient(
            d_out, trace.heads, trace.values, trace.weights, plan
        )
        queries = d_out.shape[1] // size
        d_query, d_key = (
            # Turned apart, each lies in one piece: products of gradients with gaps are slow.
            rotated(part, plan.cos, -plan.sin).flatten(1)
            for part in d_heads.tensor_split([queries], 1)
        )
        inputs = self._again(x, trace.rate, block.attention_norm, (0, 1, 2))
        d_read = torch.empty_like(x) if further else None
        for place, d_part in enumerate((d_query, d_key, d_values.flatten(1))):
            self._product(place, d_part, inputs, plan.tokens, d_read, further, add=place > 0)
        if d_read is None:
            return None
        return norm_gradient(d_read, x, trace.rate, block.attention_norm, d_middle)

    def _through_mlp(self, dy: Tensor) -> Tensor:
        block, trace, late = self.setting.block, self.trace, self.setting.late
        active = functional.silu(trace.gate)
        inputs = active * trace.up if self._needs[6][0] else None
        d_active = self._product(6, dy, inputs, late)
        d_up = active.mul_(d_active)
        d_gate = torch.ops.aten.silu_backward(d_active.mul_(trace.up), trace.gate)
        inputs = self._again(trace.middle, trace.middle_rate, block.mlp_norm, (4, 5))
        d_read = self._product(4, d_gate, inputs, late)
        self._product(5, d_up, inputs, late, d_read, add=True)
        return norm_gradient(d_read, trace.middle, trace.middle_rate, block.mlp_norm, dy)

    def _again(self, x: Tensor, rate: Tensor, norm: Norm, places: Sequence[int]) -> Tensor | None:
        """What the products at these places read, where the gradient of an A asks for it."""
        if any(self._needs[place][0] for place in places):
            return normalised_again(x, rate, norm)
        return None

    def _product(
        self,
        place: int,
        dy: Tensor,
        inputs: Tensor | None,
        tokens: Tokens,
        out: Tensor | None = None,
        further: bool = True,
        *,
        add: bool = False,
    ) -> Tensor:
        """dx = W0ᵀ·dy + scale·Aᵀ·Bᵀ·dy, into `out` or added to it; keeps the factors' gradients."""
        weight = self.setting.block.products[place].weight
        if out is None:
            out = dy.new_empty(dy.shape[0], weight.shape[1])
        if further and add:
            out.addmm_(dy, weight)
        elif further:
            torch.mm(dy, weight, out=out)
        pair, z = self.pairs[place], self.trace.ranks[place]
        if pair is None or z is None:
            return out
        A, B = pair
        for_A, for_B = self._needs[place]
        if for_B:
            dB = self._sum(2 * place + 1, B)
            low_rank.add_expansion_gradient(dB, dy, z, tokens, self.setting.scale)
        if for_A or further:
            dz = low_rank.ranks_gradient(dy, B, tokens, self.setting.scale)
            if for_A:
                assert inputs is not None
                low_rank.add_projection_gradient(self._sum(2 * place, A), dz, inputs, tokens)
            if further:
                low_rank.add_projected(out, dz, A, tokens)
        return out

    def _sum(self, number: int, factor: Tensor) -> Tensor:
        """What a factor's gradient is added to."""
        total = self.sums[number]
        if total is not None:
            return total
        fresh = torch.zeros_like(factor, memory_format=torch.contiguous_format)
        self.factors[number] = fresh
        return fresh
