"""The tables of a run: their columns and units, declared here and only here.

A table is one row class. Its field names are the columns in order, its annotations give type,
unit and meaning; the pyarrow schemas are derived from it, so that the two cannot disagree.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import pyarrow as pa

from cosim.trace.column import Column, Device, EdgesUsed, EnergyRx, Round, X, Y
from cosim.trace.vocabulary import Cause as Cause
from cosim.trace.vocabulary import EventKind as EventKind
from cosim.trace.vocabulary import Quantity as Quantity
from cosim.trace.vocabulary import TransferKind as TransferKind
from cosim.trace.vocabulary import TransferOutcome as TransferOutcome


class DeviceRow(NamedTuple):
    """A device row is one device, as it begins the run."""

    device: Device
    group: Annotated[int, Column("1", "number of its group in the scenario, from 0")]
    profile: Annotated[str, Column("1", "name of its profile, or where the scenario states it")]
    speed: Annotated[float, Column("1", "speed drawn, by which its computing time is divided")]
    peak_flop_s: Annotated[float, Column("FLOP/s", "peak rate of its profile, at speed 1")]
    battery_j: Annotated[float | None, Column("J", "charge; null for a device on the mains")]
    task: Annotated[str | None, Column("1", "name of its task; null where nothing is learnt")]
    training_rows: Annotated[
        int | None, Column("1", "rows it may train on; null where nothing is learnt")
    ]
    density: Annotated[
        float | None, Column("1", "share that the scenario has its mask keep; null without a mask")
    ]
    rank: Annotated[
        int | None, Column("1", "rank of its adapter; null where nothing is learnt, or no adapter")
    ]
    answers: Annotated[
        str | None,
        Column("1", "its rows by answer, JSON; null where its task is not divided by answers"),
    ] = None


class EventRow(NamedTuple):
    """An event row is one thing that happened."""

    time_s: Annotated[float, Column("s", "simulated time at which it happened")]
    round: Round
    device: Device
    kind: Annotated[EventKind, Column("1", "what happened")]
    peer: Annotated[int | None, Column("1", "the other device; null where there is none")]
    cause: Annotated[Cause, Column("1", "why it happened")]
    transfer: Annotated[
        int | None, Column("1", "number of the transmission it is about; null where of none")
    ] = None


class TransferRow(NamedTuple):
    """A transfer row is one transmission."""

    number: Annotated[int, Column("1", "identity of the transmission in the run")]
    round: Round
    src: Annotated[int, Column("1", "identity of the sending device")]
    dst: Annotated[int, Column("1", "identity of the receiving device")]
    kind: Annotated[TransferKind, Column("1", "what the transmission carries")]
    bits: Annotated[int, Column("bit", "payload, counted: an integer", pa.int64())]
    start_s: Annotated[float, Column("s", "simulated time of the first bit")]
    end_s: Annotated[float, Column("s", "simulated time at which it ended, however it ended")]
    deadline_at_s: Annotated[float, Column("s", "last simulated time that still counts")]
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
    outcome: Annotated[TransferOutcome, Column("1", "how the transmission ended")]
    cause: Annotated[Cause, Column("1", "why the transmission ended")]
    mixing: Annotated[int, Column("1", "which of the round's mixings it is for, from 0")] = 0
    packets_lost: Annotated[
        int | None,
        Column("1", "packets lost of those sent; null where what is lost is sent again"),
    ] = None
    symbols: Annotated[
        int | None,
        Column("1", "complex symbols of two real values each; null of what is sent in bits"),
    ] = None
    estimate_error: Annotated[
        float | None,
        Column(
            "1",
            "mean squared error that noise adds to the mean of a sum on the air, of values of unit "
            "power; null of what is no part of one",
        ),
    ] = None


class RoundRow(NamedTuple):
    """A round row is one device's share of one round."""

    round: Round
    device: Device
    start_s: Annotated[float, Column("s", "simulated time at which the round began")]
    end_s: Annotated[float, Column("s", "simulated time at which the round ended")]
    compute_s: Annotated[float, Column("s", "time spent computing")]
    send_s: Annotated[float, Column("s", "time spent sending")]
    wait_s: Annotated[float, Column("s", "time spent neither computing nor sending")]
    off_s: Annotated[float, Column("s", "time switched off")]
    flop: Annotated[
        float, Column("FLOP", "operations of fine-tuning and mixing; no calibration for clusters")
    ]
    loss: Annotated[float | None, Column("1", "mean training loss; null where none was computed")]
    bits_sent: Annotated[float, Column("bit", "bits put on the air, through or not: no integer")]
    received: Annotated[int, Column("1", "updates that arrived in time")]
    stale: Annotated[int, Column("1", "updates that arrived after their deadline")]
    missed: Annotated[
        int,
        Column(
            "1",
            "updates expected that did not arrive in time; not what nobody sent while it was away",
        ),
    ]
    silent: Annotated[
        int, Column("1", "updates that were not sent: a neighbour had nothing to say")
    ]
    edges_used: EdgesUsed
    energy_compute_j: Annotated[float, Column("J", "energy spent computing")]
    energy_tx_j: Annotated[float, Column("J", "energy spent sending")]
    energy_rx_j: EnergyRx
    energy_idle_j: Annotated[float, Column("J", "energy spent idle")]
    battery_j: Annotated[float | None, Column("J", "energy left; null for a device on the mains")]
    x_m: X
    y_m: Y


class TopologyRow(NamedTuple):
    """A topology row is one device's place in one plan."""

    round: Round
    device: Device
    cluster: Annotated[int, Column("1", "number of the device's cluster in that plan")]
    cluster_size: Annotated[int, Column("1", "devices in that cluster, itself included")]
    collision_predicted: Annotated[
        float | None, Column("1", "by eq. 19 of it and its neighbours; null where not predicted")
    ]
    collision_measured: Annotated[
        float | None, Column("1", "collision rate of the masks; null where not measured")
    ]


class LayerRow(NamedTuple):
    """A layer row is one adapted layer of one device."""

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
    """An evaluation row is one device's score on one task at one evaluation."""

    time_s: Annotated[float, Column("s", "simulated time of the evaluated state")]
    round: Round
    device: Device
    task: Annotated[str, Column("1", "name of the task")]
    metric: Annotated[str, Column("1", "name of the score")]
    value: Annotated[float, Column("1", "the score, in the metric's own scale")]
    n: Annotated[int, Column("1", "examples behind the score")]


class PositionRow(NamedTuple):
    """A position row is one device's place at one moment."""

    time_s: Annotated[float, Column("s", "simulated time of the sample")]
    device: Device
    x_m: X
    y_m: Y


class DiagnosticRow(NamedTuple):
    """A diagnostic row is one quantity at one evaluation; what does not belong to it is null."""

    time_s: Annotated[float, Column("s", "simulated time of the diagnosed state")]
    round: Round
    device: Annotated[int | None, Column("1", "identity of the device; null of a module or of all")]
    peer: Annotated[int | None, Column("1", "the other device of a pair, or an expert's owner")]
    task: Annotated[str | None, Column("1", "name of the task whose questions are counted")]
    layer: Annotated[int | None, Column("1", "index of the transformer block")]
    module: Annotated[str | None, Column("1", "name of the adapted module in the block")]
    quantity: Annotated[Quantity, Column("1", "what is measured")]
    value: Annotated[float, Column("1", "the quantity, without a unit")]


class AnswerRow(NamedTuple):
    """An answer row is one device's answer to one held-out question at one evaluation.

    The mean of `right` over a task's questions is its accuracy in `evaluations`: `acc` of those
    with candidates, `exact_match` of those that are answered freely.
    """

    round: Round
    device: Device
    task: Annotated[str, Column("1", "name of the task")]
    question: Annotated[int, Column("1", "number of the task's held-out question, from 0")]
    content: Annotated[
        int, Column("1", "name of its tokens: the same question in every run", pa.int64())
    ]
    right: Annotated[int, Column("1", "1 where the answer is right, else 0", pa.int8())]
    chosen: Annotated[
        int | None, Column("1", "number of the most likely candidate; null of a free answer")
    ]
    margin: Annotated[
        float | None,
        Column(
            "1",
            "ln P of the right candidate minus that of the best wrong one; null of a free answer",
        ),
    ]
    expert: Annotated[
        int | None,
        Column("1", "device whose expert had the largest weight; null where no gate chooses"),
    ]


Row: TypeAlias = (
    DeviceRow
    | EventRow
    | TransferRow
    | RoundRow
    | TopologyRow
    | LayerRow
    | EvaluationRow
    | PositionRow
    | DiagnosticRow
    | AnswerRow
)

ROWS: MappingProxyType[str, type[Row]] = MappingProxyType(
    {
        "devices": DeviceRow,
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
OPTIONAL_ROWS: MappingProxyType[str, type[Row]] = MappingProxyType(
    {"diagnostics": DiagnosticRow, "answers": AnswerRow}
)


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
    """The unit of each column, as the schema's field metadata says; a column without one is left
    out."""
    return {
        field.name: field.metadata[b"unit"].decode()
        for field in schema
        if field.metadata and b"unit" in field.metadata
    }


# The metrics that are a task's accuracy; the others are variants of them.
HEADLINE_METRICS = ("exact_match", "acc")
