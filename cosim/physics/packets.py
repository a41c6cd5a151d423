"""A payload in blocks of one fixed rate, sent again until decoded, with or without combining.

Q bits are cut into n = ⌈Q/b⌉ blocks of b bits, the last of which is padded: it takes as long as
the others. All are coded at one spectral efficiency ρ in bit/s/Hz and follow one another, each
transmission in an interval of b/(B·ρ) s; the sender knows at once, and for free, whether a block
was decoded. It is when the mutual information of what was received of it suffices, which is the
threshold that long good codes have (Caire and Tuninetti, IEEE Trans. Inf. Theory 47(5), 2001):

- `none`, plain ARQ, keeps nothing of a failed transmission: log2(1 + SNR) ≥ ρ;
- `chase` adds up the SNR of the copies by maximum-ratio combining (Chase, IEEE Trans. Commun.
  33(5), 1985): log2(1 + Σ_k SNR_k) ≥ ρ. After `most` copies in vain the receiver empties its
  buffer and the block starts anew, as when the radio link layer sends it again.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.physics.checks import FloatArray, non_negative, positive

Combining = Literal["none", "chase"]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# A rate that aims at an SNR exactly must not miss it by the rounding of log1p and expm1.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class PendingBlocks:
    """Pending blocks are those that L transfers still have to send, and what their receivers keep
    of the one under way. Pass it on to the next `block_transfer`.

    left: blocks not yet decoded (L,).
    combined_snr: SNR (L,), linear, of the next block's failed copies in the receiver's buffer.
    copies: how many of these there are (L,).
    """

    left: IntArray
    combined_snr: FloatArray
    copies: IntArray

    @classmethod
    def waiting(cls, count: ArrayLike) -> "PendingBlocks":
        """L transfers of `count` (L,) blocks of which nothing was sent; ValueError if negative."""
        counts = np.atleast_1d(np.asarray(count, dtype=np.int64))
        if np.any(counts < 0):
            raise ValueError(f"count must not be negative, got {count!r}")
        return cls(counts, np.zeros(counts.shape), np.zeros_like(counts))


def block_count(bits: ArrayLike, block_bit: ArrayLike) -> IntArray:
    """Blocks n = ⌈Q/b⌉ of a payload of Q bits; k < n of them carry k·b bits, all n carry Q.

    `bits` Q and `block_bit` b in bit, broadcast. ValueError for negative bits or a block that is
    not positive.
    """
    blocks = np.ceil(non_negative(bits, "bits") / positive(block_bit, "block_bit"))
    return np.asarray(blocks, dtype=np.int64)[()]


def block_efficiency(snr_known: ArrayLike, backoff_ratio: ArrayLike = 1.0) -> FloatArray:
    """Spectral efficiency ρ = log2(1 + SNR/m) in bit/s/Hz chosen from the SNR known at the start.

    The backoff m leaves room for a channel that is worse later. Both linear, broadcast; 0 where
    the SNR is 0. ValueError for a negative SNR or a backoff that is not positive.
    """
    aimed_at = non_negative(snr_known, "snr_known") / positive(backoff_ratio, "backoff_ratio")
    return np.log1p(aimed_at) / math.log(2.0)


def effective_snr(snr: ArrayLike) -> FloatArray:
    """The constant SNR with the mutual information of k samples: 2^(mean log2(1 + SNR)) − 1.

    For a transmission during which the channel moves: mutual-information effective SNR mapping,
    Brueninghaus et al., PIMRC 2005, with Gaussian symbols. `snr` (…, k) linear, inf legal;
    returns (…). ValueError for NaN or a negative SNR.
    """
    return np.asarray(np.expm1(np.log1p(_not_negative(snr)).mean(axis=-1)))[()]


def effective_snr_of_parts(
    snr: ArrayLike, lengths_s: ArrayLike, first: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(effective, mean) SNR of T transmissions from P samples that last differently long.

    As `effective_snr`, with means over time. `snr` (P,) linear, `lengths_s` (P,) in s, `first`
    (T,) each transmission's first sample, the next one's being its end; returns (T,) each.
    ValueError for NaN or a negative SNR.
    """
    linear, lengths = _not_negative(snr), np.asarray(lengths_s, dtype=np.float64)
    begins = np.asarray(first, dtype=np.int64)
    whole = np.add.reduceat(lengths, begins)
    mean = np.add.reduceat(linear * lengths, begins) / whole
    return np.expm1(np.add.reduceat(np.log1p(linear) * lengths, begins) / whole), mean


def block_transfer(
    blocks: PendingBlocks,
    snr: ArrayLike,
    efficiency_bit_s_hz: ArrayLike,
    *,
    combining: Combining = "none",
    most: int = 1,
) -> tuple[IntArray, IntArray, PendingBlocks]:
    """(last, through, blocks left) of L transfers after T more transmission intervals each.

    A transmission k of a block decodes it where SNR_k, or under `chase` the sum over its copies,
    is at least 2^ρ − 1; see above for the model and its sources. `last` (L,) is the interval with
    whose end a transfer's last block is through, −1 if that is not in these intervals; `through`
    (L,) counts the blocks decoded in them. Intervals evaluated in parts give the very same.
    With finite `most` more SNR can end a transfer later: what is decoded earlier moves the
    instants at which the buffer is emptied. Without combining it never does.
    `blocks` of L transfers, `snr` (L, T) linear in each interval, inf legal,
    `efficiency_bit_s_hz` ρ scalar or (L,), at 0 of which nothing gets through; `most` copies
    combined. ValueError for other shapes, NaN or negative numbers, `most` below 1, or another
    combining.
    """
    snrs = _not_negative(snr)
    if snrs.ndim != 2 or snrs.shape[1] == 0 or blocks.left.shape != snrs.shape[:1]:
        raise ValueError(f"{len(blocks.left)} transfers need (transfers, T ≥ 1), got {snrs.shape}")
    if combining not in ("none", "chase") or most < 1:
        raise ValueError(f"combining must be none or chase and most ≥ 1: {combining!r}, {most}")
    rate = np.broadcast_to(non_negative(efficiency_bit_s_hz, "efficiency_bit_s_hz"), snrs.shape[:1])
    with np.errstate(over="ignore"):
        least = np.expm1(rate * math.log(2.0)) * (1.0 - _ROUNDING)
    # No comparison with NaN holds: without a rate even an infinite SNR decodes nothing.
    least = np.where(rate > 0.0, least, np.nan)
    decoded = snrs >= least[:, None]
    buffer, copies = np.zeros(len(snrs)), np.zeros(len(snrs), dtype=np.int64)
    if combining == "chase" and most > 1:
        decoded, buffer, copies = _combined(snrs, decoded, least, most, blocks)

    count = np.cumsum(decoded, axis=1)
    through = np.minimum(count[:, -1], blocks.left)
    rest = blocks.left - through
    ends = (rest == 0) & (blocks.left > 0)
    last = np.where(ends, np.argmax(count >= blocks.left[:, None], axis=1), -1)
    # Nothing is sent once all blocks are through.
    buffer, copies = np.where(rest > 0, buffer, 0.0), np.where(rest > 0, copies, 0)
    return last, through, PendingBlocks(rest, buffer, copies)


def _combined(
    snr: FloatArray, alone: BoolArray, least: FloatArray, most: int, before: PendingBlocks
) -> tuple[BoolArray, FloatArray, IntArray]:
    """Which intervals decode a block under Chase combining, and the buffers after the last one.

    An interval that decodes a block `alone` does so whatever was kept, and leaves the buffer
    empty. The runs between such intervals are thus independent, and are followed all at once, one
    interval at a time: as many steps as the longest run, but for those too weak to decode at all.
    """
    links, intervals = snr.shape
    # A column that belongs to no run ends each row's last one. From here on the rows lie end to
    # end, so that one index names a link's interval.
    width = intervals + 1
    strong = np.ones((links, width), dtype=np.bool_)
    strong[:, :-1] = alone
    begins, ends = ~strong, strong.copy()
    begins[:, 1:] &= strong[:, :-1]
    ends[:, 1:] &= ~strong[:, :-1]
    ends[:, 0] = False
    decoded, buffer, buffer_copies = alone.copy(), np.zeros(links), np.zeros(links, dtype=np.int64)
    values, strong = np.where(strong, 0.0, np.pad(snr, ((0, 0), (0, 1)))).ravel(), strong.ravel()

    at, end = np.flatnonzero(begins), np.flatnonzero(ends)
    row = at // width
    # A row's first interval continues with what its receiver kept.
    first = at == row * width
    total = np.where(first, before.combined_snr[row], 0.0)
    copies = np.where(first, before.copies[row], 0)
    if at.size:
        # Where even `most` copies of a run's best interval do not suffice, only the buffer matters
        # that its end leaves: it began to fill when it was last emptied.
        best = total + most * np.maximum.reduceat(values, at)
        emptied = end - (copies + end - at) % most
        skip = ~(best >= 0.999 * least[row]) & (emptied > at)
        total, copies = np.where(skip, 0.0, total), np.where(skip, 0, copies)
        at = np.where(skip, emptied, at)
        runs = at < end
        at, row, total, copies = at[runs], row[runs], total[runs], copies[runs]
    while at.size:
        total = total + values[at]
        copies = copies + 1
        enough = total >= least[row]
        decoded[row[enough], at[enough] % width] = True
        goes_on = ~enough & (copies < most)
        total, copies = np.where(goes_on, total, 0.0), np.where(goes_on, copies, 0)
        at = at + 1
        over = at == row * width + intervals
        buffer[row[over]], buffer_copies[row[over]] = total[over], copies[over]
        stays = ~strong[at]
        at, row, total, copies = at[stays], row[stays], total[stays], copies[stays]
    return decoded, buffer, buffer_copies


def _not_negative(snr: ArrayLike) -> FloatArray:
    """`snr` as float64; ValueError for NaN or negatives, inf is legal."""
    array = np.asarray(snr, dtype=np.float64)
    if not np.all(array >= 0.0):
        raise ValueError(f"snr must be without NaN or negatives, got {snr!r}")
    return array
