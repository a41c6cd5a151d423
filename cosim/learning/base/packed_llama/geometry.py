"""What all blocks of one pass share: groups, rotations, and which tokens attend to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from cosim.learning.base.packed_llama.weights import ModelWeights
from cosim.learning.data.packing import PackedRows

# Attention weights of one product at most, but for one row: they stay in the processor's cache.
_WEIGHTS_AT_ONCE = 2**21
# Rows up to this length keep their attention weights for the backward pass: a fifth more memory.
KEPT_LENGTH = 128


@dataclass(frozen=True)
class Bucket:
    """A bucket is rows of nearly one length, padded on the right to the longest, that continue
    stems of one length, or none: T queries a row, and S + T keys, the stem's first.

    rows: how many.
    length: T.
    stem: S, 0 where they continue none.
    queries, keys: where they lie among those of all buckets, heads and padding included.
    mask: 0 or -∞, (T, S + T), or (rows, 1, T, S + T) where rows differ in what their tokens see.
    weights: where its attention weights lie among those that are kept, None where they are not.
    """

    rows: int
    length: int
    stem: int
    queries: slice
    keys: slice
    mask: Tensor
    weights: slice | None


@dataclass(frozen=True)
class Stems:
    """Stems say where the gradients of keys and values of tokens lie that several rows begin with.

    tokens: (t,).
    copies: (t·K, C) by token and head: where those of its own row and of all that continue it lie
        among the keys of the buckets; the number of all keys, where a zero is to lie, in place of
        those that fewer rows do not have.
    """

    tokens: Tensor
    copies: Tensor


@dataclass(frozen=True)
class Tokens:
    """These are some n tokens of a pass, in order.

    bounds: the groups' first tokens among them and n.
    rows: the number of each token's row (n,).
    """

    bounds: tuple[int, ...]
    rows: Tensor

    @cached_property
    def sizes(self) -> list[int]:
        """Tokens by group."""
        return [end - start for start, end in pairwise(self.bounds)]

    @cached_property
    def equal(self) -> bool:
        """Whether all groups have equally many tokens, and at least one."""
        return len(set(self.sizes)) == 1 and self.sizes[0] > 0


@dataclass(frozen=True)
class PassPlan:
    """A pass plan is the geometry of one pass of N tokens.

    Every token has H queries and after them K keys, K values and H outputs; token N is padding.

    tokens: all N of them.
    cos, sin: (N, 1, head_size), the first half of sin negated.
    buckets: the rows by stem and length.
    heads, values, outputs: which of them lie in the buckets, (rows, heads, tokens) one after
        another, all keys after all queries.
    heads_back, values_back, outputs_back: where in the buckets those of each token lie, of a stem
        in its own row.
    stems: None where no row continues one.
    """

    tokens: Tokens
    cos: Tensor
    sin: Tensor
    buckets: tuple[Bucket, ...]
    heads: Tensor
    values: Tensor
    outputs: Tensor
    heads_back: Tensor
    values_back: Tensor
    outputs_back: Tensor
    stems: Stems | None

    @property
    def weights(self) -> int:
        """Attention weights of a block that are kept."""
        return max((bucket.weights.stop for bucket in self.buckets if bucket.weights), default=0)


def plan(packed: PackedRows, weights: ModelWeights) -> PassPlan:
    """The geometry of one pass."""
    device = packed.ids.device
    buckets, places = _buckets(packed, weights)
    asking = [place[:, bucket.stem :] for place, bucket in zip(places, buckets, strict=True)]
    count, stem_lengths = packed.ids.numel(), [bucket.stem for bucket in buckets]
    together = weights.heads + weights.key_heads
    queries = _gather(asking, together, range(weights.heads))
    keys = _gather(places, together, range(weights.heads, together))
    outputs = _gather(asking, weights.heads, range(weights.heads))
    values = _gather(places, weights.key_heads, range(weights.key_heads))
    outputs_back = _back(outputs, [0] * len(stem_lengths), count, weights.heads)
    values_back = _back(values, stem_lengths, count, weights.key_heads)
    query_count = sum(part.numel() for part in outputs)
    cos, sin = rotation(packed.depths, weights)

    def flat(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat([part.reshape(-1) for part in parts]).to(device)

    return PassPlan(
        Tokens(packed.bounds, packed.rows),
        cos,
        sin,
        buckets,
        flat([*queries, *keys]),
        flat(values),
        flat(outputs),
        torch.cat([outputs_back, values_back + query_count], 1).flatten().to(device),
        values_back.flatten().to(device),
        outputs_back.flatten().to(device),
        _stems(values, stem_lengths, values_back, device),
    )


def plan_of_single_tokens(depths: Tensor, rows: Tensor, weights: ModelWeights) -> PassPlan:
    """The geometry of a token a row, all of one group, none of which another attends to."""
    nothing = torch.empty(0, dtype=torch.long, device=depths.device)
    tokens = Tokens((0, depths.numel()), rows)
    return PassPlan(
        tokens,
        *rotation(depths, weights),
        buckets=(),
        heads=nothing,
        values=nothing,
        outputs=nothing,
        heads_back=nothing,
        values_back=nothing,
        outputs_back=nothing,
        stems=None,
    )


def rotation(depths: Tensor, weights: ModelWeights) -> tuple[Tensor, Tensor]:
    """The cosines and sines (N, 1, head_size) of tokens at these depths, as `PassPlan` has them."""
    angles = depths[:, None].float() * weights.frequencies.to(depths.device).float()
    cos, sin = angles.cos(), angles.sin()
    return (
        torch.cat([cos, cos], 1)[:, None].to(weights.embedding.dtype),
        torch.cat([-sin, sin], 1)[:, None].to(weights.embedding.dtype),
    )


def kept_tokens(packed: PackedRows, index: Tensor) -> Tokens:
    """The tokens of increasing indices `index`, with their groups."""
    bounds = torch.searchsorted(index, torch.tensor(packed.bounds, device=index.device))
    return Tokens(tuple(bounds.tolist()), packed.rows[index])


def _buckets(packed: PackedRows, weights: ModelWeights) -> tuple[tuple[Bucket, ...], list[Tensor]]:
    """Buckets of short stems and rows before long ones, and the tokens that each one's rows see
    (rows, S + T), N where padded."""
    lengths = torch.tensor(packed.lengths)
    starts = lengths.cumsum(0) - lengths
    branches = torch.cat([packed.branches.cpu(), torch.zeros(1, dtype=torch.long)])
    heads, dtype, device = weights.heads, weights.embedding.dtype, packed.ids.device
    buckets, places, queries, keys, cells = [], [], 0, 0, 0
    for members in _batches(packed, heads):
        length, stem = packed.lengths[members[-1]], packed.stem_length(members[0])
        position = torch.arange(length)
        inside = position < lengths[members][:, None]
        place = torch.where(inside, starts[members][:, None] + position, packed.ids.numel())
        if stem:
            continued = starts[[packed.stems[row] for row in members]]
            place = torch.cat([continued[:, None] + torch.arange(stem), place], 1)
        visible = torch.arange(stem + length) <= position[:, None] + stem
        branch = branches[place]
        if branch.any():
            trunk = branch[:, None, None] == 0
            visible = visible & (trunk | (branch[:, None, stem:, None] == branch[:, None, None]))
        mask = torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, -torch.inf)
        asking = slice(queries, queries + len(members) * heads * length)
        slots = slice(keys, keys + place.numel() * weights.key_heads)
        span = None
        if stem + length <= KEPT_LENGTH:
            span = slice(cells, cells + (asking.stop - asking.start) * (stem + length))
            cells = span.stop
        buckets.append(Bucket(len(members), length, stem, asking, slots, mask.to(device), span))
        places.append(place)
        queries, keys = asking.stop, slots.stop
    return tuple(buckets), places


def _batches(packed: PackedRows, heads: int) -> list[list[int]]:
    """Rows of equal stems and similar lengths together, from short to long; rows without a token
    in none."""

    def lengths(row: int) -> tuple[int, int]:
        return packed.stem_length(row), packed.lengths[row]

    batches: list[list[int]] = []
    for row in sorted((n for n, length in enumerate(packed.lengths) if length), key=lengths):
        stem, length = lengths(row)
        if batches:
            batch = batches[-1]
            first_stem, batch_length = lengths(batch[0])
            similar = stem == first_stem and length <= 1.25 * batch_length + 4
            if similar and (len(batch) + 1) * heads * length * (stem + length) <= _WEIGHTS_AT_ONCE:
                batch.append(row)
                continue
        batches.append([row])
    return batches


def _gather(places: Sequence[Tensor], heads: int, heads_taken: range) -> list[Tensor]:
    """Indices of the chosen of each token's heads, by bucket (rows, heads, tokens)."""
    head = torch.tensor(heads_taken)[:, None]
    return [place[:, None] * heads + head for place in places]


def _back(parts: Sequence[Tensor], lengths: Sequence[int], count: int, heads: int) -> Tensor:
    """Where among the indices each token's heads lie (N, heads): after stems of these lengths."""
    back = torch.empty((count + 1) * heads, dtype=torch.long)
    for part, stem, slots in zip(parts, lengths, _numbered(parts), strict=True):
        back[part[..., stem:]] = slots[..., stem:]
    return back.view(count + 1, heads)[:count]


def _numbered(parts: Sequence[Tensor]) -> list[Tensor]:
    """The places of all parts' entries, counted through."""
    sizes = [part.numel() for part in parts]
    every = torch.arange(sum(sizes)).split(sizes)
    return [numbers.view_as(part) for numbers, part in zip(every, parts, strict=True)]


def _stems(
    values: Sequence[Tensor], lengths: Sequence[int], back: Tensor, device: torch.device
) -> Stems | None:
    """From the values' indices and the stems' lengths by bucket, and where each token's own values
    lie (N, K); None where no row continues a stem."""
    shared = [n for n, stem in enumerate(lengths) if stem]
    if not shared:
        return None
    slots = _numbered(values)
    index = torch.cat([values[n][..., : lengths[n]].reshape(-1) for n in shared])
    copies = torch.cat([slots[n][..., : lengths[n]].reshape(-1) for n in shared])
    order = index.argsort(stable=True)
    targets, counts = index[order].unique_consecutive(return_counts=True)
    nth = torch.arange(index.numel()) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    table = torch.full((targets.numel(), 1 + int(counts.max())), sum(v.numel() for v in values))
    table[:, 0] = back.flatten()[targets]
    table[torch.arange(targets.numel()).repeat_interleave(counts), 1 + nth] = copies[order]
    tokens = targets[:: back.shape[1]] // back.shape[1]
    return Stems(tokens.to(device), table.to(device))
