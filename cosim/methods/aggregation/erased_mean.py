"""`erased_mean`: the mean of what arrived of each value, where packets are sent once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.averages import weighted_mean
from cosim.methods.aggregation.mean import Mean, with_own
from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard, Values, on_air
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class ErasedMean(Aggregation):
    """The mean is Σ_j w_j·E_j⊙x_j over what arrived, E_j ∈ {0, 1} by value (arXiv 2405.12894).

    Where nothing was lost this is `mean`, to the last bit. What stands in for a lost value is ours,
    as the paper's equations were not at hand; `zero` has the bias of which it tells, that adds up
    with every mixing. With `own` and `renormalise` a device keeps what it has where nothing of
    others arrived, as it does where no message did.
    """

    name: Literal["erased_mean"] = "erased_mean"
    missing: Literal["zero", "own", "renormalise", "inverse_probability"] = Field(
        "zero",
        description="in a lost value's place: 0; the receiver's own; the mean of those that "
        "arrived; or 0, and what arrives is divided by the probability with which it does",
    )
    by_factor: ClassVar[bool] = True
    reads_erased: ClassVar[bool] = True
    unpadded: ClassVar[str | None] = (
        "tells values that were lost from those that arrived, and padding is neither"
    )

    @property
    def asks_delivery(self) -> bool:
        """Where it divides by that."""
        return self.missing == "inverse_probability"

    def refuses(self, method: Chosen) -> str | None:
        """What `mean` does not average, and what must arrive whole to be of use."""
        if method.projection.own:
            return (
                "aggregation 'erased_mean' averages B matrices that multiply the same A; with "
                f"projection {method.projection} every device has another A: use projection "
                "'trained', or 'frozen' with seed: shared and refined: false"
            )
        if method.expansion.masked:
            return (
                "aggregation 'erased_mean' loses values, and without the mask's positions nobody "
                f"knows which: expansion {method.expansion} sends them, use 'dense'"
            )
        for part in (method.projection, method.composition):
            if part.needs:
                return (
                    f"{part.slot} {part} has devices told once what others must not lose, and "
                    "aggregation 'erased_mean' is for messages whose packets may be lost"
                )
        return None

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B and A, each where it is sent; else it stays as it is."""
        whole = all(part.arrived is None for part in heard)
        if whole and not (self.asks_delivery and any(part.delivery != 1.0 for part in heard)):
            return Mean().mix(own, heard, at)
        parts = with_own(own, heard, at) or list(heard)
        adapter = own.adapter
        factors = {"B": adapter.values, "A": adapter.projection}
        fallback = next((p.message for p in parts if p.message.device == at.device), None)
        content = fallback.content if fallback is not None else _said(factors, at)
        mine = {each.name: each.values for each in content if isinstance(each, Values)}
        filled = [self._filled(part, mine) for part in parts]
        means = weighted_mean(filled, at.weights, at.total, at.layout.expansion_size)
        B, A = (
            factors[name] if mean is None else self._finished(name, mean, factors[name], parts, at)
            for name, mean in zip("BA", means, strict=True)
        )
        return own.with_adapter(values=B, projection=A)

    def effective_shares(
        self, shares: Sequence[float], heard: Sequence[Heard], device: int
    ) -> Sequence[float]:
        """What arrived, and for `own` what stands in for the rest; for `renormalise` in shares of
        what arrived of each value, for `inverse_probability` over how probably it does. By the
        factors that all messages have; where there is none, as it was weighed."""
        import torch

        names = set.intersection(*(set(_names(part)) for part in heard))
        whole = all(part.arrived is None for part in heard)
        if not names or (whole and not self.asks_delivery):
            return shares
        counts = [
            torch.cat([self._arrivals(part, name) for name in sorted(names)]) for part in heard
        ]
        parts = [count * share for count, share in zip(counts, shares, strict=True)]
        if self.missing in ("own", "renormalise"):
            own = [part.message.device == device for part in heard]
            total, all_shares = torch.stack(parts).sum(0), sum(shares)
            if self.missing == "renormalise":
                arrived = total.where(total > 0, torch.ones_like(total))
                parts = [part * (all_shares / arrived) for part in parts]
            else:
                parts = [
                    part + (all_shares - total) * mine
                    for part, mine in zip(parts, own, strict=True)
                ]
            # Of what nothing of others arrived a device keeps its own.
            arrivals = [c for c, mine in zip(counts, own, strict=True) if not mine]
            others = torch.stack(arrivals).sum(0) > 0
            parts = [
                part.where(others, torch.full_like(part, float(mine)))
                for part, mine in zip(parts, own, strict=True)
            ]
        return [float(part.mean()) for part in parts]

    def _arrivals(self, part: Heard, name: str) -> Tensor:
        """What each value of a name counts for (n,): 0 where it was lost, else 1, or more."""
        import torch

        item, arrived = part.message.by_name[name], _arrived(part, name)
        assert isinstance(item, Values)
        ones = torch.ones_like(item.values) if arrived is None else arrived.float()
        return ones / self._divisor(part, name)

    def _divisor(self, part: Heard, name: str) -> float | Tensor:
        """By what a value is divided, for those of its kind that are lost.

        A value of which two packets have a part needs both. Where they fade they nearly share a
        channel, and arrive together with the probability of one.
        """
        divisor = (part.delivery or 1.0) if self.asks_delivery else 1.0
        if divisor == 1.0 or part.packets is None:
            return divisor
        return divisor ** part.packets[name]

    def _filled(self, part: Heard, mine: Mapping[str, Tensor]) -> Heard:
        """What was heard, with what stands in for its lost values."""
        if part.arrived is None and not (self.asks_delivery and part.delivery not in (None, 1.0)):
            return part
        content = tuple(
            replace(item, values=self._stood_in_for(item, part, mine))
            if isinstance(item, Values)
            else item
            for item in part.message.content
        )
        return replace(part, message=replace(part.message, content=content))

    def _stood_in_for(self, item: Values, part: Heard, mine: Mapping[str, Tensor]) -> Tensor:
        """Values, and what stands in for those that were lost (n,)."""
        values = item.values
        if self.asks_delivery:
            values = values / self._divisor(part, item.name)
        if (arrived := _arrived(part, item.name)) is None:
            return values
        return values.where(arrived, mine[item.name] if self.missing == "own" else 0.0)

    def _finished(
        self, name: str, mean: Tensor, old: Tensor, parts: Sequence[Heard], at: Mixing
    ) -> Tensor:
        """A factor's mean (n,), what does not depend on one message alone included."""
        import torch

        if self.missing not in ("own", "renormalise"):
            return mean
        all_weight, weight = 0.0, torch.zeros_like(mean)
        others = torch.zeros_like(mean, dtype=torch.bool)
        for part, w in zip(parts, at.weights, strict=True):
            if not isinstance(part.message.by_name.get(name), Values):
                continue
            arrived = _arrived(part, name)
            all_weight += w
            weight += w if arrived is None else w * arrived
            if part.message.device != at.device:
                others |= torch.ones_like(others) if arrived is None else arrived
        if self.missing == "renormalise":
            mean = mean * torch.where(weight == all_weight, 1.0, all_weight / weight)
            others &= weight > 0
        return mean.where(others, old)


def _names(part: Heard) -> tuple[str, ...]:
    """What a message has values of."""
    return tuple(item.name for item in part.message.content if isinstance(item, Values))


def _arrived(part: Heard, name: str) -> Tensor | None:
    """Which values of a name arrived (n,); None where all did."""
    return None if part.arrived is None else part.arrived[name]


def _said(factors: Mapping[str, Tensor], at: Mixing) -> tuple[object, ...]:
    """What a device that has said nothing would have said."""
    return on_air([Values(name, values) for name, values in factors.items()], at.bits_per_value)
