"""A method is one part for each slot; parts that make no sense together are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from cosim.methods.aggregation.control_variate import ControlVariate
from cosim.methods.aggregation.erased_mean import ErasedMean
from cosim.methods.aggregation.layerwise_mean import LayerwiseMean
from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.none import NoAggregation
from cosim.methods.aggregation.product_svd import ProductSvd
from cosim.methods.aggregation.rotated_mean import RotatedMean
from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.aggregation.snapshots import Snapshots
from cosim.methods.aggregation.stacked import Stacked
from cosim.methods.aggregation.superposed_mean import SuperposedMean
from cosim.methods.aggregation.support_normalised import SupportNormalised
from cosim.methods.calibration import Need
from cosim.methods.codec.floating import Floating
from cosim.methods.codec.rounded import Rounded
from cosim.methods.codec.slot import Codec
from cosim.methods.codec.top_k import TopK
from cosim.methods.composition.gate import Gate
from cosim.methods.composition.oracle import Oracle
from cosim.methods.composition.ranks import Ranks
from cosim.methods.composition.single import Single
from cosim.methods.composition.slot import Composition
from cosim.methods.composition.uniform import UniformMerge
from cosim.methods.data.own import Own
from cosim.methods.data.pooled import Pooled
from cosim.methods.data.slot import Data
from cosim.methods.data.task import ByTask
from cosim.methods.earlier_spelling import respelt
from cosim.methods.expansion.dense import Dense
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.expansion.every_parameter import EveryParameter
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.expansion.magnitude_mask import MagnitudeMask
from cosim.methods.expansion.slot import Expansion
from cosim.methods.field import OneOf, completed
from cosim.methods.origin import Origin
from cosim.methods.part import Choice, Part, parts_of
from cosim.methods.projection.alternating import Alternating
from cosim.methods.projection.frozen import Frozen
from cosim.methods.projection.none import NoProjection
from cosim.methods.projection.slot import Projection
from cosim.methods.projection.trained import Trained
from cosim.methods.schedule.asynchronous import Asynchronous
from cosim.methods.schedule.cluster import ByCluster
from cosim.methods.schedule.slot import Schedule
from cosim.methods.schedule.synchronous import Synchronous
from cosim.methods.sending.by_coin import ByCoin
from cosim.methods.sending.every_turn import EveryTurn
from cosim.methods.sending.on_drift import OnDrift
from cosim.methods.sending.slot import Sending
from cosim.methods.topology.clusters import Clusters
from cosim.methods.topology.complete import Complete
from cosim.methods.topology.erdos_renyi import ErdosRenyi
from cosim.methods.topology.line import Line
from cosim.methods.topology.nearest import Nearest
from cosim.methods.topology.none import NoExchange
from cosim.methods.topology.pairs import Pairs
from cosim.methods.topology.random import RandomGraph
from cosim.methods.topology.ring import Ring
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.as_printed import AsPrinted
from cosim.methods.weights.by_rows import ByRows
from cosim.methods.weights.laplacian import Laplacian
from cosim.methods.weights.metropolis import Metropolis
from cosim.methods.weights.slot import Weights
from cosim.methods.weights.uniform import Uniform


class Method(Choice):
    """A method is the parts that make it, in the terms of arXiv 2602.20492.

    projection A ∈ R^(r×k), expansion B ∈ R^(d×r) with mask M (eq. 2–3), topology u (eq. 8),
    weights and aggregation (eq. 9–10), composition at inference (eq. 24).
    """

    name: str = Field(description="of the method, or path:<file>")
    reference: str = Field(description="where the method comes from")
    projection: Annotated[Projection, OneOf(Trained, Alternating, Frozen, NoProjection)] = Field(
        description="what A is at first, and in which rounds it is trained"
    )
    expansion: Annotated[
        Expansion, OneOf(Dense, GradientMask, EntropyMask, MagnitudeMask, EveryParameter)
    ] = Field(description="which positions of B are trained, and when that is chosen")
    topology: Annotated[
        Topology,
        OneOf(NoExchange, Complete, Ring, Line, RandomGraph, ErdosRenyi, Pairs, Nearest, Clusters),
    ] = Field(description="who may hear whom in a round")
    schedule: Annotated[Schedule, OneOf(Synchronous, ByCluster, Asynchronous)] = Field(
        Synchronous(), description="when a round begins"
    )
    sending: Annotated[Sending, OneOf(EveryTurn, OnDrift, ByCoin)] = Field(
        EveryTurn(), description="when a device speaks"
    )
    codec: Annotated[Codec, OneOf(Floating, Rounded, TopK)] = Field(
        Floating(), description="how the values of A and B become bits, and back"
    )
    weights: Annotated[Weights, OneOf(ByRows, Uniform, Metropolis, Laplacian, AsPrinted)] | None = (
        Field(
            None,
            description="how much each message counts; null: as the aggregation has it by itself",
        )
    )
    aggregation: Annotated[
        Aggregation,
        OneOf(
            NoAggregation,
            Mean,
            ErasedMean,
            SupportNormalised,
            Stacked,
            ProductSvd,
            RotatedMean,
            LayerwiseMean,
            Snapshots,
            ControlVariate,
            SuperposedMean,
        ),
    ] = Field(description="what a device says, and what becomes of what it heard")
    composition: Annotated[Composition, OneOf(Single, Oracle, Gate, UniformMerge, Ranks)] = Field(
        description="which experts answer a question"
    )
    data: Annotated[Data, OneOf(Own, ByTask, Pooled)] = Field(
        Own(), description="what an adapter learns from: a device's, a task's or all devices' rows"
    )
    calibration_samples: int = Field(
        32, ge=1, le=4096, description="own rows that the base model reads before a first round"
    )
    staleness_exponent: float = Field(
        1.0,
        ge=0,
        le=100,
        description="a: an update since which its receiver has mixed n times is weighted by "
        "(1 + n)^−a; not of snapshots or stacked",
    )

    origin: Origin | None = Field(
        None,
        description="where a method from outside comes from; null of a built-in one",
        exclude_if=lambda origin: origin is None,
    )

    @model_validator(mode="before")
    @classmethod
    def _respelt(cls, value: Any) -> Any:
        return respelt(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (reason := self.complaint()) is not None:
            raise ValueError(reason)
        return self

    def complaint(self) -> str | None:
        """Why the parts do not fit together; None where they do."""
        if self.topology.silent == self.aggregation.exchanges:
            return (
                f"topology '{self.topology.word()}' and aggregation '{self.aggregation.word()}' do "
                "not fit: what is exchanged must be aggregated, and nothing else can be"
            )
        return next((r for part in self.parts() if (r := part.refuses(self)) is not None), None)

    def parts(self) -> Iterator[Part]:
        """Every part, the weights that are in effect among them."""
        yield self.topology
        yield self.aggregation
        yield self.composition
        yield self.projection
        yield self.expansion
        yield self.weighing
        yield self.data
        yield self.schedule
        yield self.sending
        yield self.codec

    def with_(self, **parts: Any) -> Self:
        """The method with some of its parts replaced, by parts or as a scenario writes them."""
        return type(self).model_validate({**dict(self), **self.named(parts)})

    def named(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        """What a scenario writes for slots, with the method's own part where it gives settings and
        no word; raises MethodError for a setting that this part does not have."""
        # Weights that the aggregation has by itself are those of this aggregation.
        weights = self.weights if "aggregation" in parts else self.weighing
        own = {**dict(self), "weights": weights}
        return {
            slot: completed(part, written, self.name)
            if isinstance(written, Mapping) and isinstance(part := own.get(slot), Part)
            else written
            for slot, written in parts.items()
        }

    @property
    def weighing(self) -> Weights:
        """The weights in effect."""
        if self.weights is not None:
            return self.weights
        kinds = parts_of("weights", type(self.aggregation).__module__)
        rule = self.aggregation.own_weights
        written = {"name": rule} if isinstance(rule, str) else rule
        weights = kinds[written["name"]].model_validate(written)
        assert isinstance(weights, Weights)
        return weights

    @property
    def needs_sgd(self) -> bool:
        """Whether a part counts on local steps along the gradient."""
        return any(part.needs_sgd for part in self.parts())

    @property
    def needs(self) -> frozenset[Need]:
        """What the base model must read of a device's rows before its first round."""
        return frozenset().union(*(part.needs for part in self.parts()))
