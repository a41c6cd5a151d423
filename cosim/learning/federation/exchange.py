"""What a device sends, what it weighs in bits, and what a device makes of what arrived."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import ref

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cosim.learning.adapters.adapter import Adapter
from cosim.learning.federation.aggregation import (
    Update,
    as_transmitted,
    freshness,
    mean,
    printed_mean,
    support_normalised_mean,
)
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.payload import introduction_bits, mask_bits, values_bits
from cosim.learning.workload import Workload
from cosim.methods.meaning import averages, exchanges, reads_back, stacks, trains_projection
from cosim.methods.parts import unplayed

Bundle = Mapping[int, Adapter]


@dataclass(frozen=True)
class _Mixed:
    """An average of flat B, of flat A where it was sent, and the experts read out of it; of
    updates of which the newest is of round `newest`."""

    newest: int
    expansion: Tensor
    projection: Tensor | None
    experts: Mapping[int, Adapter]


class Exchange:
    """Plays the recipe's aggregation over a fleet.

    `weights` are the devices' numbers of training rows, α_j of eq. 9-10. `told_bits` are those of
    h, which a receiver learns with the mask. `introduced` are the pairs (owner, receiver) in which
    the receiver knows the owner's mask, A and h; `unmixed[receiver]` are the owners whom it knows
    from updates alone that it has not mixed yet. `numbered` counts the updates that were made.
    """

    def __init__(self, fleet: Fleet, weights: Sequence[float], told_bits: int = 0) -> None:
        self.fleet = fleet
        self.recipe = fleet.recipe
        self.bits_per_value = fleet.bits_per_value
        self.weights = weights
        self.told_bits = told_bits
        self.introduced: set[tuple[int, int]] = set()
        self.unmixed: dict[int, set[int]] = {}
        self.numbered = 0
        self._numbers: dict[int, tuple[ref[Adapter], int]] = {}
        self._known: dict[tuple[tuple[int, float], ...], _Mixed] = {}

    def _number(self, device: int) -> int:
        """Names what the device holds now: the same until its adapter is another."""
        adapter = self.fleet.adapters[device]
        held, number = self._numbers.get(device, (None, 0))
        if held is None or held() is not adapter:
            self.numbered += 1
            self._numbers[device] = ref(adapter), self.numbered
            number = self.numbered
        return number

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
            seeded=None if sends_projection else adapter.projection,
            number=self._number(device),
        )

    def payload_bits(self, update: Update, receiver: int) -> int:
        """Bits of an update for this receiver: its values, and what it takes to read them.

        A receiver that has had an update or an expert of this sender knows its mask, A and h.
        """
        bits = self._values_bits(update.values.numel())
        return bits + self._introduction(update.device, update.support, receiver)

    def hear(self, device: int, update: Update) -> None:
        """The update has arrived whole: its mask, A and h are known to the device."""
        if (update.device, device) not in self.introduced:
            self.introduced.add((update.device, device))
            self.unmixed.setdefault(device, set()).add(update.device)

    def lose(self, device: int) -> None:
        """What the device heard and did not mix is lost, and with it the masks, A and h that only
        came with that."""
        for owner in self.unmixed.pop(device, ()):
            self.introduced.discard((owner, device))

    def first_bits(self, device: int) -> int:
        """Bits of the device's next update for a receiver that has had nothing of it yet, by its
        mask or, before there is one, by what it is going to keep."""
        kept = self.fleet.kept_by_module(device)
        told = None if self.fleet.adapters[device].support is None else kept
        return self._values_bits(int(kept.sum())) + self._introducing(told)

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

    def _introduction(self, owner: int, support: Tensor | None, receiver: int) -> int:
        if (owner, receiver) in self.introduced:
            return 0
        kept = None if support is None else self.fleet.kept_of(support)
        return self._introducing(kept)

    def _introducing(self, kept: NDArray[np.int64] | None) -> int:
        sizes = self.fleet.layout.expansion_sizes
        return introduction_bits(sizes, kept, self.recipe.projection, self.told_bits)

    def aggregate(self, device: int, inbox: Mapping[int, Update], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an empty inbox changes nothing.

        A device mixes its own update as the others receive it, so that devices with the same
        inbox end with the same average. An update of age n weighs (1 + n)^−a.
        """
        self.unmixed.get(device, set()).difference_update(inbox)
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
        updates = {**aged, device: self.update(device, self.fleet.adapters[device].round)}
        if self._empty_handed(device):
            del updates[device]
        mixed = self._mixed([updates[sender] for sender in sorted(updates)])
        own = self.fleet.adapters[device]
        values = mixed.expansion if own.support is None else mixed.expansion[own.support]
        A = own.projection if mixed.projection is None else mixed.projection
        self.fleet.adapters[device] = replace(own, values=values, projection=A)
        for owner, expert in mixed.experts.items():
            self.fleet.hold(device, owner, expert)

    def _empty_handed(self, device: int) -> bool:
        """Whether a device has nothing of its own to mix: quarantined from its calibration on."""
        return self.recipe.calibrated and self.fleet.calibrations[device] is None

    def mixing_work(self, device: int, inbox: Mapping[int, Update]) -> Workload | None:
        """What averaging these and the device's own takes: a multiplication and an addition for
        each value of each; None where nothing is averaged."""
        if not inbox or not averages(self.recipe.aggregation):
            return None
        sizes = [update.values.numel() for update in inbox.values()]
        if not self._empty_handed(device):
            sizes.append(self.fleet.adapters[device].values.numel())
        values = sum(sizes)
        if trains_projection(self.recipe.projection):
            values += len(sizes) * self.fleet.layout.projection_size
        return Workload(flop=2.0 * values, passes=0, steps=0, samples=0, trained=0)

    def _stack(self, device: int, inbox: Mapping[int, Update]) -> None:
        """Keeps every expert as it arrived; a late one replaces nothing newer."""
        bank = self.fleet.banks[device]
        for sender, update in inbox.items():
            if sender not in bank or bank[sender].round < update.round:
                self.fleet.hold(device, sender, self._expert(update, update.values))

    def _expert(self, update: Update, values: Tensor, *, whole: bool = False) -> Adapter:
        support = None if whole else update.support
        return Adapter(values, support, update.heard_projection, round=update.round)

    def _mixed(self, updates: Sequence[Update]) -> _Mixed:
        """The aggregate, and the experts read back through each contributor's support and A.

        Devices with the same inbox share one result; those of earlier rounds are let go. Experts
        are as they would be transmitted, so that a bank is the same in every cluster.
        """
        name = tuple((update.number, update.freshness) for update in updates)
        if name in self._known:
            return self._known[name]
        newest = max(update.round for update in updates)
        self._known = {key: kept for key, kept in self._known.items() if kept.newest == newest}
        total, projection = self._combined(updates)
        experts = {}
        if reads_back(self.recipe.aggregation):
            sent = as_transmitted(total, self.bits_per_value)
            whole = "readback" in self.recipe.literal
            for update in updates:
                values = sent if whole or update.support is None else sent[update.support]
                experts[update.device] = self._expert(update, values, whole=whole)
        self._known[name] = _Mixed(newest, total, projection, experts)
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

    def bank_bits(self, bank: Bundle, receiver: int) -> int:
        """Bits of a bank for this receiver: experts that it has not, or has older.

        Values of each, and of the whole average once where experts are read back whole; mask,
        seed and h of those that are new to the receiver.
        """
        bits = 0
        averages: set[int] = set()
        for owner in self._news(bank, receiver):
            expert = bank[owner]
            if "readback" not in self.recipe.literal:
                bits += self._values_bits(expert.values.numel())
            elif expert.values.data_ptr() not in averages:
                averages.add(expert.values.data_ptr())
                bits += self._values_bits(int(expert.values.count_nonzero()))
            # An expert read back whole has lost its mask; its owner's stays as it was chosen.
            support = self.fleet.adapters[owner].support
            bits += self._introduction(owner, support, receiver)
        return bits

    def absorb(self, device: int, bank: Bundle) -> None:
        """Stores experts of another bank; averages nothing, and a newer one replaces an older."""
        news = self._news(bank, device)
        # What a bank holds stays, whatever is lost unmixed.
        self.introduced.update((owner, device) for owner in news)
        self.unmixed.get(device, set()).difference_update(news)
        for owner in news:
            self.fleet.hold(device, owner, bank[owner])

    def _news(self, bundle: Bundle, receiver: int) -> list[int]:
        known = self.fleet.banks[receiver]
        return [
            owner
            for owner, expert in sorted(bundle.items())
            if owner != receiver and (owner not in known or known[owner].round < expert.round)
        ]
