"""Graphs of a round: who may exchange with whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cosim.methods.parts import Choice

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
