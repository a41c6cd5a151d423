"""`superposed_mean`: the mean of what senders put on the air at once, as the air adds it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.averages import weighted_mean
from cosim.methods.aggregation.slot import Aggregation, Mixing, Speaking
from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Heard, Message, Said, Superposed, Values, on_air
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class SuperposedMean(Aggregation):
    """The sum of n senders gives x̂ = μ + σ·y/(√η·n), which counts n to 1 beside the device's own
    (arXiv 2310.10089).

    y = √η·Σ_k (x_k − μ)/σ + z, by module and factor. The standardisation is the same for all
    senders of a sum and falls out of it: x̂ is their mean, and noise of the deviation
    σ·σ_z/(√η·n). Ours: μ is the senders' mean and σ the largest of their root mean square
    deviations from it, so that nobody's power exceeds what η stands for. Where nothing was
    superposed, as over digital links, this is the mean of what arrived. What diagnostics tell of
    updates they tell of what was sent, and so of differences.
    """

    name: Literal["superposed_mean"] = "superposed_mean"
    sends: Literal["difference", "model"] = Field(
        "difference",
        description="what a device's training changed since it last mixed, which the receiver adds "
        "to what it had itself then: differences between devices stay where not all hear all, and "
        "who heard nobody says the same again; or all values, whose noise never ceases",
    )
    by_factor: ClassVar[bool] = True
    superposes: ClassVar[bool] = True
    unpadded: ClassVar[str | None] = (
        "has the air add up symbols of the same values, of which a lower rank sends fewer"
    )
    own_weights: ClassVar[str] = "uniform"

    @property
    def says_held(self) -> bool:
        """Not where it says what changed."""
        return self.sends == "model"

    @property
    def copies(self) -> float:
        """What a device had when it last mixed, where it sends what changed since."""
        return 1.0 if self.sends == "difference" else 0.0

    def refuses(self, method: Chosen) -> str | None:
        """What does not add up: other factors, other positions, other weights."""
        if method.projection.own:
            return (
                "aggregation 'superposed_mean' has the air add up B matrices that multiply the "
                f"same A; with projection {method.projection} every device has another A: use "
                "projection 'trained', or 'frozen' with seed: shared and refined: false"
            )
        if method.expansion.masked:
            return (
                "aggregation 'superposed_mean' has the air add up values of the same positions, "
                f"and those of expansion {method.expansion} are each device's own: use 'dense'"
            )
        if not method.weighing.alike:
            return (
                "aggregation 'superposed_mean' hears a sum, in which all senders count alike: "
                f"weights {method.weighing} weigh each by itself, use 'uniform'"
            )
        for part in (method.projection, method.composition):
            if part.needs:
                return (
                    f"{part.slot} {part} has devices told once what is another's each, and "
                    "aggregation 'superposed_mean' hears their sum"
                )
        return None

    def says(self, own: DeviceState, at: Speaking) -> tuple[Said, ...]:
        """The values, or what of them has changed since the device last mixed."""
        return tuple(
            replace(item, values=self._changed(own, item.name, item.values))
            if isinstance(item, Values)
            else item
            for item in super().says(own, at)
        )

    def learnt(
        self, before: DeviceState, own: DeviceState, reached: int | None, layout: Layout
    ) -> DeviceState:
        """It remembers with what it began, until it has mixed."""
        return own if self.slot in own.memory else self._based_on(own, before)

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B and A, each where it is sent; else it stays as it is."""
        others = [part for part in heard if part.message.device != at.device]
        factors = {"B": own.adapter.values, "A": own.adapter.projection}
        sent = frozenset().union(*(sent_in(part.message) for part in others))
        # Of its own all that others sent, though it may not have sent that itself in this round.
        content = [Values(name, self._changed(own, name, factors[name])) for name in sorted(sent)]
        mine = {part.name: part for part in on_air(content, at.bits_per_value)}
        parts = [
            replace(part, message=_holding(part.message, mine))
            if part.message.device == at.device
            else part
            for part in heard
        ]
        means = weighted_mean(parts, at.weights, at.total, at.layout.expansion_size)
        share = sum(
            weight
            for part, weight in zip(heard, at.weights, strict=True)
            if part.message.device != at.device
        )
        mixed = {}
        for name, mean in zip("BA", means, strict=True):
            if mean is None:
                mixed[name] = factors[name]
                continue
            noise = self._noise(name, others, at)
            estimate = mean if noise is None else mean + noise * (share / at.total)
            base = self._base(own, name)
            mixed[name] = estimate if base is None else base + estimate
        after = own.with_adapter(values=mixed["B"], projection=mixed["A"])
        return self._based_on(after, after)

    def _noise(self, name: str, others: Sequence[Heard], at: Mixing) -> Tensor | None:
        """What the air adds to the mean of a factor of those whom the device heard (n,); None
        where it adds nothing."""
        superposed = next((part.superposed for part in others if part.superposed), None)
        if superposed is None or superposed.noise_w <= 0.0:
            return None
        assert at.draw is not None, "noise is drawn"
        layout = at.layout
        sizes = layout.expansion_sizes if name == "B" else layout.projection_sizes
        signals = [part.message.by_name[name].values for part in others]  # type: ignore[union-attr]
        return added_noise(signals, sizes, superposed, at.draw(f"noise of {name}"))

    def _base(self, own: DeviceState, name: str) -> Tensor | None:
        """What a factor was when the device last mixed; None where that is not taken off."""
        if self.sends == "model":
            return None
        known: Mapping[str, Tensor] = own.memory.get(self.slot, {})
        values = own.adapter.values if name == "B" else own.adapter.projection
        return known.get(name, values)

    def _changed(self, own: DeviceState, name: str, values: Tensor) -> Tensor:
        """What is sent of a factor."""
        base = self._base(own, name)
        return values if base is None else values - base

    def _based_on(self, own: DeviceState, before: DeviceState) -> DeviceState:
        """The state that remembers another's factors, where it takes them off what it sends."""
        if self.sends == "model":
            return own
        adapter = before.adapter
        return own.remember(self.slot, B=adapter.values, A=adapter.projection)


def _holding(message: Message, missing: Mapping[str, Said]) -> Message:
    """A message that holds these as well, where it does not send what is of their names."""
    lacking = {name: item for name, item in missing.items() if name not in sent_in(message)}
    others = [item for item in message.content if item.name not in lacking]
    return replace(message, content=(*others, *lacking.values()))


def sent_in(message: Message) -> frozenset[str]:
    """The names of what a message has on the air every time."""
    return frozenset(
        item.name for item in message.content if isinstance(item, Values) and not item.once
    )


def scale(signals: Sequence[Tensor]) -> float:
    """σ = max_k √(mean of (x_k − μ)²), μ the mean over the senders k of one module's values."""
    import torch

    values = torch.stack([signal.double() for signal in signals])
    return float((values - values.mean()).square().mean(dim=1).max().sqrt())


def added_noise(
    signals: Sequence[Tensor],
    sizes: Sequence[int],
    superposed: Superposed,
    random: np.random.Generator,
) -> Tensor:
    """σ·σ_z/(√η·n)·g with g standard normal, float32 (n,): what an estimate of the mean of the
    signals (n,) is off by, σ of each of the modules of these sizes."""
    import torch

    deviation = (superposed.noise_w / superposed.eta_w) ** 0.5 / len(signals)
    modules = zip(*(signal.split(list(sizes)) for signal in signals), strict=True)
    draws = [
        deviation * scale(module) * torch.from_numpy(random.standard_normal(size))
        for size, module in zip(sizes, modules, strict=True)
    ]
    return torch.cat(draws).float()
