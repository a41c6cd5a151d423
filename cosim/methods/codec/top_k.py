"""`top_k`: of what has changed, the values that have changed most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.codec.slot import Codec, Coding, Memory
from cosim.methods.expansion.ranking import top_magnitude_support
from cosim.methods.message import Renewed, Turn, Values, as_transmitted, renewal_bits
from cosim.methods.state import DeviceState


class TopK(Codec):
    """The values that are farthest from what was last said of them are said anew (ours).

    A sender remembers what it has said of each value, 0 of B and the common A at first; its own
    message and all that receivers read is that. A message renews the share that is farthest off,
    over all modules of a factor, in the scenario's precision, with their places: ⌈log2 n⌉ bits each
    or a map of n bits, whichever is less. What has been learnt and not been said stays on top of
    whatever the device mixes, and is said later (error feedback): what was said and what is left
    over add up to what was learnt. Copies that are renewed in parts are those of CHOCO-SGD (arXiv
    1902.00340), which mixes by a step of its own; here the mean is of what was said.

    A receiver that missed messages is sent those as well, up to all n values: graphs that stay
    profit most, and nobody is sent more than without a codec. That a sender knows what has arrived
    is assumed, as it is of masks and seeds.
    """

    name: Literal["top_k"] = "top_k"
    share: float = Field(0.1, gt=0, le=1, description="of a factor's values that a message renews")
    by_turn: ClassVar[bool] = True
    by_value: ClassVar[bool] = False

    @property
    def copies(self) -> float:
        """What was last said, and what was learnt when it was."""
        return 2.0

    def refuses(self, method: Chosen) -> str | None:
        """An aggregation that puts A and B into another basis, says a part of them at times, or
        keeps what was not said itself."""
        if not method.aggregation.keeps_basis:
            return (
                f"codec {self} renews some values of A and B and keeps others as they were, and "
                f"aggregation '{method.aggregation.word()}' puts them into another basis: use "
                "codec 'floating' or 'rounded', or aggregation 'mean'"
            )
        if not method.aggregation.says_held:
            return (
                f"codec {self} renews some values of A and B and keeps others as they were, and "
                f"aggregation {method.aggregation} says what changed: use codec 'floating' or "
                "'rounded', or sends: model"
            )
        if method.aggregation.remembers:
            return (
                f"codec {self} and aggregation {method.aggregation} both remember what was last "
                "said: use codec 'floating' or 'rounded', or aggregation 'mean'"
            )
        if method.sending.copies:
            return (
                f"codec {self} says a part of what has been learnt, and sending {method.sending} "
                "takes all of it for said: use codec 'floating' or 'rounded', or sending "
                "'every_turn'"
            )
        if method.aggregation.keeps_own:
            return (
                f"codec {self} gives back to a device what it did not say, and aggregation "
                f"'{method.aggregation.word()}' never takes it away: use codec 'floating' or "
                "'rounded', or aggregation 'mean'"
            )
        if method.aggregation.by_block:
            return (
                f"codec {self} renews the whole of A and B in parts, and aggregation "
                f"{method.aggregation} says the blocks that were reached: use codec 'floating' or "
                "'rounded', or aggregation 'mean'"
            )
        return None

    def kept(self, count: int) -> int:
        """How many of so many values a message renews; one at least."""
        return min(count, max(1, round(self.share * count)))

    def factor_bits(self, counts: Sequence[int], per_value: int) -> int:
        """What is renewed, with its places."""
        return renewal_bits(sum(counts), self.kept(sum(counts)), per_value)

    def form(self, factor: Values, counts: Sequence[int], memory: Memory) -> Renewed:
        """A factor of which some values are renewed, once more than last time."""
        version = int(memory[factor.name]["version"]) if factor.name in memory else 0
        kept = self.kept(factor.values.numel())
        return Renewed(factor.name, factor.values, kept=kept, version=version + 1)

    def read(self, factor: Values, memory: Memory, at: Coding) -> tuple[Values, Memory]:
        """What was said before, renewed where it is farthest off; in one turn the same again, and
        of a silent device as it was."""
        form, last = self.form(factor, at.counts, memory), memory.get(factor.name, {})
        if last.get("turn") == at.turn:
            return replace(form, values=last["said"], version=last["version"]), memory
        before = last.get("said", at.first)
        if not at.speaks:
            unsaid = {"said": before, "settled": last.get("settled", at.first)}
            unsaid |= {"version": form.version - 1, "turn": at.turn}
            silent = replace(form, values=before, version=form.version - 1)
            return silent, {**memory, factor.name: unsaid}
        places = top_magnitude_support(factor.values - before, form.kept)
        fresh = factor.values[places]
        values = before.index_copy(0, places, as_transmitted(fresh, at.bits_per_value))
        settled = last.get("settled", at.first).index_copy(0, places, fresh)
        of_factor = {
            "said": values,
            "settled": settled,
            "version": form.version,
            "turn": at.turn,
        }
        return replace(form, values=values), {**memory, factor.name: of_factor}

    def settle(self, before: DeviceState, mixed: DeviceState, turn: Turn) -> DeviceState:
        """What was mixed, and on top what has been learnt and not been said.

        Of a factor of which the device said nothing in this turn, its own values were mixed whole.
        """
        remembered = dict(before.memory.get(self.slot, {}))
        fields = {"A": "projection", "B": "values"}
        changes = {}
        for name, last in remembered.items():
            old, new = (getattr(state.adapter, fields[name]) for state in (before, mixed))
            if new is old:
                continue
            residual = old - last["settled"]
            if last["turn"] == turn and bool(residual.any()):
                changes[fields[name]] = new + residual
            remembered[name] = {**last, "settled": new}
        if changes:
            mixed = mixed.with_adapter(**changes)
        return mixed.remember(self.slot, **remembered) if remembered else mixed
