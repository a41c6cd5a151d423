"""How many bytes of what is learnt come to lie on disk, from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosim.learning.costs.planned_state import state_bytes
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
    layout: Layout,
    method: Method,
    densities: Sequence[float],
    shapes: tuple[int, int],
    ranks: Sequence[int] | None = None,
) -> Storage:
    """What devices of these densities and ranks store; all of the layout's rank if none are given.

    shapes: of the features (L, h). A checkpoint holds a device's state with its moments, and its
    values before and after a round, as they are sent and as they are read; `adapters/` holds values
    and int32 positions, with A where it is trained. Every expert of every bank is counted as one of
    its own, which is so where no two devices heard the same. Devices that did share theirs, and may
    hold one adapter in the end: that is what is written at least, and nothing of masks, which links
    may make small. Of a lower rank a checkpoint holds the padding, too, and `adapters/` does not.
    """
    projection, expansion = method.projection, method.expansion
    checkpoint = trained = positions = unpadded = 0.0
    for density, rank in zip(densities, ranks or [layout.rank] * len(densities), strict=True):
        held = state_bytes(method, layout, density, shapes)
        # Every learner draws an A that a seed gives anew; one that a calibration has refined not.
        refined = held.projection if projection.needs else 0.0
        checkpoint += held.total - held.projection + refined + 3.0 * held.trained + held.remembered
        trained += held.trained
        positions += held.positions / 2.0  # as int32
        unpadded += held.trained * layout.of_rank(rank).expansion_size / layout.expansion_size
    devices = len(densities)
    banks = trained * (devices - 1) if method.aggregation.keeps_experts else 0.0
    checkpoint += banks + _INDEX_BYTES
    if expansion.every_parameter:
        return Storage(checkpoint, 0.0, 0.0)
    adapters = unpadded + positions + _stored_projections(method, layout, devices)
    most = adapters + banks + _FILE_BYTES * devices
    return Storage(checkpoint, most, adapters / devices if expansion.whole else 0.0)


def _stored_projections(method: Method, layout: Layout, devices: int) -> float:
    """Bytes of every A that is neither trained nor given by a seed, once where all share it."""
    projection = method.projection
    given = projection.seed_stream(0) is not None and not projection.needs
    if projection.moves or given:
        return 0.0
    return 4.0 * layout.projection_size * (devices if projection.own else 1)
