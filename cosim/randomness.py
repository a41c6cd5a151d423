"""Named random streams: every draw belongs to a purpose, and no stream shifts another."""

import hashlib

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike, NDArray


def stream(seed: int, purpose: str, *ids: int | str) -> np.random.Generator:
    """The counter-based generator of one purpose, for example `stream(1, "fading", 2, 5)`.

    Philox-4x64 keyed by BLAKE2b of `(seed, purpose, ids…)`: two different names never share
    draws, so adding a device, a method or an extra query changes nobody else's numbers.
    """
    name = "\x1f".join([str(seed), purpose, *(f"{type(i).__name__}:{i}" for i in ids)])
    key = hashlib.blake2b(name.encode(), digest_size=16).digest()
    # The stubs know no other seed sequence than numpy's own.
    return np.random.Generator(np.random.Philox(_Key(key)))  # type: ignore[arg-type]


def pair(first: int, second: int) -> tuple[int, int]:
    """The ids of an unordered pair, smaller first: a reciprocal link has one stream."""
    return (first, second) if first < second else (second, first)


class _Key(ISeedSequence):
    """A Philox key as it is; given as `key`, Philox would ask the system for entropy besides,
    which takes most of the time of a stream."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint64]:
        """The key's two words."""
        assert n_words * np.dtype(dtype).itemsize == len(self._key)
        return np.frombuffer(self._key, "<u8").astype(np.uint64)
