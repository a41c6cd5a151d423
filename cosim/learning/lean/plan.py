"""What all blocks of one pass share: groups, rotations, and which tokens attend to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from cosim.learning.lean.weights import Weights
from cosim.learning.packed import PackedRows

# Attention weights of one product at most, but for one row: they stay in the processor's cache.
_WEIGHTS_AT_ONCE = 2**21
# Rows up to this length keep their attention weights for the backward pass: a fifth more memory.
KEPT_LENGTH = 128


@dataclass(frozen=True)
class Bucket:
    """Rows of nearly one length T, padded on the right to the longest.

    start: padded tokens of the buckets before it. mask, 0 or -∞: (T, T), or (rows, 1, T, T) where
    rows differ in what their tokens see. weights: where its attention weights lie among those that
    are kept, None where they are not.
    """

    rows: int
    length: int
    start: int
    mask: Tensor
    weights: slice | None


@dataclass(frozen=True)
class Tokens:
    """Some tokens of a pass, in order: the group bounds among them and their rows' numbers."""

    bounds: tuple[int, ...]
    rows: Tensor

    @cached_property
    def sizes(self) -> list[int]:
        """Tokens by group."""
        return [end - first for first, end in pairwise(self.bounds)]

    @cached_property
    def equal(self) -> bool:
        """Whether all groups have equally many tokens, and at least one."""
        return len(set(self.sizes)) == 1 and self.sizes[0] > 0


@dataclass(frozen=True)
class Plan:
    """The geometry of one pass of N tokens, S with padding.

    cos, sin (N, 1, head_size), the first half of sin negated. Every token has H queries and after
    them K keys, K values and H outputs; token N stands for padding. heads, values, outputs: which
    of them lie in the buckets, (rows, heads, T) one after another, all keys after all queries;
    heads_back, values_back, outputs_back: where in the buckets those of each token lie.
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

    @property
    def weights(self) -> int:
        """Attention weights of a block that are kept."""
        return max((bucket.weights.stop for bucket in self.buckets if bucket.weights), default=0)


def plan(packed: PackedRows, weights: Weights) -> Plan:
    """The geometry of one pass."""
    device = packed.ids.device
    buckets, places = _buckets(packed, weights.heads, weights.embedding.dtype)
    count = packed.ids.numel()
    together = weights.heads + weights.key_heads
    queries, _ = _gather(places, count, together, range(weights.heads))
    keys, _ = _gather(places, count, together, range(weights.heads, together))
    outputs, outputs_back = _gather(places, count, weights.heads, range(weights.heads))
    values, values_back = _gather(places, count, weights.key_heads, range(weights.key_heads))
    heads_back = torch.cat([outputs_back, values_back + outputs.numel()], 1)
    angles = packed.depths[:, None].float() * weights.frequencies.to(device).float()
    cos, sin = angles.cos(), angles.sin()
    return Plan(
        Tokens(packed.bounds, packed.rows),
        torch.cat([cos, cos], 1)[:, None].to(weights.embedding.dtype),
        torch.cat([-sin, sin], 1)[:, None].to(weights.embedding.dtype),
        buckets,
        torch.cat([queries, keys]).to(device),
        values.to(device),
        outputs.to(device),
        heads_back.flatten().to(device),
        values_back.flatten().to(device),
        outputs_back.flatten().to(device),
    )


def kept_tokens(packed: PackedRows, kept: Tensor) -> Tokens:
    """The tokens of increasing indices `kept`, with their groups."""
    bounds = torch.searchsorted(kept, torch.tensor(packed.bounds, device=kept.device))
    return Tokens(tuple(bounds.tolist()), packed.rows[kept])


def _buckets(
    packed: PackedRows, heads: int, dtype: torch.dtype
) -> tuple[tuple[Bucket, ...], list[Tensor]]:
    """Buckets from short to long, and each one's tokens (rows, T), N where padded."""
    lengths = torch.tensor(packed.lengths)
    starts = lengths.cumsum(0) - lengths
    branches = torch.cat([packed.branches.cpu(), torch.zeros(1, dtype=torch.long)])
    buckets, places, start, kept = [], [], 0, 0
    for members in _batches(packed.lengths, heads):
        length = packed.lengths[members[-1]]
        position = torch.arange(length)
        inside = position < lengths[members][:, None]
        place = torch.where(inside, starts[members][:, None] + position, packed.ids.numel())
        seen = position <= position[:, None]
        branch = branches[place]
        if branch.any():
            trunk = branch[:, None, None] == 0
            seen = seen & (trunk | (branch[:, None, None] == branch[:, None, :, None]))
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf)
        weights = None
        if length <= KEPT_LENGTH:
            weights = slice(kept, kept + len(members) * heads * length**2)
            kept = weights.stop
        buckets.append(Bucket(len(members), length, start, mask.to(packed.ids.device), weights))
        places.append(place)
        start += place.numel()
    return tuple(buckets), places


def _batches(lengths: Sequence[int], heads: int) -> list[list[int]]:
    """Rows of similar lengths together, from short to long; rows without a token in none."""
    batches: list[list[int]] = []
    for row in sorted((n for n in range(len(lengths)) if lengths[n]), key=lambda n: lengths[n]):
        length = lengths[row]
        if batches:
            last = batches[-1]
            similar = length <= 1.25 * lengths[last[0]] + 4
            if similar and (len(last) + 1) * heads * length**2 <= _WEIGHTS_AT_ONCE:
                last.append(row)
                continue
        batches.append([row])
    return batches


def _gather(
    places: Sequence[Tensor], count: int, heads: int, chosen: range
) -> tuple[Tensor, Tensor]:
    """Indices of the chosen of each token's heads, by bucket as (rows, heads, T) flattened, and
    where in them each token's lie (N, chosen)."""
    head = torch.tensor(chosen)
    index = torch.cat([(p[:, None] * heads + head[None, :, None]).reshape(-1) for p in places])
    back = torch.empty((count + 1) * heads, dtype=torch.long)
    back[index] = torch.arange(index.numel())
    return index, back.view(count + 1, heads)[:count, chosen.start : chosen.stop]
