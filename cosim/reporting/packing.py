"""Columns as one compressed text that a browser unpacks by itself."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Mantissa bits of a float32 that are kept where a column is told to about four digits.
_COARSE_BITS = 14


@dataclass
class Pack:
    """A pack collects columns of numbers for one compressed text.

    Bytes of equal rank stand beside each other, which compresses twice as well.

    index: how each column is read back from `text`: name, kind, length, unit, whether differences.
    """

    index: list[dict[str, Any]] = field(default_factory=list)
    _bytes: bytearray = field(default_factory=bytearray)

    def exact(self, name: str, values: ArrayLike) -> None:
        """Adds numbers as they are."""
        self._add(name, np.asarray(values, dtype="<f8"))

    def coarse(self, name: str, values: ArrayLike) -> None:
        """Adds numbers to about four digits; what is no number stays so."""
        single = np.asarray(values, dtype="<f4")
        dropped = np.uint32(1 << (23 - _COARSE_BITS))
        bits = single.view("<u4")
        near = ((bits + dropped // 2) // dropped * dropped).view("<f4")
        self._add(name, np.where(np.isfinite(single), near, single))

    def whole(
        self, name: str, values: ArrayLike, *, unit: float = 1.0, rising: bool = False
    ) -> None:
        """Adds multiples of a unit, rounded; as differences where they are `rising`."""
        numbers = np.asarray(values, dtype="<f8")
        if not np.isfinite(numbers).all():
            self._add(name, numbers)
            return
        counts = np.rint(numbers / unit).astype(np.int64)
        if rising:
            counts = np.diff(counts, prepend=0)
        low, high = (int(counts.min()), int(counts.max())) if counts.size else (0, 0)
        kinds = ("u1", "<u2", "<i4") if low >= 0 else ("<i2", "<i4")
        fitting = (k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
        kind = next(fitting, None)
        if kind is None:
            self._add(name, numbers)
            return
        self._add(name, counts.astype(kind), unit=unit, rising=rising)

    def text(self) -> str:
        """All columns, compressed, in base64."""
        # Without a time in its head, so that the same run gives the same page.
        return base64.b64encode(gzip.compress(bytes(self._bytes), 9, mtime=0)).decode()

    def _add(
        self, name: str, values: NDArray[Any], unit: float = 1.0, rising: bool = False
    ) -> None:
        kind, size = values.dtype.str.lstrip("<|"), values.dtype.itemsize
        entry = {"name": name, "kind": kind, "length": len(values), "unit": unit, "rising": rising}
        self.index.append(entry)
        self._bytes += values.view(np.uint8).reshape(-1, size).T.tobytes()
