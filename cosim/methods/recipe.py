"""A method is a recipe: one choice for each part, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cosim.methods.checks import complaint
from cosim.methods.meaning import (
    has_common_projection,
    has_gate,
    has_own_projection,
    is_masked,
    keeps_experts,
    lies_by_task,
    measures_entropies,
    trains_every_parameter,
    trains_projection,
    warms_up,
)
from cosim.methods.parts import (
    Aggregation,
    Choice,
    Composition,
    Data,
    Expansion,
    Gate,
    LiteralPoint,
    Merge,
    Projection,
    Schedule,
)

_DEGREE = "most neighbours of a device in a round"
_RANGE = "devices farther apart than this are not joined; null: all may be"


class NoExchange(Choice):
    """Nobody talks to anybody."""

    graph: Literal["none"] = "none"


class Complete(Choice):
    """Every device exchanges with every other: one cluster."""

    graph: Literal["complete"] = "complete"


class Ring(Choice):
    """Each device exchanges with the one before and the one after it."""

    graph: Literal["ring"] = "ring"


class RandomGraph(Choice):
    """A new uniform graph each round in which no device exceeds the given degree or its power.

    All pairs within range are taken in a uniform order, and each is joined that leaves both of
    its devices within the degree and, with `limit_by_links`, able to send to all of their
    neighbours: where two do not fit a device has one, and none where none does.
    """

    graph: Literal["random"] = "random"
    degree: int = Field(2, ge=1, description=_DEGREE)
    range_m: float | None = Field(None, gt=0, le=1e6, description=_RANGE)
    limit_by_links: bool = Field(
        True,
        description="join only pairs whose links p_max carries by Γ beside the devices' others, by "
        "Lemma 1 with the margin at the mean gains of the moment; false: whatever they carry",
    )


class Nearest(Choice):
    """The nearest pairs are joined, by where the devices are when the round is planned.

    All pairs within range are taken nearest first, equally near ones by ids, and each is joined
    that leaves both of its devices within the degree.
    """

    graph: Literal["nearest"] = "nearest"
    degree: int = Field(2, ge=1, description=_DEGREE)
    range_m: float | None = Field(None, gt=0, le=1e6, description=_RANGE)


class Clusters(Choice):
    """AGNES clusters that collide little and can reach each other (section IV-C); complete inside.

    Formed before the first round, and anew when a member's power at the mean gains no longer
    suffices or a device comes in. Experts go from cluster to cluster now and then.
    """

    graph: Literal["clusters"] = "clusters"
    max_collision_rate: float = Field(
        0.25, ge=0, le=1, description="S_max, of eq. 19 over the layers"
    )
    exchange_every: int = Field(
        5, ge=1, description="E, rounds between exchanges of experts; always one at the end"
    )
    exchange_attempts: int = Field(
        3, ge=1, le=1000, description="times that an expert which misses Γ is sent in an exchange"
    )


def _graph_by_name(value: Any) -> Any:
    return {"graph": value} if isinstance(value, str) else value


_Graph = Annotated[
    NoExchange | Complete | Ring | RandomGraph | Nearest | Clusters,
    Field(discriminator="graph"),
]
Topology = Annotated[
    _Graph,
    BeforeValidator(
        _graph_by_name,
        json_schema_input_type=Literal["none", "complete", "ring", "random", "nearest", "clusters"]
        | _Graph,
    ),
]


class Recipe(Choice):
    """The choices that make a method, in the terms of arXiv 2602.20492.

    projection A ∈ R^(r×k), expansion B ∈ R^(d×r) with mask M (eq. 2–3), topology u (eq. 8),
    aggregation (eq. 9–10), composition at inference (eq. 24), schedule of the rounds.
    """

    name: str
    reference: str = Field(description="where the method comes from")
    projection: Projection
    expansion: Expansion
    topology: Topology
    aggregation: Aggregation
    composition: Composition
    gate: Gate = Gate()
    merge: Merge = Merge()
    data: Data = Field(
        "own", description="what an adapter learns from: a device's, a task's or all devices' rows"
    )
    calibration_samples: int = Field(
        32, ge=1, le=4096, description="own rows that the base model reads before a first round"
    )
    literal: tuple[LiteralPoint, ...] = Field(
        (), description="where arXiv 2602.20492 is taken as printed"
    )
    schedule: Schedule = "synchronous"
    staleness_exponent: float = Field(
        1.0, ge=0, le=100, description="a: an update of age n is weighted by (1 + n)^−a"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        said = complaint(self)
        if said is not None:
            raise ValueError(said)
        return self

    @property
    def masked(self) -> bool:
        """Whether a device trains and sends a part of B alone."""
        return is_masked(self.expansion)

    @property
    def warms_up(self) -> bool:
        """Whether all of B is trained for a round before a mask is chosen."""
        return warms_up(self.expansion)

    @property
    def full(self) -> bool:
        """Whether every parameter is trained, and no adapter."""
        return trains_every_parameter(self.expansion)

    @property
    def trains_projection(self) -> bool:
        """Whether A is trained, sent and averaged with B."""
        return trains_projection(self.projection)

    @property
    def own_projection(self) -> bool:
        """Whether every device draws an A of its own."""
        return has_own_projection(self.projection)

    @property
    def common_projection(self) -> bool:
        """Whether all devices keep one frozen A."""
        return has_common_projection(self.projection)

    @property
    def by_task(self) -> bool:
        """Whether a task has one expert, which learns from all of its devices' rows."""
        return lies_by_task(self.data)

    @property
    def keeps_experts(self) -> bool:
        """Whether a receiver keeps the experts of others beside its own."""
        return keeps_experts(self.aggregation)

    @property
    def gated(self) -> bool:
        """Whether a gate weighs the experts by the sequence."""
        return has_gate(self.composition)

    @property
    def measured(self) -> bool:
        """Whether densities come from the spectral entropies of a device's rows."""
        return measures_entropies(self.expansion) and "density" not in self.literal

    @property
    def routed(self) -> bool:
        """Whether a receiver must know the mean inputs h of an expert's task."""
        return self.gated or "refinement" in self.literal

    @property
    def calibrated(self) -> bool:
        """Whether the base model must read a device's rows before its first round."""
        return self.measured or self.routed
