"""`control_variate`: local steps are corrected by what mixing has moved a device by before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard, Message, Values
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class ControlVariate(Aggregation):
    """A device trains x̂_i = x_i − η·Σ_k(g_i − h_i), mixes x_i = x̂_i + β·Σ_j w_ij·(x̂_j − x̂_i), and
    by what that moved it sets h_i ← h_i + p/(η·K)·(x_i − x̂_i), each factor by itself.

    h_i, from 0 on, comes to be the gradient of a device's own loss at the minimum of the sum of
    all: local steps then lead nobody away from it. Σ_i h_i stays 0, to rounding, where w is
    symmetric and an edge counts from both ends or from none, also at half precision, since a
    device's difference is of its own message as others read it. p: how many of the rounds have a
    mixing. K local steps a round are ours; the papers' coin is tossed after every step, K = 1.
    """

    name: Literal["control_variate"] = "control_variate"
    strength: float = Field(
        0.5, gt=0, le=1, description="β: how far a device goes towards what it hears"
    )
    needs_sgd: ClassVar[bool] = True
    keeps_own: ClassVar[bool] = True
    unpadded: ClassVar[str | None] = (
        "has a correction for every value that is mixed, and a device of a lower rank cannot keep "
        "those beyond it, so that they no longer sum to zero"
    )
    own_weights: ClassVar[str | Mapping[str, str]] = {"name": "metropolis", "absent": "mutual"}

    def refuses(self, method: Chosen) -> str | None:
        """Where Σ h is not kept, or h is of other values than those that are trained and mixed."""
        weighing, projection = method.weighing, method.projection
        if not (weighing.mutual and weighing.symmetric):
            return (
                f"aggregation '{self.word()}' needs corrections that sum to zero over all devices, "
                f"and weights '{weighing.word()}' as they are break that, where a message is lost "
                "or two devices count differently for each other: use weights {name: metropolis, "
                "absent: mutual}"
            )
        if projection.own:
            return (
                f"aggregation '{self.word()}' averages B matrices that multiply the same A; with "
                f"projection {projection} every device has another A: use 'trained', or a frozen "
                "one with seed: shared and refined: false"
            )
        if projection.moves and projection.trains(1) != frozenset("AB"):
            return (
                f"aggregation '{self.word()}' corrects in each round the steps of all that it "
                f"mixes, and projection {projection} trains one factor at a time: use 'trained', "
                "or a frozen one with seed: shared"
            )
        if method.expansion.masked:
            return (
                f"aggregation '{self.word()}' has a correction for every value of B that is mixed, "
                f"and with expansion {method.expansion} devices train others: use 'dense'"
            )
        return None

    @property
    def copies(self) -> float:
        """h."""
        return 1.0

    def correction(self, own: DeviceState) -> Mapping[str, Tensor]:
        """h, by factor; nothing before a first mixing."""
        h: Mapping[str, Tensor] = own.memory.get(self.slot, {}).get("h", {})
        return h

    def effective_shares(
        self, shares: Sequence[float], heard: Sequence[Heard], device: int
    ) -> Sequence[float]:
        """W̃ = I + β·(W − I)."""
        return [
            self.strength * share + (part.message.device == device) * (1.0 - self.strength)
            for share, part in zip(shares, heard, strict=True)
        ]

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """x and h, each factor that was said."""
        factors_of: dict[int, Mapping[str, Tensor]] = {}
        shares: dict[int, float] = {}
        for part, weight in zip(heard, at.weights, strict=True):
            device = part.message.device
            factors_of[device], shares[device] = _factors(part.message), weight / at.total
        mine = factors_of.pop(at.device)
        tensors = {"B": own.adapter.values, "A": own.adapter.projection}
        h = dict(self.correction(own))
        for name, x_hat in mine.items():
            arrived = {device: factors[name] for device, factors in factors_of.items()}
            moved = pull(x_hat, arrived, shares, self.strength)
            tensors[name] = tensors[name] + moved
            h[name] = next_correction(h.get(name), moved, at.open_share, at.descent)
        mixed = own.with_adapter(values=tensors["B"], projection=tensors["A"])
        return mixed.remember(self.slot, h=h)


def pull(
    x_hat: Tensor, arrived: Mapping[int, Tensor], w: Mapping[int, float], beta: float
) -> Tensor:
    """β·Σ_j w_j·(x̂_j − x̂): what (1 − β)·x̂ + β·(w_own·x̂ + Σ_j w_j·x̂_j) is beyond x̂, where the
    shares sum to 1. A new tensor, summed in the order given."""
    import torch

    moved = torch.zeros_like(x_hat)
    for device, other in arrived.items():
        moved.add_(other - x_hat, alpha=beta * w[device])
    return moved


def next_correction(h: Tensor | None, moved: Tensor, p: float, descent: float) -> Tensor:
    """h + p/(η·K)·(x − x̂), of h = 0 where there is none yet."""
    step = moved * (p / descent)
    return step if h is None else h + step


def _factors(message: Message) -> dict[str, Tensor]:
    """The factors that are on the air every time, by name."""
    return {
        item.name: item.values
        for item in message.content
        if isinstance(item, Values) and not item.once
    }
