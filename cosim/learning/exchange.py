"""What a device sends, what it weighs in bits, and what a device makes of what arrived."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from cosim.learning.adapter import Adapter
from cosim.learning.aggregate import (
    Update,
    as_transmitted,
    freshness,
    mean,
    printed_mean,
    support_normalised_mean,
)
from cosim.learning.fleet import Fleet
from cosim.learning.payload import introduction_bits, mask_bits, values_bits
from cosim.methods.meaning import exchanges, reads_back, stacks
from cosim.methods.parts import unplayed

Bundle = Mapping[int, Adapter]


@dataclass(frozen=True)
class _Mixed:
    """An average of flat B, of flat A where it was sent, and the experts read out of it."""

    expansion: Tensor
    projection: Tensor | None
    experts: Mapping[int, Adapter]


class Exchange:
    """Plays the recipe's aggregation over a fleet.

    `weights` are the devices' numbers of training rows, α_j of eq. 9-10. `told_bits` are those of
    h, which a receiver learns with the mask.
    """

    def __init__(self, fleet: Fleet, weights: Sequence[float], told_bits: int = 0) -> None:
        self.fleet = fleet
        self.recipe = fleet.recipe
        self.bits_per_value = fleet.bits_per_value
        self.weights = weights
        self.told_bits = told_bits
        self.introduced: set[tuple[int, int]] = set()
        self._known: dict[tuple[tuple[int, int, float], ...], _Mixed] = {}

    def update(self, device: int, round_: int) -> Update:
        """The device's adapter as its receivers will read it, after its training of a round."""
        adapter = self.fleet.adapters[device]
        sends_projection = self.recipe.trains_projection
        return Update(
            device=device,
            round=round_,
            values=as_transmitted(adapter.values, self.bits_per_value),
            support=adapter.support,
            projection=as_transmitted(adapter.projection, self.bits_per_value)
            if sends_projection
            else None,
            weight=self.weights[device],
        )

    def payload_bits(self, sender: int, receiver: int) -> int:
        """Bits of the sender's present update for this receiver.

        A receiver that has had an update or an expert of this sender knows its mask, A and h.
        """
        bits = self._values_bits(self.fleet.adapters[sender].values.numel())
        return bits + self._introduction(sender, receiver)

    def values_in(self, bits: float) -> int:
        """How many values of B a device without a mask may send first in so many bits, were they
        spread evenly over the modules, which is when a mask has the most bits."""
        total = self.fleet.layout.expansion_size
        seed = introduction_bits([], None, self.recipe.projection, self.told_bits)

        def needed(kept: int) -> int:
            return self._values_bits(kept) + mask_bits(total, kept) + seed

        return max(0, bisect_right(range(total + 1), bits, key=needed) - 1)

    def _values_bits(self, kept: int) -> int:
        size = self.fleet.layout.projection_size
        return values_bits(kept, size, self.recipe.projection, self.bits_per_value)

    def _introduction(self, owner: int, receiver: int) -> int:
        if (owner, receiver) in self.introduced:
            return 0
        dense = self.fleet.adapters[owner].support is None
        kept = None if dense else self.fleet.kept_by_module(owner)
        sizes = self.fleet.layout.expansion_sizes
        return introduction_bits(sizes, kept, self.recipe.projection, self.told_bits)

    def aggregate(self, device: int, inbox: Mapping[int, Update], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an empty inbox changes nothing.

        A device mixes its own update as the others receive it, so that devices with the same
        inbox end with the same average. An update of age n weighs (1 + n)^−a.
        """
        self.introduced.update((sender, device) for sender in inbox)
        if not inbox or not exchanges(self.recipe.aggregation):
            return
        if stacks(self.recipe.aggregation):
            self._stack(device, inbox)
            return
        aged = {
            sender: replace(
                update, freshness=freshness(ages[sender], self.recipe.staleness_exponent)
            )
            for sender, update in inbox.items()
        }
        # Its own round, not the inbox's: on clocks of their own the two differ, and a mixture is
        # known by the rounds of what is in it.
        updates = {**aged, device: self.update(device, self.fleet.adapters[device].round)}
        if self.recipe.calibrated and self.fleet.calibrations[device] is None:
            del updates[device]  # quarantined from its calibration on: it has nothing to mix
        mixed = self._mixed([updates[sender] for sender in sorted(updates)])
        own = self.fleet.adapters[device]
        values = mixed.expansion if own.support is None else mixed.expansion[own.support]
        A = own.projection if mixed.projection is None else mixed.projection
        self.fleet.adapters[device] = replace(own, values=values, projection=A)
        for owner, expert in mixed.experts.items():
            self.fleet.hold(device, owner, expert)

    def _stack(self, device: int, inbox: Mapping[int, Update]) -> None:
        """Keeps every expert as it arrived; a late one replaces nothing newer."""
        bank = self.fleet.banks[device]
        for sender, update in inbox.items():
            if sender not in bank or bank[sender].round < update.round:
                self.fleet.hold(device, sender, self._expert(update, update.values))

    def _expert(self, update: Update, values: Tensor, *, whole: bool = False) -> Adapter:
        A = update.projection
        if A is None:
            A = self.fleet.adapters[update.device].projection
        support = None if whole else update.support
        return Adapter(values, support, A, round=update.round)

    def _mixed(self, updates: Sequence[Update]) -> _Mixed:
        """The aggregate, and the experts read back through each contributor's support and A.

        Devices with the same inbox share one result; those of earlier rounds are let go. Experts
        are as they would be transmitted, so that a bank is the same in every cluster.
        """
        name = tuple((update.device, update.round, update.freshness) for update in updates)
        if name in self._known:
            return self._known[name]
        newest = max(update.round for update in updates)
        self._known = {
            key: kept
            for key, kept in self._known.items()
            if max(round_ for _, round_, _ in key) == newest
        }
        total, projection = self._combined(updates)
        experts = {}
        if reads_back(self.recipe.aggregation):
            sent = as_transmitted(total, self.bits_per_value)
            whole = "readback" in self.recipe.literal
            for update in updates:
                values = sent if whole or update.support is None else sent[update.support]
                experts[update.device] = self._expert(update, values, whole=whole)
        self._known[name] = _Mixed(total, projection, experts)
        return self._known[name]

    def _combined(self, updates: Sequence[Update]) -> tuple[Tensor, Tensor | None]:
        size = self.fleet.layout.expansion_size
        if "weights" in self.recipe.literal:
            return printed_mean(updates, size, sum(self.weights))
        aggregation = self.recipe.aggregation
        match aggregation:
            case "mean":
                return mean(updates, size)
            case "support_normalised":
                return support_normalised_mean(updates, size), None
            case "none" | "stacked":
                raise AssertionError(f"aggregation '{aggregation}' combines nothing")
            case _:
                unplayed("aggregation", aggregation)

    def bank(self, sender: int) -> Bundle:
        """Every expert that the sender holds, for another cluster or a member of its own."""
        return dict(self.fleet.banks[sender])

    def bank_bits(self, sender: int, receiver: int) -> int:
        """Bits of the sender's bank for this receiver: experts that it has not, or has older.

        Values of each, and of the whole average once where experts are read back whole; mask,
        seed and h of those that are new to the receiver.
        """
        bits = 0
        averages: set[int] = set()
        for owner in self._news(self.fleet.banks[sender], receiver):
            expert = self.fleet.banks[sender][owner]
            if "readback" not in self.recipe.literal:
                bits += self._values_bits(expert.values.numel())
            elif expert.values.data_ptr() not in averages:
                averages.add(expert.values.data_ptr())
                bits += self._values_bits(int(expert.values.count_nonzero()))
            bits += self._introduction(owner, receiver)
        return bits

    def absorb(self, device: int, bank: Bundle) -> None:
        """Stores experts of another bank; averages nothing, and a newer one replaces an older."""
        news = self._news(bank, device)
        self.introduced.update((owner, device) for owner in news)
        for owner in news:
            self.fleet.hold(device, owner, bank[owner])

    def _news(self, bundle: Bundle, receiver: int) -> list[int]:
        known = self.fleet.banks[receiver]
        return [
            owner
            for owner, expert in sorted(bundle.items())
            if owner != receiver and (owner not in known or known[owner].round < expert.round)
        ]
