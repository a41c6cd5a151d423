"""`floating`: numbers in half or single precision, as the scenario's bits per value have it."""

from __future__ import annotations

from typing import Literal

from cosim.methods.codec.slot import Codec


class Floating(Codec):
    """Values are floating-point numbers of `adapter.bits_per_value`: half or single precision."""

    name: Literal["floating"] = "floating"
