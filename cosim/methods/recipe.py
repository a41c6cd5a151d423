"""A method is a recipe, one choice for each part; parts that make no sense together are refused."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from cosim.methods.meaning import (
    asks_together,
    exchanges,
    has_common_projection,
    has_gate,
    has_own_projection,
    has_rounds_in_step,
    is_masked,
    is_printed,
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
    unplayed,
)
from cosim.methods.topologies import Topology


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


def complaint(recipe: Recipe) -> str | None:
    """Why the parts of a recipe do not fit together; None where they do."""
    _refuse_unknown(recipe)
    for check in (_exchange, _clusters, _aggregation, _composition, _expansion, _literal, _data):
        if said := check(recipe):
            return said
    return None


def _refuse_unknown(recipe: Recipe) -> None:
    """Raises UnplayedPartError for a word whose meaning nobody has said; the checks below look for
    single words that do not fit, and would let it pass."""
    trains_projection(recipe.projection)
    is_masked(recipe.expansion)
    exchanges(recipe.aggregation)
    asks_together(recipe.composition)
    has_rounds_in_step(recipe.schedule)
    for point in recipe.literal:
        is_printed(point)
    match recipe.data:
        case "own" | "task" | "pooled":
            pass
        case _:
            unplayed("data", recipe.data)


def _exchange(recipe: Recipe) -> str | None:
    graph = recipe.topology.graph
    if (graph != "none") != exchanges(recipe.aggregation):
        return (
            f"topology '{graph}' and aggregation '{recipe.aggregation}' do not "
            "fit: what is exchanged must be aggregated, and nothing else can be"
        )
    return None


def _clusters(recipe: Recipe) -> str | None:
    if recipe.topology.graph != "clusters":
        return None
    if recipe.aggregation == "mean":
        return (
            "topology 'clusters' keeps sets of experts that are exchanged between clusters; "
            "aggregation 'mean' keeps none: use 'support_normalised'"
        )
    if recipe.expansion == "dense":
        return (
            "topology 'clusters' puts devices together whose masks seldom collide; expansion "
            "'dense' has no masks: use 'gradient_mask'"
        )
    if recipe.schedule != "synchronous":
        return (
            "topology 'clusters' exchanges experts between clusters after rounds that all "
            f"have ended: use schedule 'synchronous', not '{recipe.schedule}'"
        )
    return None


def _aggregation(recipe: Recipe) -> str | None:
    if recipe.aggregation == "mean" and recipe.projection == "frozen_own_seed":
        return (
            "aggregation 'mean' averages B matrices that multiply the same A; with projection "
            "'frozen_own_seed' every device has another A: use 'support_normalised' or 'stacked'"
        )
    if recipe.aggregation == "support_normalised" and recipe.projection == "trainable":
        return (
            "aggregation 'support_normalised' reads each expert back through its frozen A; "
            "projection 'trainable' has none: use 'mean' or 'stacked'"
        )
    return None


def _composition(recipe: Recipe) -> str | None:
    composition, aggregation = recipe.composition, recipe.aggregation
    if recipe.data != "own":
        return None  # which has an answer of its own
    if composition != "single" and not keeps_experts(aggregation):
        return (
            f"composition '{composition}' routes between stored experts, which only aggregations "
            "'support_normalised' and 'stacked' keep: use 'single'"
        )
    if composition == "single" and aggregation == "stacked":
        return (
            "aggregation 'stacked' keeps experts apart, and composition 'single' asks none but "
            "the own one: use 'gate', 'uniform', 'oracle' or 'literal'"
        )
    return None


def _expansion(recipe: Recipe) -> str | None:
    full = recipe.expansion == "every_parameter"
    if full != (recipe.projection == "none"):
        return (
            "projection 'none' and expansion 'every_parameter' go together: the base model's own "
            "parameters are trained, and no adapter"
        )
    if full and (recipe.aggregation not in ("none", "mean") or recipe.data != "own"):
        return (
            "expansion 'every_parameter' has one model a device and no experts: use aggregation "
            "'mean' or 'none', and data 'own'"
        )
    if recipe.expansion == "magnitude_mask" and recipe.projection == "trainable":
        return (
            "expansion 'magnitude_mask' ranks B after a warm-up and starts again with the A of "
            "that warm-up; projection 'trainable' would have moved it: use a frozen one"
        )
    return None


def _literal(recipe: Recipe) -> str | None:
    points = set(recipe.literal)
    if len(points) < len(recipe.literal):
        return "literal names a point twice"
    for point in ("projection", "refinement"):
        if point in points and recipe.projection == "trainable":
            return f"literal '{point}' is about a frozen A; projection 'trainable' has none"
    for point in ("spectrum", "density"):
        if point in points and recipe.expansion != "entropy_mask":
            return f"literal '{point}' is about the densities of expansion 'entropy_mask'"
    if "mask" in points and recipe.expansion not in ("gradient_mask", "entropy_mask"):
        return "literal 'mask' is about expansions 'gradient_mask' and 'entropy_mask'"
    if "weights" in points and recipe.aggregation not in ("mean", "support_normalised"):
        return "literal 'weights' is about aggregations that average: 'mean', 'support_normalised'"
    if "readback" in points and recipe.aggregation != "support_normalised":
        return "literal 'readback' is about experts read out of an average: 'support_normalised'"
    return None


def _data(recipe: Recipe) -> str | None:
    needed = {"task": "oracle", "pooled": "single"}.get(recipe.data)
    if needed is None:
        return None
    if recipe.topology.graph != "none":
        return (
            f"data '{recipe.data}' lies in one place, where there is nothing to exchange: "
            "use topology 'none' and aggregation 'none'"
        )
    if recipe.expansion != "dense" or recipe.projection == "frozen_own_seed":
        return (
            f"data '{recipe.data}' trains one adapter, which has no device's own A and no device's "
            "own mask: use expansion 'dense' and another projection"
        )
    if recipe.composition != needed:
        return f"data '{recipe.data}' is answered with composition '{needed}'"
    return None
