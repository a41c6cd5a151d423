"""The tables of a run: their columns, units and closed vocabularies, declared here and only here.

A table is one row class. Its field names are the columns in order, its annotations give type,
unit and meaning; the pyarrow schemas are derived from it, so that the two cannot disagree.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import pyarrow as pa


class EventKind(StrEnum):
    """What happened; the words are those of the simulation's log."""

    PLAN = "plan"
    COMPUTE_START = "compute_start"
    COMPUTE_END = "compute_end"
    SEND_START = "send_start"
    SEND_END = "send_end"
    RECEIVE = "receive"
    DEADLINE = "deadline"
    AGGREGATE = "aggregate"
    EVALUATE = "evaluate"
    ROUND_END = "round_end"
    CUT_OFF = "cut_off"
    QUARANTINE = "quarantine"
    JOIN = "join"
    LEAVE = "leave"


class Cause(StrEnum):
    """Why it happened; a new reason is one new line here."""

    SCHEDULE = "schedule"
    TRIGGERED = "triggered"
    COMPUTE_FINISHED = "compute_finished"
    BITS_DELIVERED = "bits_delivered"
    NEIGHBOURS_SETTLED = "neighbours_settled"
    DEADLINE = "deadline"
    INFEASIBLE_POWER = "infeasible_power"
    MARGIN_REDUCED = "margin_reduced"
    OUTAGE = "outage"
    BATTERY_EMPTY = "battery_empty"
    AVAILABILITY = "availability"
    INTERRUPTED = "interrupted"
    DIVERGENCE = "divergence"


class TransferKind(StrEnum):
    """What a transmission carries."""

    UPDATE = "update"
    CONTROL = "control"
    EXPERT = "expert"


class Outcome(StrEnum):
    """How a transmission ended."""

    DELIVERED = "delivered"
    LATE = "late"
    OUTAGE = "outage"
    CANCELLED = "cancelled"


class Quantity(StrEnum):
    """What a diagnostic measures; each is a number without a unit.

    Pairs (`device` below `peer`), of their adapters as they are evaluated: the normalised overlap
    of projections, ‖A_i·A_jᵀ‖_F/(‖A_i‖·‖A_j‖), and of updates (Theorem 2 of arXiv 2602.20492),
    |⟨B_iA_i, B_jA_j⟩_F|/(‖B_iA_i‖·‖B_jA_j‖), as mean and as largest over the modules; and the
    same by module (`layer`, `module`; no device) as mean over these pairs.

    Theorem 1 (eq. 23), by `device`: over the updates of the devices that it exchanges with and
    its own, as they were sent, its two sides summed over the modules; the share of modules in
    which the left side exceeds the right; the left side for the support-normalised mean read back
    on each one's own support; and the largest G and P of its assumptions over modules. The
    gradients of G are those at each device's own update on its mini-batches of the round, S is
    measured.

    Experts, by `device`, `task` and `peer`: share of the task's questions whose expert of the
    largest weight is the peer's.
    """

    PROJECTION_OVERLAP_MEAN = "projection_overlap_mean"
    PROJECTION_OVERLAP_MAX = "projection_overlap_max"
    UPDATE_SIMILARITY_MEAN = "update_similarity_mean"
    UPDATE_SIMILARITY_MAX = "update_similarity_max"
    PROJECTION_OVERLAP = "projection_overlap"
    UPDATE_SIMILARITY = "update_similarity"
    THEOREM1_GAP = "theorem1_gap"
    THEOREM1_BOUND = "theorem1_bound"
    THEOREM1_VIOLATED = "theorem1_violated"
    THEOREM1_OWN_SUPPORT_GAP = "theorem1_own_support_gap"
    THEOREM1_GRADIENT = "theorem1_gradient"
    THEOREM1_AVERAGE = "theorem1_average"
    EXPERT_SHARE = "expert_share"


class Column(NamedTuple):
    """Unit and meaning of one column, and its stored type where `int` alone does not say it."""

    unit: str
    description: str
    stored: Any = None


# Payload bits are counted, so they are integers; what accumulates at a varying rate is a float.
Round: TypeAlias = Annotated[int, Column("1", "number of the round")]
Device: TypeAlias = Annotated[int, Column("1", "identity of the device the row is about")]
EnergyRx: TypeAlias = Annotated[float, Column("J", "energy spent receiving")]
X: TypeAlias = Annotated[float, Column("m", "position along the first axis")]
Y: TypeAlias = Annotated[float, Column("m", "position along the second axis")]


class EventRow(NamedTuple):
    """One thing that happened."""

    time_s: Annotated[float, Column("s", "simulated time at which it happened")]
    round: Round
    device: Device
    kind: Annotated[EventKind, Column("1", "what happened")]
    peer: Annotated[int | None, Column("1", "the other device; null where there is none")]
    cause: Annotated[Cause, Column("1", "why it happened")]


class TransferRow(NamedTuple):
    """One transmission."""

    round: Round
    src: Annotated[int, Column("1", "identity of the sending device")]
    dst: Annotated[int, Column("1", "identity of the receiving device")]
    kind: Annotated[TransferKind, Column("1", "what the transmission carries")]
    bits: Annotated[int, Column("bit", "payload, counted: an integer", pa.int64())]
    start_s: Annotated[float, Column("s", "simulated time of the first bit")]
    end_s: Annotated[float, Column("s", "simulated time at which it ended, however it ended")]
    deadline_s: Annotated[float, Column("s", "last simulated time that still counts")]
    distance_m: Annotated[float, Column("m", "distance of the two devices at the start")]
    bandwidth_hz: Annotated[float, Column("Hz", "time-averaged bandwidth share")]
    power_w: Annotated[float, Column("W", "radiated power")]
    consumed_w: Annotated[
        float, Column("W", "time-averaged power drawn to send: amplifier and share of the chain")
    ]
    mean_snr_db: Annotated[float, Column("dB", "signal-to-noise ratio averaged over time")]
    mean_rate_bit_s: Annotated[float, Column("bit/s", "delivered bits over time on air")]
    sent_bits: Annotated[float, Column("bit", "bits put on the air by the end: not an integer")]
    delivered_bits: Annotated[float, Column("bit", "of these, what got through: not an integer")]
    energy_tx_j: Annotated[float, Column("J", "energy spent sending")]
    energy_rx_j: EnergyRx
    outcome: Annotated[Outcome, Column("1", "how the transmission ended")]


class RoundRow(NamedTuple):
    """One device's share of one round."""

    round: Round
    device: Device
    start_s: Annotated[float, Column("s", "simulated time at which the round began")]
    end_s: Annotated[float, Column("s", "simulated time at which the round ended")]
    compute_s: Annotated[float, Column("s", "time spent computing")]
    send_s: Annotated[float, Column("s", "time spent sending")]
    wait_s: Annotated[float, Column("s", "time spent neither computing nor sending")]
    off_s: Annotated[float, Column("s", "time switched off")]
    flop: Annotated[float, Column("FLOP", "floating-point operations of the fine-tuning")]
    loss: Annotated[float | None, Column("1", "mean training loss; null where none was computed")]
    bits_sent: Annotated[float, Column("bit", "bits put on the air, through or not: no integer")]
    received: Annotated[int, Column("1", "updates that arrived in time")]
    stale: Annotated[int, Column("1", "updates that arrived after their deadline")]
    missed: Annotated[int, Column("1", "updates that were expected and did not arrive in time")]
    energy_compute_j: Annotated[float, Column("J", "energy spent computing")]
    energy_tx_j: Annotated[float, Column("J", "energy spent sending")]
    energy_rx_j: EnergyRx
    energy_idle_j: Annotated[float, Column("J", "energy spent idle")]
    battery_j: Annotated[float | None, Column("J", "energy left; null for a device on the mains")]
    x_m: X
    y_m: Y


class TopologyRow(NamedTuple):
    """One device's place in one plan."""

    round: Round
    device: Device
    cluster: Annotated[int, Column("1", "identity of the device's cluster")]
    cluster_size: Annotated[int, Column("1", "devices in that cluster, itself included")]
    collision_predicted: Annotated[
        float | None, Column("1", "collision rate the plan expected; null where not predicted")
    ]
    collision_measured: Annotated[
        float | None, Column("1", "collision rate of the masks; null where not measured")
    ]


class LayerRow(NamedTuple):
    """One adapted layer of one device."""

    device: Device
    layer: Annotated[int, Column("1", "index of the transformer block")]
    module: Annotated[str, Column("1", "name of the adapted module in the block")]
    spectral_entropy: Annotated[
        float | None, Column("1", "entropy of the layer's spectrum; null where the mask needs none")
    ]
    density: Annotated[float, Column("1", "share of the parameters that the mask keeps")]
    parameters: Annotated[int, Column("1", "parameters before the mask", pa.int64())]
    active: Annotated[int, Column("1", "parameters that the mask keeps", pa.int64())]


class EvaluationRow(NamedTuple):
    """One device's score on one task at one checkpoint."""

    time_s: Annotated[float, Column("s", "simulated time of the evaluated state")]
    round: Round
    device: Device
    task: Annotated[str, Column("1", "name of the task")]
    metric: Annotated[str, Column("1", "name of the score")]
    value: Annotated[float, Column("1", "the score, in the metric's own scale")]
    n: Annotated[int, Column("1", "examples behind the score")]


class PositionRow(NamedTuple):
    """One device's place at one moment."""

    time_s: Annotated[float, Column("s", "simulated time of the sample")]
    device: Device
    x_m: X
    y_m: Y


class DiagnosticRow(NamedTuple):
    """One diagnostic quantity at one checkpoint; what does not belong to it is null."""

    time_s: Annotated[float, Column("s", "simulated time of the diagnosed state")]
    round: Round
    device: Annotated[int | None, Column("1", "identity of the device; null for a module")]
    peer: Annotated[int | None, Column("1", "the other device of a pair, or an expert's owner")]
    task: Annotated[str | None, Column("1", "name of the task whose questions are counted")]
    layer: Annotated[int | None, Column("1", "index of the transformer block")]
    module: Annotated[str | None, Column("1", "name of the adapted module in the block")]
    quantity: Annotated[Quantity, Column("1", "what is measured")]
    value: Annotated[float, Column("1", "the quantity, without a unit")]


Row: TypeAlias = (
    EventRow
    | TransferRow
    | RoundRow
    | TopologyRow
    | LayerRow
    | EvaluationRow
    | PositionRow
    | DiagnosticRow
)

ROWS: MappingProxyType[str, type[Row]] = MappingProxyType(
    {
        "events": EventRow,
        "transfers": TransferRow,
        "rounds": RoundRow,
        "topology": TopologyRow,
        "layers": LayerRow,
        "evaluations": EvaluationRow,
        "positions": PositionRow,
    }
)

# Tables that a run has where its scenario asks for them and there is a row for them.
OPTIONAL_ROWS: MappingProxyType[str, type[Row]] = MappingProxyType({"diagnostics": DiagnosticRow})


def _field(name: str, annotation: Any) -> pa.Field:
    """The stored column of one row field."""
    value_type, column = get_args(annotation)
    nullable = type(None) in get_args(value_type)
    if nullable:
        value_type = get_args(value_type)[0]
    # Words are stored as plain strings, not as dictionaries, so that every reader opens them.
    plain = {int: pa.int32(), float: pa.float64()}.get(value_type, pa.string())
    return pa.field(
        name,
        column.stored or plain,
        nullable=nullable,
        metadata={"unit": column.unit, "description": column.description},
    )


def _schema(row: type[Row]) -> pa.Schema:
    hints = get_type_hints(row, include_extras=True)
    return pa.schema([_field(name, hints[name]) for name in row._fields])


def _vocabularies(row: type[Row]) -> dict[str, type[StrEnum]]:
    hints = get_type_hints(row)
    return {
        name: hints[name]
        for name in row._fields
        if get_origin(hints[name]) is None and issubclass(hints[name], StrEnum)
    }


SCHEMAS: MappingProxyType[str, pa.Schema] = MappingProxyType(
    {table: _schema(row) for table, row in ROWS.items()}
)

OPTIONAL_SCHEMAS: MappingProxyType[str, pa.Schema] = MappingProxyType(
    {table: _schema(row) for table, row in OPTIONAL_ROWS.items()}
)

EVERY_SCHEMA: MappingProxyType[str, pa.Schema] = MappingProxyType({**SCHEMAS, **OPTIONAL_SCHEMAS})

VOCABULARIES: MappingProxyType[str, dict[str, type[StrEnum]]] = MappingProxyType(
    {table: _vocabularies(row) for table, row in (*ROWS.items(), *OPTIONAL_ROWS.items())}
)


def units(schema: pa.Schema) -> dict[str, str]:
    """Column → unit, as the schema's field metadata says; a column without one is left out."""
    return {
        field.name: field.metadata[b"unit"].decode()
        for field in schema
        if field.metadata and b"unit" in field.metadata
    }


# The metrics that are a task's accuracy; the others are variants of them.
HEADLINE_METRICS = ("exact_match", "acc")
