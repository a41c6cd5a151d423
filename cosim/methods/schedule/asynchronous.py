"""`asynchronous`: every device keeps a clock of its own."""

from __future__ import annotations

from typing import Literal

from cosim.methods.schedule.own_clock import OwnClock


class Asynchronous(OwnClock):
    """A device mixes what has arrived, and begins its next round."""

    name: Literal["asynchronous"] = "asynchronous"
