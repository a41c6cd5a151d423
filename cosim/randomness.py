"""Named random streams: every draw belongs to a purpose, and no stream shifts another."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike, NDArray

# Philox's multipliers, and what its keys grow by each round.
_MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
# Streams whose first draws are worked out together, in the cache.
_TOGETHER = 4096


def stream(seed: int, purpose: str, *ids: int | str) -> np.random.Generator:
    """The counter-based generator of one purpose, for example `stream(1, "fading", 2, 5)`.

    Philox-4x64 keyed by BLAKE2b of `(seed, purpose, ids…)`: two different names never share
    draws, so adding a device, a method or an extra query changes nobody else's numbers.
    """
    key = _key(seed, purpose, ids)
    # The stubs know no other seed sequence than numpy's own.
    return np.random.Generator(np.random.Philox(_Key(key)))  # type: ignore[arg-type]


def first_uniforms(
    seed: int, purpose: str, named: Sequence[tuple[int | str, ...]]
) -> NDArray[np.float64]:
    """`stream(seed, purpose, *ids).random()` of many ids (K) at once: the same numbers (K,), in a
    sixth of the time."""
    uniforms = np.empty(len(named))
    for start in range(0, len(named), _TOGETHER):
        part = named[start : start + _TOGETHER]
        keys = b"".join(_key(seed, purpose, ids) for ids in part)
        key = np.frombuffer(keys, "<u8").astype(np.uint64).reshape(-1, 2).T
        uniforms[start : start + _TOGETHER] = (_philox(*key) >> np.uint64(11)) * 2.0**-53
    return uniforms


def pair(first: int, second: int) -> tuple[int, int]:
    """The ids of an unordered pair, smaller first: a reciprocal link has one stream."""
    return (first, second) if first < second else (second, first)


def _key(seed: int, purpose: str, ids: Sequence[int | str]) -> bytes:
    name = "\x1f".join([str(seed), purpose, *[f"{type(i).__name__}:{i}" for i in ids]])
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def _philox(key0: NDArray[np.uint64], key1: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The first word of Philox-4x64-10 (Salmon et al., SC 2011) by key, at the counter 1 with which
    numpy's begins."""
    a, b, c, d = (np.full(key0.shape, word, dtype=np.uint64) for word in (1, 0, 0, 0))
    for _ in range(10):
        high0, low0 = _product(_MULTIPLIERS[0], a)
        high1, low1 = _product(_MULTIPLIERS[1], c)
        a, b, c, d = high1 ^ b ^ key0, low1, high0 ^ d ^ key1, low0
        key0, key1 = key0 + _WEYL[0], key1 + _WEYL[1]
    return a


def _product(
    factor: np.uint64, other: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The high and the low word of products of 64 bits by 64."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    f1, f0, o1, o0 = factor >> half, factor & mask, other >> half, other & mask
    cross0, cross1 = f0 * o1, f1 * o0
    carried = (f0 * o0 >> half) + (cross0 & mask) + (cross1 & mask)
    high = f1 * o1 + (cross0 >> half) + (cross1 >> half) + (carried >> half)
    return high, factor * other


class _Key(ISeedSequence):
    """A Philox key as it is; given as `key`, Philox would ask the system for entropy besides,
    which takes most of the time of a stream."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint64]:
        """The key's two words."""
        assert n_words * np.dtype(dtype).itemsize == len(self._key)
        return np.frombuffer(self._key, "<u8").astype(np.uint64)
