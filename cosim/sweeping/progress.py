"""How far a run is that goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """A progress says how far a run is.

    name: the run's.
    round: that it has ended.
    """

    name: str
    round: int


Tell = Callable[[Progress], object]
