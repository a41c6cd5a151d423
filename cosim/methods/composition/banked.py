"""What compositions that ask a bank of experts have in common."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.methods.chosen import Chosen
from cosim.methods.composition.slot import Composition
from cosim.methods.expert import Expert
from cosim.methods.state import DeviceState


class Banked(Composition):
    """This composition routes between stored experts."""

    def refuses(self, method: Chosen) -> str | None:
        """Aggregations that store none."""
        if method.data.answered_with is None and not method.aggregation.keeps_experts:
            return (
                f"composition '{self.word()}' routes between stored experts, which only "
                "aggregations 'support_normalised' and 'stacked' keep: use 'single'"
            )
        return None

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """All experts of the bank, in the order of their owners."""
        owners = tuple(sorted(own.bank))
        return Expert(tuple(own.bank[owner] for owner in owners), str(self.word()), owners)
