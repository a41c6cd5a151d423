"""What a device answers a question with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosim.methods.adapter import Adapter

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Routing:
    """A routing is how a gate weighs experts by cosines.

    top_k: how many experts, those of the largest cosines, have a weight.
    temperature: T; a weight goes as the cosine's part above 0 to the power 1/T.
    """

    top_k: int
    temperature: float


@dataclass(frozen=True)
class Expert:
    """An expert is one or several adapters that answer together.

    members: whose outputs are added up, each times its share.
    route: names how they answer, for whoever compares two experts.
    owners: the devices that the members come from, where the route asks for them.
    share: of each member in the output; None: 1/J of J members.
    weigh: cosines (questions, J) → weights (questions, J), where the sequence decides.
    select: ranks z (..., J, r) → z, where some of all members' ranks are left out.
    """

    members: tuple[Adapter, ...]
    route: str = "mean"
    owners: tuple[int, ...] = ()
    share: float | None = None
    weigh: Callable[[Tensor], Tensor] | None = None
    select: Callable[[Tensor], Tensor] | None = None

    @property
    def key(self) -> str:
        """Names the content: devices with equal experts need be evaluated once."""
        owners = "" if self.weigh is None else " ".join(map(str, self.owners))
        share = "" if self.share is None else str(self.share)
        return " ".join([self.route, owners, share, *(member.digest for member in self.members)])

    @property
    def silent(self) -> bool:
        """True where every B is zero: the base model answers."""
        return not any(bool(member.values.any()) for member in self.members)
