"""A method is a recipe: one choice for each part, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Projection = Literal["trainable", "frozen_own_seed", "frozen_shared_seed"]
Expansion = Literal["dense", "gradient_mask"]
Aggregation = Literal["none", "mean", "support_normalised"]
Composition = Literal["single", "oracle"]
Schedule = Literal["synchronous", "cluster", "asynchronous"]

_DEGREE = "most neighbours of a device in a round"
_RANGE = "devices farther apart than this are not joined; null: all may be"


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoExchange(_Choice):
    """Nobody talks to anybody."""

    graph: Literal["none"] = "none"


class Complete(_Choice):
    """Every device exchanges with every other: one cluster."""

    graph: Literal["complete"] = "complete"


class Ring(_Choice):
    """Each device exchanges with the one before and the one after it."""

    graph: Literal["ring"] = "ring"


class RandomGraph(_Choice):
    """A new uniform graph each round in which no device exceeds the given degree.

    All pairs within range are taken in a uniform order, and each is joined that leaves both of
    its devices within the degree.
    """

    graph: Literal["random"] = "random"
    degree: int = Field(2, ge=1, description=_DEGREE)
    range_m: float | None = Field(None, gt=0, le=1e6, description=_RANGE)


class Nearest(_Choice):
    """The nearest pairs are joined, by where the devices are when the round is planned.

    All pairs within range are taken nearest first, equally near ones by ids, and each is joined
    that leaves both of its devices within the degree.
    """

    graph: Literal["nearest"] = "nearest"
    degree: int = Field(2, ge=1, description=_DEGREE)
    range_m: float | None = Field(None, gt=0, le=1e6, description=_RANGE)


def _graph_by_name(value: Any) -> Any:
    return {"graph": value} if isinstance(value, str) else value


_Graph = Annotated[
    NoExchange | Complete | Ring | RandomGraph | Nearest, Field(discriminator="graph")
]
Topology = Annotated[
    _Graph,
    BeforeValidator(
        _graph_by_name,
        json_schema_input_type=Literal["none", "complete", "ring", "random", "nearest"] | _Graph,
    ),
]


class Recipe(_Choice):
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
    schedule: Schedule = "synchronous"
    staleness_exponent: float = Field(
        1.0, ge=0, le=100, description="a: an update of age n is weighted by (1 + n)^−a"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        talks = self.topology.graph != "none"
        if talks == (self.aggregation == "none"):
            raise ValueError(
                f"topology '{self.topology.graph}' and aggregation '{self.aggregation}' do not "
                "fit: what is exchanged must be aggregated, and nothing else can be"
            )
        if self.aggregation == "mean" and self.projection == "frozen_own_seed":
            raise ValueError(
                "aggregation 'mean' averages B matrices that multiply the same A; with projection "
                "'frozen_own_seed' every device has another A: use 'support_normalised'"
            )
        if self.aggregation == "support_normalised" and self.projection == "trainable":
            raise ValueError(
                "aggregation 'support_normalised' reads each expert back through its frozen A; "
                "projection 'trainable' has none: use 'mean'"
            )
        if self.composition == "oracle" and self.aggregation != "support_normalised":
            raise ValueError(
                "composition 'oracle' routes between stored experts, which only aggregation "
                "'support_normalised' keeps: use 'single'"
            )
        return self
