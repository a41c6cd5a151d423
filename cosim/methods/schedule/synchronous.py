"""`synchronous`: all devices begin a round together."""

from __future__ import annotations

from typing import ClassVar, Literal

from cosim.methods.slots import Schedule


class Synchronous(Schedule):
    """A round begins when all of the one before has ended."""

    name: Literal["synchronous"] = "synchronous"
    in_step: ClassVar[bool] = True
    waits: ClassVar[bool] = True
