"""How many bytes of what is learnt come to lie on disk, from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosim.methods.layout import Layout
from cosim.methods.method import Method

# What names the tensors: JSON beside a checkpoint, the head of a file and its part of the index.
_INDEX_BYTES, _FILE_BYTES = 2e4, 4e3


@dataclass(frozen=True)
class Storage:
    """Storage is counted in bytes, by what comes to lie on disk.

    checkpoint: one checkpoint's, at most.
    adapters: of `adapters/`, at most.
    adapters_at_least: of `adapters/`, at least.
    """

    checkpoint: float
    adapters: float
    adapters_at_least: float


def storage(
    layout: Layout, method: Method, densities: Sequence[float], ranks: Sequence[int] | None = None
) -> Storage:
    """What devices of these densities and ranks store; all of the layout's rank if none are given.

    A device: float32 values before and after a round, as they are sent and as they are read, two
    moments, int64 positions and what parts remember in a checkpoint; values and int32 positions in
    `adapters/`, with A where it is trained. Every expert of every bank is counted as one of its
    own, which is so where no two devices heard the same. Devices that did share theirs, and may
    hold one adapter in the end: that is what is written at least, and nothing of masks, which links
    may make small. Of a lower rank a checkpoint holds the padding, too, and `adapters/` does not.
    """
    projection, expansion = method.projection, method.expansion
    moving = layout.projection_size if projection.moves else 0
    # An A that a seed gives is stored as the seed; one that a calibration has refined is not.
    refined = layout.projection_size if projection.needs else 0
    values = positions = unpadded = 0.0
    for density, rank in zip(densities, ranks or [layout.rank] * len(densities), strict=True):
        kept = int(expansion.planned(layout, density, None).sum())
        values += kept + moving
        share = layout.of_rank(rank).expansion_size / layout.expansion_size
        unpadded += (kept + moving) * share
        positions += kept if expansion.masked else 0
    devices = len(densities)
    banks = 4.0 * values * (devices - 1) if method.aggregation.keeps_experts else 0.0
    prototypes = 4.0 * refined * devices
    remembered = 4.0 * values * sum(part.copies for part in method.parts())
    checkpoint = remembered + 24.0 * values + 8.0 * positions + prototypes + banks + _INDEX_BYTES
    if expansion.every_parameter:
        return Storage(checkpoint, 0.0, 0.0)
    adapters = 4.0 * unpadded + 4.0 * positions + prototypes
    most = adapters + banks + _FILE_BYTES * devices
    return Storage(checkpoint, most, adapters / devices if expansion.whole else 0.0)
