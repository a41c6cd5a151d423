"""`on_drift`: a device speaks when it has moved away from what it last said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.sending.slot import Deciding, Sending
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.methods.projection.slot import Projection

Norm = Literal["l2", "rms"]
Decay = Literal["constant", "sqrt", "linear"]


class OnDrift(Sending):
    """A device speaks when ‖x − x̂‖ ≥ τ_t, x = [B; A] what it trains and x̂ what it last said.

    At the start x̂ is what all devices begin with, so that nobody need say it. Of a message that
    is lost the sender still believes that it was heard. Silence is a beacon to each neighbour, on
    the air as everything else. It, and an x̂ of all devices' own, are as ours as is the rate: what
    Lemma 1 brings by Γ at the start to the nearest devices, as many as the topology gives it
    neighbours, in shares of the mean over devices.
    """

    name: Literal["on_drift"] = "on_drift"
    threshold: float = Field(0.01, ge=0, le=1e30, description="τ, of the first round")
    decay: Decay = Field(
        "sqrt", description="τ_t of round t: τ in all of them, τ/√t, or linear, τ/t"
    )
    norm: Norm = Field(
        "rms", description="of x − x̂: root of its mean square; or l2, of the sum of its squares"
    )
    by: Literal["same", "rate"] = Field(
        "same", description="τ is the same for all devices, or divided by a device's rate"
    )
    edge: Literal["sender", "either"] = Field(
        "sender",
        description="who speaks is heard; or an edge is used both ways where either end speaks: "
        "who is silent answers those whom it heard in the turn, with what it holds",
    )
    beacon_bits: int = Field(
        64, ge=0, description="on the air for each neighbour of a silent device; 0: none is needed"
    )

    def refuses(self, method: Chosen) -> str | None:
        """Where x and x̂ cannot be compared, and where nobody waits or listens."""
        if not method.aggregation.exchanges:
            return f"sending '{self.word()}' is about methods in which devices hear each other"
        if not method.schedule.waits:
            return (
                f"sending '{self.word()}' needs a schedule in which devices wait for each other: "
                f"with '{method.schedule.word()}' what a silent device last said has no age"
            )
        if method.expansion.masked:
            return (
                f"sending '{self.word()}' compares B with what was last said of it, and the "
                f"positions of expansion {method.expansion} are chosen after the start: use "
                "expansion 'dense'"
            )
        if method.projection.moves and method.projection.sends(1) != frozenset("AB"):
            return (
                f"sending '{self.word()}' compares B and A with what was last said of both, and "
                f"projection {method.projection} sends one of them a round: use factors: both"
            )
        if method.aggregation.by_block:
            return (
                f"sending '{self.word()}' compares all of a device with what was last said of it, "
                f"and aggregation {method.aggregation} may send some blocks alone: use 'mean'"
            )
        if self.answers and method.aggregation.remembers:
            return (
                f"sending '{self.word()}' with edge: either exchanges what two devices hold, and "
                f"aggregation {method.aggregation} mixes what all of them last said: use edge: "
                "sender, or aggregation 'mean'"
            )
        return None

    def refuses_ranks(self) -> str | None:
        """One threshold for vectors of different lengths."""
        return (
            f"sending '{self.word()}' has one threshold for how far all values of a device have "
            "moved, and with a lower rank there are fewer: use 'every_turn', or one rank for all"
        )

    @property
    def bits_of_silence(self) -> int:
        """As it is set."""
        return self.beacon_bits

    @property
    def answers(self) -> bool:
        """Where edges are used both ways."""
        return self.edge == "either"

    @property
    def asks_rates(self) -> bool:
        """Where thresholds hang on them."""
        return self.by == "rate"

    @property
    def copies(self) -> float:
        """x̂."""
        return 1.0

    def begins(self, own: DeviceState, projection: Projection) -> DeviceState:
        """x̂ is what all begin with."""
        adapter = own.adapter
        last = {"B": adapter.values}
        if projection.moves:
            last["A"] = adapter.projection
        return own.remember(self.slot, last=last, rate=1.0)

    def informed(self, own: DeviceState, rate: float) -> DeviceState:
        """It remembers the rate."""
        return own.remember(self.slot, **{**own.memory[self.slot], "rate": rate})

    def speaks(self, own: DeviceState, at: Deciding) -> tuple[DeviceState, bool]:
        """Where x has drifted; x̂ is then x."""
        known = own.memory[self.slot]
        last: Mapping[str, Tensor] = known["last"]
        factors = {"B": own.adapter.values, "A": own.adapter.projection}
        now = {name: factors[name] for name in last}
        rate = known["rate"] if self.asks_rates else 1.0
        least = threshold(at.turn.round, self.threshold, self.decay, rate)
        if not fires(now, last, least, self.norm):
            return own, False
        return own.remember(self.slot, last=now, rate=known["rate"]), True


def threshold(round_: int, start: float, decay: Decay, rate: float = 1.0) -> float:
    """τ_t = τ/(rate·t^p), p = 0, ½ or 1, of a round from 1 on; infinite over links that carry
    nothing, but for τ = 0."""
    if start == 0:
        return 0.0
    power = {"constant": 0.0, "sqrt": 0.5, "linear": 1.0}[decay]
    return start / (rate * round_**power) if rate > 0 else math.inf


def fires(
    now: Mapping[str, Tensor], last: Mapping[str, Tensor], least: float, norm: Norm = "l2"
) -> bool:
    """Whether all factors together have moved so far: ‖now − last‖ ≥ least."""
    return drift(now, last, norm) >= least


def drift(now: Mapping[str, Tensor], last: Mapping[str, Tensor], norm: Norm = "l2") -> float:
    """‖now − last‖ over all factors, as float64: the root of the sum or of the mean of squares."""
    import torch

    apart = [
        float(torch.linalg.vector_norm(now[name] - last[name], dtype=torch.float64)) for name in now
    ]
    count = sum(values.numel() for values in now.values())
    length = math.hypot(*apart)
    return length / math.sqrt(count) if norm == "rms" and count else length
