"""`dense`: every value of B is trained and sent."""

from __future__ import annotations

from typing import Literal

from cosim.methods.expansion.slot import Expansion


class Dense(Expansion):
    """B has no mask."""

    name: Literal["dense"] = "dense"
