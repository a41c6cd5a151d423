"""When the bits are through, and how many are, at a piecewise constant rate.

A transfer's end is solved here, in one pass over the slots, instead of stepped by events.
"""

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, non_negative

# A payload that lacks no more than this part of itself at the last edge lacks it by rounding:
# Lemma 1 sizes power so that the bits are through exactly at the deadline.
_ROUNDING = 1e-12


def slotted_transfer(
    bits: ArrayLike,
    slot_edges_s: ArrayLike,
    rates_bit_s: ArrayLike,
    *,
    since_s: ArrayLike = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """(duration_s, delivered_bits) of transfers whose rate is constant within each slot.

    Solves ∫R dt = Q, with the integral from `since_s` on, for the time since the first edge; inf
    if the bits are not through by the last edge (exactly at it counts). delivered_bits =
    min(Q, ∫R dt from `since_s` to the last edge). Nothing to send is through at `since_s`: a
    transfer whose share changes midway is solved again for its remaining bits on the same slots.
    `slot_edges_s` (T+1,) in s, `rates_bit_s` (T,) or (L, T) in bit/s, `bits` scalar or (L,) in
    bit, `since_s` scalar or (L,) in s after the first edge; both results have the shape (L,), or
    are scalars where all are one transfer. ValueError for edges that go back, rates of another
    length, or negative or infinite numbers.
    """
    payload = non_negative(bits, "bits")
    edges, rates = _slots(slot_edges_s, rates_bit_s)
    since = non_negative(since_s, "since_s")
    lengths = np.maximum(edges[1:] - np.maximum(edges[:-1], since[..., None]), 0.0)
    through = np.cumsum(rates * lengths, axis=-1)
    shape = np.broadcast_shapes(payload.shape, through.shape[:-1])
    payload = np.broadcast_to(payload, shape)
    through = np.broadcast_to(through, (*shape, len(edges) - 1))
    rates = np.broadcast_to(rates, through.shape)
    total = through[..., -1]

    complete = total >= payload * (1.0 - _ROUNDING)
    # The slot in which the bits get through: the first whose end has them all.
    slot = np.argmax(through >= np.minimum(payload, total)[..., None], axis=-1)
    rate = np.take_along_axis(rates, slot[..., None], axis=-1)[..., 0]
    before = np.take_along_axis(through, np.maximum(slot - 1, 0)[..., None], axis=-1)[..., 0]
    rest = payload - np.where(slot > 0, before, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        end = np.maximum(edges[slot], since) + np.where(rest > 0.0, rest / rate, 0.0)
    duration = np.where(complete, np.minimum(end, edges[slot + 1]), np.inf)
    # Leading slots at rate 0 have all of the 0 bits as well: nothing to send takes no time.
    duration = np.where(payload > 0.0, duration, since)
    return duration[()], np.where(complete, payload, total)[()]


def _slots(slot_edges_s: ArrayLike, rates_bit_s: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Edges (T+1,) in s since the first one, and rates (T,) or (L, T) in bit/s."""
    edges = np.asarray(slot_edges_s, dtype=np.float64)
    rates = non_negative(rates_bit_s, "rates_bit_s")
    if edges.ndim != 1 or len(edges) < 2:
        raise ValueError(f"slot_edges_s must be (T+1,) with T ≥ 1, got {edges.shape}")
    if rates.ndim == 0 or rates.shape[-1] != len(edges) - 1:
        raise ValueError(f"{len(edges) - 1} slots need as many rates, got {rates.shape}")
    if not np.all(np.isfinite(edges)) or np.any(np.diff(edges) < 0.0):
        raise ValueError("slot_edges_s must be finite and never go back")
    # Relative to the first, because late in a run absolute times have fewer digits to spare.
    return edges - edges[0], rates
