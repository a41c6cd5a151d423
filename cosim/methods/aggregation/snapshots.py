"""`snapshots`: devices mix what each of them last said, whether it spoke now or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.averages import weighted_mean
from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard, Message, Values
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class Snapshots(Aggregation):
    """x_i moves towards x̂_j, which j said last, with the weights of the round's graph.

    A device remembers the last message of everybody whom it has heard, and mixes those of its
    neighbours in every turn, at their whole weight, however old they are. Of whom it has never
    heard it knows what all devices began with. What is lost leaves it with the message before,
    which the sender does not know: the mean over all devices then drifts.
    """

    name: Literal["snapshots"] = "snapshots"
    own: Literal["snapshot", "current"] = Field(
        "snapshot",
        description="x_i + Σ_j w_ij·(x̂_j − x̂_i), which alone keeps the mean over all devices; or "
        "current, w_ii·x_i + Σ_j w_ij·x̂_j, which pulls for ever towards what is old",
    )
    remembers: ClassVar[bool] = True
    unpadded: ClassVar[str | None] = (
        "begins with what all devices have, which with unequal ranks is not the same"
    )
    own_weights: ClassVar[str] = "metropolis"

    def refuses(self, method: Chosen) -> str | None:
        """Where x̂_j is not what j began with, no graph says whom to mix, or nobody waits."""
        weighing = method.weighing
        if not weighing.symmetric:
            return (
                f"aggregation '{self.word()}' mixes neighbours that said nothing, too, and keeps "
                f"the mean over all devices; weights '{weighing.word()}' do not look at the "
                "round's graph from both ends of an edge: use weights 'metropolis' or 'laplacian'"
            )
        if method.projection.own:
            return (
                f"aggregation '{self.word()}' begins with what all devices have, and with "
                f"projection {method.projection} every device has another A: use 'trained'"
            )
        if method.expansion.masked:
            return (
                f"aggregation '{self.word()}' mixes snapshots of all of B, and those of expansion "
                f"{method.expansion} lie at positions of each device's own: use 'dense'"
            )
        if not method.schedule.waits:
            return (
                f"aggregation '{self.word()}' needs a schedule in which devices wait for each "
                f"other: with '{method.schedule.word()}' a snapshot has no age"
            )
        return None

    @property
    def copies(self) -> float:
        """What a device last said, which all who heard it share."""
        return 1.0

    def begins(self, own: DeviceState, first: Message) -> DeviceState:
        """It knows what all begin with."""
        return own.remember(self.slot, first=first, own=first, heard={})

    def said(self, own: DeviceState, message: Message) -> DeviceState:
        """x̂_i is what it says."""
        return own.remember(self.slot, **{**own.memory[self.slot], "own": message})

    def recalled(self, own: DeviceState, silent: Sequence[int]) -> Sequence[Message]:
        """What they last said, or began with."""
        known = own.memory[self.slot]
        first: Message = known["first"]
        heard: Mapping[int, Message] = known["heard"]
        return [heard.get(device, replace(first, device=device)) for device in silent]

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """x_i with its neighbours' snapshots, of which the newest stay in its memory."""
        known = own.memory[self.slot]
        messages: dict[int, Message] = dict(known["heard"])
        newest = []
        for part in heard:
            device = part.message.device
            if device != at.device:
                before = messages.get(device)
                if before is not None and before.round > part.message.round:
                    part = replace(part, message=before)
                if part.message.round > 0:
                    messages[device] = part.message
            newest.append(part)
        remembering = own.remember(self.slot, **{**known, "heard": messages})
        adapter = own.adapter
        if self.own == "current":
            B, A = weighted_mean(newest, at.weights, at.total, at.layout.expansion_size)
            assert B is not None, "a message without B"
            projection = adapter.projection if A is None else A
            return remembering.with_adapter(values=B, projection=projection)
        shares = {
            part.message.device: weight / at.total
            for part, weight in zip(newest, at.weights, strict=True)
        }
        others = [part.message for part in newest if part.message.device != at.device]
        factors = {"B": adapter.values, "A": adapter.projection}
        for name, values in snapshot_of(known["own"]).items():
            snapshots = {message.device: snapshot_of(message)[name] for message in others}
            factors[name] = gossip_from_snapshots(factors[name], values, snapshots, shares)
        return remembering.with_adapter(values=factors["B"], projection=factors["A"])


def snapshot_of(message: Message) -> dict[str, Tensor]:
    """The factors that are on the air every time, by name."""
    return {
        item.name: item.values
        for item in message.content
        if isinstance(item, Values) and not item.once
    }


def gossip_from_snapshots(
    own: Tensor, own_snapshot: Tensor, heard: Mapping[int, Tensor], w: Mapping[int, float]
) -> Tensor:
    """x_i + Σ_j w_ij·(x̂_j − x̂_i), summed in the order given; a new tensor."""
    mixed = own.clone()
    for device, snapshot in heard.items():
        mixed.add_(snapshot - own_snapshot, alpha=w[device])
    return mixed
