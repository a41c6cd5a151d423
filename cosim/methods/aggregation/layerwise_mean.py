"""`layerwise_mean`: a device that the compute deadline stops sends the blocks that it reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.slot import Mixing, Speaking
from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Blocks, Heard, Message, Said, Values
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor

Weighting = Literal["paper", "released", "inverse_probability"]
# What a message calls its blocks, and how often they are reached.
_BLOCKS, _REACH = "blocks", "q"


class LayerwiseMean(Mean):
    """Each block is the mean over those who reached it by the deadline (SALF, arXiv 2403.18375).

    Back-propagation comes to the last block first. A device that `training.compute_deadline_s`
    stops keeps and sends the blocks whose gradients it has; what nobody reached stays as it was.
    Where nobody was ever stopped this is `mean`, to the bit, and nothing more is said.

    Ours: without a server, old values are the receiver's own from before its training, and the
    devices are those that it heard and itself. Of several local steps those that ended count whole,
    and the one that was cut trains what it reached; so all blocks are sent once a step is whole,
    and at K = 1, the paper's, blocks are missing. Depth follows from FLOP and is not drawn, so each
    device tells how often it reached a block in the rounds in which it spoke, this one included:
    that is q. So counted it is 0 or 1 at first, and over draws of depth `inverse_probability` has
    1 − (1 − q)ᴿ of the mean in round R, `released`'s q of it in the first. A device that reached
    nothing says nothing, and is none of the devices. With `cut: drop` that is whoever was stopped,
    as in the paper's baseline, whose stragglers begin the next round from what the others made.
    `mean` is another baseline under a deadline: there such a device says nothing either, and what
    it had counts in its own mixture.
    """

    name: Literal["layerwise_mean"] = "layerwise_mean"  # type: ignore[assignment]
    weighting: Weighting = Field(
        "paper",
        description="of a block: w + (mean of those who reached it − w)/(1 − p), p = Π(1 − q) that "
        "nobody did; the authors' code, which counts the old w for whoever did not; or "
        "w + Σ share·(w_j − w)/q_j, unbiased where devices are unequal, but for the first rounds",
    )
    cut: Literal["layerwise", "drop"] = Field(
        "layerwise",
        description="what the deadline leaves: the blocks that were reached; or nothing",
    )
    by_factor: ClassVar[bool] = False
    unpadded: ClassVar[str | None] = (
        "moves what a device had before its training, and old values beyond its rank it has none"
    )

    @property
    def by_block(self) -> bool:
        """Unless a cut leaves nothing."""
        return self.cut == "layerwise"

    def refuses(self, method: Chosen) -> str | None:
        """What has no blocks, a part of a factor, and devices that mix at moments of their own."""
        if method.expansion.masked or method.expansion.every_parameter:
            return (
                "aggregation 'layerwise_mean' sends whole factors of a block's adapters, and "
                f"expansion {method.expansion} has others: use expansion 'dense'"
            )
        if not method.schedule.waits:
            return (
                "aggregation 'layerwise_mean' counts who reached a block by the deadline of a "
                f"round, and with schedule {method.schedule} devices share none: use schedule "
                "'synchronous' or 'cluster'"
            )
        if len(method.schedule.played(1)) > 1:
            return (
                "aggregation 'layerwise_mean' mixes what of a round's training each device has "
                f"reached, and schedule {method.schedule} mixes mixtures again: use mixings: 1"
            )
        if not method.weighing.renormalised:
            return (
                "aggregation 'layerwise_mean' moves old values towards a mean, and the shares of "
                f"weights {method.weighing} do not sum to 1: use other weights"
            )
        return super().refuses(method)

    def learnt(
        self, before: DeviceState, own: DeviceState, reached: int | None, layout: Layout
    ) -> DeviceState:
        """Remembers the old factors, what is new, and how often each block has been reached."""
        blocks = len(layout.blocks)
        spoken, counts = _counted(own, blocks)
        depth = blocks if reached is None else reached
        if depth > 0:
            spoken += 1
            first = blocks - depth
            counts = [count + (block >= first) for block, count in enumerate(counts)]
        old = before.adapter
        return own.remember(
            self.slot, B=old.values, A=old.projection, reached=depth, spoken=spoken, counts=counts
        )

    def says(self, own: DeviceState, at: Speaking) -> tuple[Said, ...]:
        """The factors of the blocks that are new; once one was missing, which they are and q."""
        content, layout = super().says(own, at), at.layout
        blocks = len(layout.blocks)
        spoken, counts = _counted(own, blocks)
        reached = own.memory.get(self.slot, {}).get("reached", blocks)
        if reached == blocks and all(count == spoken for count in counts):
            return content
        import torch

        modules = layout.in_last(reached)
        parts: list[Said] = [
            replace(part, values=_joined(_split(part, layout), modules))
            if isinstance(part, Values) and part.name in ("A", "B")
            else part
            for part in content
        ]
        parts.append(Blocks(_BLOCKS, reached, blocks))
        if self.weighting != "released":
            parts.append(Values(_REACH, torch.tensor(counts) / max(spoken, 1)))
        return tuple(parts)

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """Factors block by block; where no device was ever stopped, as `mean` has it."""
        layout = at.layout
        if any(_BLOCKS in part.message.by_name for part in heard):
            adapter = own.adapter
            memory = own.memory.get(self.slot, {})
            old = {"B": memory.get("B", adapter.values), "A": memory.get("A", adapter.projection)}
            values = self._mixed("B", old["B"], heard, at)
            projection = adapter.projection
            if any(part.message.sends_projection for part in heard):
                projection = self._mixed("A", old["A"], heard, at)
            own = own.with_adapter(values=values, projection=projection)
        else:
            own = super().mix(own, heard, at)
        blocks = len(layout.blocks)
        spoken, counts = _counted(own, blocks)
        # What has been mixed is new in every block, and is the old of what comes next.
        return own.remember(self.slot, reached=blocks, spoken=spoken, counts=counts)

    def _mixed(self, factor: str, old: Tensor, heard: Sequence[Heard], at: Mixing) -> Tensor:
        """A flat factor, module by module."""
        import torch

        layout = at.layout
        blocks = layout.blocks
        pieces, shares, reach = {}, {}, {}
        for part, weight in zip(heard, at.weights, strict=True):
            message = part.message
            if message.reached == 0 and self.weighting != "released":
                continue
            device = message.device
            pieces[device] = _split(message.by_name[factor], layout, message.reached)
            shares[device], reach[device] = weight, _reach(message, len(blocks))
        total = sum(shares.values())
        shares = {device: share / total for device, share in shares.items()} if total else shares
        out = []
        for number, w in enumerate(_split(Values(factor, old), layout).values()):
            block = blocks.index(layout.modules[number].layer)
            updates = {
                device: tensors[number] for device, tensors in pieces.items() if number in tensors
            }
            q = {device: often[block] for device, often in reach.items()}
            out.append(layerwise_mean(w, updates, shares, q, self.weighting))
        return torch.cat(out)


def layerwise_mean(
    old: Tensor,
    updates: Mapping[int, Tensor],
    shares: Mapping[int, float],
    reach: Mapping[int, float],
    weighting: Weighting,
) -> Tensor:
    """The new values of what `old` is, from the updates of those who reached it, by device.

    shares: of all devices, of a sum of 1. reach: q, with which each of all devices reaches it.
    """
    import torch

    weight = sum(shares[device] for device in updates)
    if not weight > 0:
        return old
    if weighting == "inverse_probability":
        factors = {device: shares[device] / reach[device] for device in updates}
    elif weighting == "released":
        factors = {device: shares[device] for device in updates}
    else:
        empty = prod(1 - q for q in reach.values())
        factors = {device: shares[device] / weight / (1 - empty) for device in updates}
    new = torch.zeros_like(old)
    for device, values in updates.items():
        new.add_(values, alpha=factors[device])
    # Nothing of the old is left where the factors are shares of a mean.
    rest = 1 - sum(factors.values())
    return new if abs(rest) < 1e-12 else new.add_(old, alpha=rest)


def _counted(own: DeviceState, blocks: int) -> tuple[int, list[int]]:
    """In how many rounds the device spoke, and in how many of them it reached each block."""
    memory = own.memory.get(LayerwiseMean.slot, {})
    return memory.get("spoken", 0), list(memory.get("counts", [0] * blocks))


def _reach(message: Message, blocks: int) -> list[float]:
    """q of each block, from the first; 1 of whoever was never stopped."""
    item = message.by_name.get(_REACH)
    return item.values.tolist() if isinstance(item, Values) else [1.0] * blocks


def _split(item: Said | Values, layout: Layout, reached: int | None = None) -> dict[int, Tensor]:
    """A factor on the air by the numbers of the modules that it holds."""
    assert isinstance(item, Values)
    sizes = layout.projection_sizes if item.name == "A" else layout.expansion_sizes
    modules = range(len(sizes)) if reached is None else layout.in_last(reached)
    parts = item.values.split([sizes[number] for number in modules]) if modules else ()
    return dict(zip(modules, parts, strict=True))


def _joined(parts: Mapping[int, Tensor], modules: Sequence[int]) -> Tensor:
    """The values of these modules, one after the other."""
    import torch

    tensors = [parts[number] for number in modules]
    return torch.cat(tensors) if tensors else torch.zeros(0)
