"""`cluster`: each connected group of a round's graph keeps a clock of its own."""

from __future__ import annotations

from typing import ClassVar, Literal

from cosim.methods.schedule.own_clock import OwnClock


class ByCluster(OwnClock):
    """A group begins a round when its own members have ended the one before."""

    name: Literal["cluster"] = "cluster"
    waits: ClassVar[bool] = True
