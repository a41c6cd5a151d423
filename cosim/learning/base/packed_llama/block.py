"""One transformer block on packed rows, as one function to autograd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cosim.learning.base.packed_llama import low_rank
from cosim.learning.base.packed_llama.attention import attended
from cosim.learning.base.packed_llama.backward import Gradient
from cosim.learning.base.packed_llama.geometry import Tokens
from cosim.learning.base.packed_llama.norm_and_rotation import normalised, rotated
from cosim.learning.base.packed_llama.saved import Pair, Setting, Trace


def forward(
    x: Tensor, setting: Setting, pairs: Sequence[Pair], *, graded: bool = False
) -> tuple[Tensor, Trace]:
    """The block's output (m, h) for its input x (n, h); graded: the trace is for a gradient."""
    block, plan = setting.block, setting.plan
    count, late = x.shape[0], setting.late
    size = plan.cos.shape[-1]
    ranks: list[Tensor | None] = []

    def product(place: int, inputs: Tensor, tokens: Tokens, out: Tensor | None = None) -> Tensor:
        part, pair = block.products[place], pairs[place]
        if setting.see is not None and part.number is not None:
            setting.see(part.number, part.weight, inputs)
        y = part.of(inputs, out)
        z = None
        if pair is not None:
            A, B = pair
            z = low_rank.ranks(inputs, A, tokens)
            if setting.mix is not None:
                z = setting.mix(z, tokens.rows)
            low_rank.add_expanded(y, z, B, tokens, setting.scale)
        ranks.append(z)
        return y

    widths = [part.weight.shape[0] for part in block.products[:3]]
    normed, rate = normalised(x, block.attention_norm)
    flat = x.new_empty(count, widths[0] + widths[1])
    values = x.new_empty(count + 1, widths[2])
    product(0, normed, plan.tokens, flat[:, : widths[0]])
    product(1, normed, plan.tokens, flat[:, widths[0] :])
    product(2, normed, plan.tokens, values[:count])
    heads = x.new_empty(count + 1, flat.shape[1] // size, size)
    rotated(flat.view(count, -1, size), plan.cos, plan.sin, heads[:count])
    heads[count:] = values[count:] = 0
    values = values.view(count + 1, -1, size)
    if setting.attend is None:
        mixed, weights = attended(heads, values, plan, keep=graded)
    else:
        mixed, weights = setting.attend(heads[:count], values[:count]), None
    if setting.kept is not None:
        mixed, x = mixed[setting.kept.index], x[setting.kept.index]
    middle = product(3, mixed, late).add_(x)
    normed, middle_rate = normalised(middle, block.mlp_norm)
    gate = product(4, normed, late)
    up = product(5, normed, late)
    out = product(6, functional.silu(gate).mul_(up), late).add_(middle)
    trace = Trace(rate, heads, values, weights, mixed, middle, middle_rate, gate, up, ranks)
    return out, trace


class _Function(torch.autograd.Function):
    """A block to autograd: differentiable by its input and by the factors that ask for it."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, setting: Setting, sums: Sequence[Tensor | None], *factors: Any
    ) -> Tensor:
        out, trace = forward(x, setting, _paired(factors), graded=True)
        ctx.setting, ctx.sums = setting, sums
        # The output of the attention is only read by the gradient of o_proj's A.
        if not ctx.needs_input_grad[3 + 2 * 3]:
            trace.mixed = None
        ctx.save_for_backward(x, *trace.tensors(), *factors)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, *tensors = ctx.saved_tensors
        split = len(tensors) - 2 * len(ctx.setting.block.products)
        trace, pairs = Trace.of(tensors[:split]), _paired(tensors[split:])
        needs = ctx.needs_input_grad
        factor_needs = list(zip(needs[3::2], needs[4::2], strict=True))
        gradient = Gradient(ctx.setting, pairs, trace, factor_needs, ctx.sums)
        dx = gradient.through(x, grads[0].contiguous(), needs[0])
        return dx, None, None, *gradient.factors


def differentiable(x: Tensor, setting: Setting, pairs: Sequence[Pair]) -> Tensor:
    """The block's output (m, h), which autograd can go back from.

    A leaf that has a gradient already gets its new one added to that, as by `backward()`, whoever
    asks: `torch.autograd.grad` does not see it.
    """
    factors = [factor for pair in pairs for factor in (pair or (None, None))]
    sums = [f.grad if f is not None and f.is_leaf else None for f in factors]
    out: Tensor = _Function.apply(x, setting, sums, *factors)
    return out


def _paired(factors: Sequence[Tensor | None]) -> list[Pair]:
    return [
        None if A is None or B is None else (A, B)
        for A, B in zip(factors[::2], factors[1::2], strict=True)
    ]
