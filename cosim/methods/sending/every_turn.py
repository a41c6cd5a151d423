"""`every_turn`: a device speaks whenever it could."""

from __future__ import annotations

from typing import ClassVar, Literal

from cosim.methods.sending.slot import Sending


class EveryTurn(Sending):
    """Nothing is held back."""

    name: Literal["every_turn"] = "every_turn"
    every_turn: ClassVar[bool] = True
