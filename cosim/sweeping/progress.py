"""How far a run is that goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """A progress is the round that a run has ended, by the run's name."""

    name: str
    round: int


Tell = Callable[[Progress], object]
