"""Γ cut into slots, in each of which a link's channel counts as constant."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Slots evaluated at once: transfers that end early do not pay for the rest of the deadline.
_CHUNK = 512


@dataclass(frozen=True)
class Grid:
    """A grid is one Γ of a transmission in equal slots, which are evaluated in chunks; one slot is
    a channel that stands still. All times are in s after the transmission's start.

    deadline_s: Γ.
    slots: how many there are.
    span: which Γ of the transmission it is, from 0.
    """

    deadline_s: float
    slots: int
    span: int = 0

    @property
    def begins_s(self) -> float:
        """Where this Γ begins."""
        return self.span * self.deadline_s

    @property
    def chunks(self) -> int:
        """Chunks in this Γ."""
        return -(-self.slots // _CHUNK)

    def slot_at(self, elapsed_s: float) -> int:
        """The slot of this Γ in which a moment lies; the nearest one for moments outside."""
        within_s = elapsed_s - self.begins_s
        return min(max(int(within_s * self.slots / self.deadline_s), 0), self.slots - 1)

    def chunk_at(self, elapsed_s: float) -> int:
        """The chunk in which a moment lies; the nearest one for moments outside."""
        return self.slot_at(elapsed_s) // _CHUNK if self.slots > _CHUNK else 0

    def edges_s(self, chunk: int) -> FloatArray:
        """The edges of a chunk's slots; every multiple of Γ is exact."""
        first = chunk * _CHUNK
        last = min(first + _CHUNK, self.slots)
        edges = self._edges_s(first, last)
        if last == self.slots:
            edges[-1] = self.deadline_s
        return edges + self.begins_s

    def _edges_s(self, first: int, last: int) -> FloatArray:
        """The edges `first` to `last`, after the begin of this Γ."""
        return np.arange(first, last + 1, dtype=np.float64) * (self.deadline_s / self.slots)


@dataclass(frozen=True, eq=False)
class UnevenGrid(Grid):
    """An uneven grid is a Γ in slots as narrow as one link's channel needs them.

    cuts_s: their edges (slots + 1,) in s after the begin of this Γ, from 0 to `deadline_s`.
    """

    cuts_s: FloatArray = field(default_factory=lambda: np.zeros(2))

    # As many slots are not the same slots: one of these equals nothing but itself.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @classmethod
    def of(cls, cuts_s: FloatArray, deadline_s: float, span: int) -> UnevenGrid:
        """The grid with these edges."""
        return cls(deadline_s, len(cuts_s) - 1, span, cuts_s)

    def slot_at(self, elapsed_s: float) -> int:
        """As of `Grid`."""
        slot = int(np.searchsorted(self.cuts_s, elapsed_s - self.begins_s, side="right")) - 1
        return min(max(slot, 0), self.slots - 1)

    def _edges_s(self, first: int, last: int) -> FloatArray:
        return self.cuts_s[first : last + 1].copy()
