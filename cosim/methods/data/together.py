"""What rows that lie in one place have in common."""

from __future__ import annotations

from cosim.methods.chosen import Chosen
from cosim.methods.data.slot import Data


class Together(Data):
    """Rows of several devices lie in one place: one adapter learns from all of them."""

    def refuses_ranks(self) -> str | None:
        """One adapter of several devices."""
        return f"data '{self.word()}' trains one adapter for several devices: leave the rank out"

    def refuses(self, method: Chosen) -> str | None:
        """What is exchanged, an A or a mask of a device's own, another composition."""
        word = self.word()
        if method.aggregation.exchanges:
            return (
                f"data '{word}' lies in one place, where there is nothing to exchange: use "
                "topology 'none' and aggregation 'none'"
            )
        expansion = method.expansion
        if expansion.masked or expansion.every_parameter or method.projection.own:
            return (
                f"data '{word}' trains one adapter, which has no device's own A and no device's "
                "own mask: use expansion 'dense' and another projection"
            )
        if method.composition.word() != self.answered_with:
            return f"data '{word}' is answered with composition '{self.answered_with}'"
        return None
