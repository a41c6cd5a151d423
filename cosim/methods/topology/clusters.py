"""`clusters`: groups that collide little and can reach each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.topology.slot import Edges, Topology


class Clusters(Topology):
    """AGNES forms clusters whose members collide little and can reach each other (section IV-C),
    each complete inside.

    Formed before the first round, and anew when a member's power at the mean gains no longer
    suffices or a device comes in. Experts go from cluster to cluster now and then.
    """

    graph: Literal["clusters"] = "clusters"
    max_collision_rate: float = Field(
        0.25, ge=0, le=1, description="S_max, of eq. 19 over the layers"
    )
    exchange_every: int = Field(
        5,
        ge=1,
        description="E, rounds between exchanges of experts; always one at the end, and none less "
        "than E rounds before it",
    )
    exchange_attempts: int = Field(
        3, ge=1, le=1000, description="times that an expert which misses Γ is sent in an exchange"
    )
    negotiated: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """What keeps no experts, has no masks, or does not keep step."""
        if not method.aggregation.keeps_experts:
            return (
                "topology 'clusters' keeps sets of experts that are exchanged between clusters; "
                f"aggregation {method.aggregation} keeps none: use 'support_normalised'"
            )
        if not method.expansion.masked:
            return (
                "topology 'clusters' puts devices together whose masks seldom collide; expansion "
                f"{method.expansion} has no masks: use 'gradient_mask'"
            )
        if not method.schedule.in_step:
            return (
                "topology 'clusters' exchanges experts between clusters after rounds that all "
                f"have ended: use schedule 'synchronous', not {method.schedule}"
            )
        return None

    def edges(self, devices: Sequence[int], *_: Any) -> Edges:
        """Nobody before clusters have been negotiated, who then are joined within each."""
        return ()

    def budgeted_receivers(self, others: int) -> int:
        """One, because negotiation keeps those apart whose power does not suffice for more."""
        return min(1, others)

    def transfers_per_update(self) -> float:
        """Experts every E rounds besides, each sent as often as it may be."""
        return 1.0 + self.exchange_attempts / self.exchange_every

    def expert_attempts(self, round_: int, rounds: int) -> int:
        """In every E-th round and the last.

        An exchange less than E rounds before the last is left out: the last one sends the same
        experts newer.
        """
        rest, E = rounds - round_, self.exchange_every
        return self.exchange_attempts if rest == 0 or (round_ % E == 0 and rest >= E) else 0
