"""What a device sends, what it weighs in bits, and what a device makes of what arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cosim.learning.adapter import Adapter
from cosim.learning.aggregate import (
    Update,
    as_transmitted,
    freshness,
    mean,
    support_normalised_mean,
)
from cosim.learning.fleet import Fleet
from cosim.learning.payload import introduction_bits, values_bits


class Exchange:
    """Plays the recipe's aggregation over a fleet.

    `weights` are the devices' numbers of training rows, α_j of eq. 9-10.
    """

    def __init__(self, fleet: Fleet, bits_per_value: int, weights: Sequence[float]) -> None:
        self.fleet = fleet
        self.recipe = fleet.recipe
        self.bits_per_value = bits_per_value
        self.weights = weights
        self._introduced: set[tuple[int, int]] = set()
        self._read_back: dict[tuple[tuple[int, int, float], ...], dict[int, Adapter]] = {}

    def update(self, device: int, round_: int) -> Update:
        """The device's adapter as its receivers will read it."""
        adapter = self.fleet.adapters[device]
        sends_projection = self.recipe.projection == "trainable"
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

        A receiver that has had an update of this sender knows its mask and projection.
        """
        layout = self.fleet.layout
        adapter = self.fleet.adapters[sender]
        bits = values_bits(
            adapter.values.numel(),
            layout.projection_size,
            self.recipe.projection,
            self.bits_per_value,
        )
        if (sender, receiver) in self._introduced:
            return bits
        kept = None if adapter.support is None else self.fleet.kept_by_module(sender)
        return bits + introduction_bits(layout.expansion_sizes, kept, self.recipe.projection)

    def aggregate(self, device: int, inbox: Mapping[int, Update], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an empty inbox changes nothing.

        A device mixes its own update as the others receive it, so that devices with the same
        inbox end with the same average. An update of age n weighs (1 + n)^−a.
        """
        self._introduced.update((sender, device) for sender in inbox)
        if not inbox or self.recipe.aggregation == "none":
            return
        newest = max(update.round for update in inbox.values())
        aged = {
            sender: replace(
                update, freshness=freshness(ages[sender], self.recipe.staleness_exponent)
            )
            for sender, update in inbox.items()
        }
        updates = {**aged, device: self.update(device, newest)}
        read_back = self._mixed([updates[sender] for sender in sorted(updates)])
        own, mixed = self.fleet.adapters[device], read_back[device]
        self.fleet.adapters[device] = Adapter(
            mixed.values, own.support, mixed.projection, own.moments
        )
        if self.recipe.aggregation == "support_normalised":
            self.fleet.banks[device].update(read_back)

    def _mixed(self, updates: Sequence[Update]) -> dict[int, Adapter]:
        """The aggregate, read back through every contributor's support and projection.

        Devices with the same inbox share one result; those of earlier rounds are let go.
        """
        name = tuple((update.device, update.round, update.freshness) for update in updates)
        if name in self._read_back:
            return self._read_back[name]
        newest = max(update.round for update in updates)
        self._read_back = {
            key: kept
            for key, kept in self._read_back.items()
            if max(round_ for _, round_, _ in key) == newest
        }
        size = self.fleet.layout.expansion_size
        sent_projection = None
        if self.recipe.aggregation == "mean":
            total, sent_projection = mean(updates, size)
        else:
            total = support_normalised_mean(updates, size)
        read_back = {}
        for update in updates:
            values = total if update.support is None else total[update.support]
            A = sent_projection
            if A is None:
                A = self.fleet.adapters[update.device].projection
            read_back[update.device] = Adapter(values, update.support, A)
        self._read_back[name] = read_back
        return read_back
