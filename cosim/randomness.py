"""Named random streams: every draw belongs to a purpose, and no stream shifts another."""

import hashlib

import numpy as np


def stream(seed: int, purpose: str, *ids: int | str) -> np.random.Generator:
    """The counter-based generator of one purpose, for example `stream(1, "fading", 2, 5)`.

    Philox-4x64 keyed by BLAKE2b of `(seed, purpose, ids…)`: two different names never share
    draws, so adding a device, a method or an extra query changes nobody else's numbers.
    """
    name = "\x1f".join([str(seed), purpose, *(f"{type(i).__name__}:{i}" for i in ids)])
    key = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def pair(first: int, second: int) -> tuple[int, int]:
    """The ids of an unordered pair, smaller first: a reciprocal link has one stream."""
    return (first, second) if first < second else (second, first)
