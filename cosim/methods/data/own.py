"""`own`: an adapter learns from its device's rows."""

from __future__ import annotations

from typing import Literal

from cosim.methods.data.slot import Data


class Own(Data):
    """No row leaves its device."""

    name: Literal["own"] = "own"
