"""Causal attention of packed rows, bucket by bucket."""

from __future__ import annotations

import torch
from torch import Tensor

from cosim.learning.base.packed_llama.geometry import Bucket, PassPlan, Stems


def attended(
    heads: Tensor, values: Tensor, plan: PassPlan, *, keep: bool = False
) -> tuple[Tensor, Tensor | None]:
    """softmax(q·kᵀ/√size + mask)·v: heads (N + 1, H + K, size) of queries and keys, values
    (N + 1, K, size), both zero for the last → (N, H·size).

    keep: for the gradient; the weights of those buckets that keep theirs come second.
    """
    groups = values.shape[1]
    queries, keys, spread = _spread(heads, values, plan)
    store = queries.new_empty(plan.weights) if keep and plan.weights else None
    out = torch.empty_like(queries)
    for bucket in plan.buckets:
        q, o = (_part(t, bucket.queries, bucket, groups) for t in (queries, out))
        k, v = (_part(t, bucket.keys, bucket, groups) for t in (keys, spread))
        weights = _softmax(q, k, bucket)
        part = _kept(store, q, k, bucket)
        weights = weights.to(q.dtype) if part is None else part.copy_(weights)
        torch.bmm(weights, v, out=o)
    return out.index_select(0, plan.outputs_back).view(heads.shape[0] - 1, -1), store


def attention_gradient(
    d_out: Tensor, heads: Tensor, values: Tensor, store: Tensor | None, plan: PassPlan
) -> tuple[Tensor, Tensor]:
    """Gradients (N, H + K, size) of queries and keys and (N, K, size) of values; d_out
    (N + 1, H·size), zero for the last, and the weights that `attended` has kept."""
    size, groups = heads.shape[-1], values.shape[1]
    queries, keys, spread = _spread(heads, values, plan)
    d_spread = d_out.view(-1, size).index_select(0, plan.outputs)
    # One more of each, zero: the copies that a stem does not have.
    d_heads = queries.new_empty(plan.heads.numel() + 1, size)
    d_queries, d_keys = d_heads.tensor_split([queries.shape[0]])
    d_values = spread.new_empty(spread.shape[0] + 1, size)
    d_keys[-1] = d_values[-1] = 0
    for bucket in plan.buckets:
        asking, sides = (queries, d_spread, d_queries), (keys, spread, d_keys, d_values)
        q, do, dq = (_part(t, bucket.queries, bucket, groups) for t in asking)
        k, v, dk, dv = (_part(t, bucket.keys, bucket, groups) for t in sides)
        weights = _kept(store, q, k, bucket)
        if weights is None:
            weights = _softmax(q, k, bucket).to(q.dtype)
        torch.bmm(weights.transpose(1, 2), do, out=dv)
        d_scores = torch._softmax_backward_data(
            torch.bmm(do, v.transpose(1, 2)), weights, -1, weights.dtype
        )
        torch.baddbmm(dq, d_scores, k, beta=0, alpha=size**-0.5, out=dq)
        torch.baddbmm(dk, d_scores.transpose(1, 2), q, beta=0, alpha=size**-0.5, out=dk)
    count = heads.shape[0] - 1
    back = d_heads.index_select(0, plan.heads_back).view(count, -1, size)
    values_back = d_values.index_select(0, plan.values_back).view(count, -1, size)
    if plan.stems is not None:
        _sum_copies(d_keys, plan.stems, back[:, -groups:])
        _sum_copies(d_values, plan.stems, values_back)
    return back, values_back


def _sum_copies(copies: Tensor, stems: Stems, out: Tensor) -> None:
    """Sets the gradients of the stems' tokens, of (N, K, size), to the sums over all rows."""
    size = copies.shape[-1]
    wide = torch.promote_types(copies.dtype, torch.float32)
    every = copies.index_select(0, stems.copies.flatten())
    summed = every.view(stems.tokens.numel(), -1, stems.copies.shape[1], size).sum(2, dtype=wide)
    out.index_copy_(0, stems.tokens, summed.to(copies.dtype))


def _spread(heads: Tensor, values: Tensor, plan: PassPlan) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values in the order of the buckets."""
    size = heads.shape[-1]
    both = heads.view(-1, size).index_select(0, plan.heads)
    queries, keys = both.split([plan.outputs.numel(), plan.values.numel()])
    return queries, keys, values.view(-1, size).index_select(0, plan.values)


def _part(spread: Tensor, where: slice, bucket: Bucket, groups: int) -> Tensor:
    """One bucket's heads as (rows·K, ·, size): heads a key·T queries, or S + T keys."""
    return spread[where].view(bucket.rows * groups, -1, spread.shape[-1])


def _kept(store: Tensor | None, q: Tensor, k: Tensor, bucket: Bucket) -> Tensor | None:
    """The bucket's part of the weights that are kept, (rows·K, heads a key·T, S + T)."""
    if store is None or bucket.weights is None:
        return None
    return store[bucket.weights].view(q.shape[0], q.shape[1], k.shape[1])


def _softmax(q: Tensor, k: Tensor, bucket: Bucket) -> Tensor:
    """softmax(q·kᵀ/√size + mask) (rows·K, heads a key·T, S + T), in float32 or wider."""
    scores = q.new_empty(q.shape[0], q.shape[1], k.shape[1])
    torch.baddbmm(scores, q, k.transpose(1, 2), beta=0, alpha=q.shape[-1] ** -0.5, out=scores)
    scores.view(bucket.rows, -1, bucket.length, k.shape[1]).add_(bucket.mask)
    # In bfloat16 throughout the softmax is several times slower, besides less exact.
    return torch.softmax(scores, -1, dtype=torch.promote_types(q.dtype, torch.float32))
