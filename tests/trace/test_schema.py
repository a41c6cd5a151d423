"""The declared tables are the ones that the design promises."""

from enum import StrEnum

import pyarrow as pa
import pytest

from cosim.trace.schema import (
    EVERY_SCHEMA,
    OPTIONAL_SCHEMAS,
    ROWS,
    SCHEMAS,
    VOCABULARIES,
    Cause,
    EventKind,
    Quantity,
    TransferKind,
    TransferOutcome,
    units,
)

COLUMNS = {
    "devices": "device, group, profile, speed, peak_flop_s, battery_j, task, training_rows, "
    "density, rank, answers",
    "events": "time_s, round, device, kind, peer, cause, transfer",
    "transfers": "number, round, src, dst, kind, bits, start_s, end_s, deadline_at_s, distance_m, "
    "bandwidth_hz, power_w, consumed_w, mean_snr_db, mean_rate_bit_s, sent_bits, delivered_bits, "
    "energy_tx_j, energy_rx_j, outcome, cause, mixing, packets_lost, symbols, estimate_error",
    "rounds": "round, device, start_s, end_s, compute_s, send_s, wait_s, off_s, flop, loss, "
    "bits_sent, received, stale, missed, silent, edges_used, energy_compute_j, energy_tx_j, "
    "energy_rx_j, energy_idle_j, battery_j, x_m, y_m",
    "topology": "round, device, cluster, cluster_size, collision_predicted, collision_measured",
    "layers": "device, layer, module, spectral_entropy, density, parameters, active",
    "evaluations": "time_s, round, device, task, metric, value, n",
    "positions": "time_s, device, x_m, y_m",
}

UNIT_OF_SUFFIX = {
    "_bit_s": "bit/s",
    "_flop_s": "FLOP/s",
    "_hz": "Hz",
    "_db": "dB",
    "_w": "W",
    "_j": "J",
    "_m": "m",
    "_s": "s",
}

NULLABLE = {
    "devices.battery_j",
    "devices.task",
    "devices.training_rows",
    "devices.density",
    "devices.rank",
    "devices.answers",
    "events.peer",
    "events.transfer",
    "transfers.packets_lost",
    "transfers.symbols",
    "transfers.estimate_error",
    "rounds.loss",
    "rounds.edges_used",
    "rounds.battery_j",
    "topology.collision_predicted",
    "topology.collision_measured",
    "layers.spectral_entropy",
}


def test_tables_and_columns_are_those_of_the_design() -> None:
    assert {table: ", ".join(schema.names) for table, schema in SCHEMAS.items()} == COLUMNS


@pytest.mark.parametrize("table", COLUMNS)
def test_row_class_and_schema_agree(table: str) -> None:
    assert list(ROWS[table]._fields) == SCHEMAS[table].names


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_has_a_unit_that_its_name_confirms(table: str) -> None:
    schema = SCHEMAS[table]
    assert list(units(schema)) == schema.names
    for column, unit in units(schema).items():
        suffix = next((end for end in UNIT_OF_SUFFIX if column.endswith(end)), None)
        if suffix is not None:
            assert unit == UNIT_OF_SUFFIX[suffix], column
        assert schema.field(column).metadata[b"description"]


def test_types_are_few_and_nulls_are_declared() -> None:
    fields = {f"{table}.{field.name}": field for table in SCHEMAS for field in SCHEMAS[table]}
    assert {name for name, field in fields.items() if field.nullable} == NULLABLE
    assert {str(field.type) for field in fields.values()} == {"int32", "int64", "double", "string"}
    wide = {name for name, field in fields.items() if field.type == pa.int64()}
    assert wide == {"transfers.bits", "layers.parameters", "layers.active"}


def test_closed_vocabularies() -> None:
    expected: dict[str, dict[str, type[StrEnum]]] = {
        "events": {"kind": EventKind, "cause": Cause},
        "transfers": {"kind": TransferKind, "outcome": TransferOutcome, "cause": Cause},
        "diagnostics": {"quantity": Quantity},
    }
    assert {table: words for table, words in VOCABULARIES.items() if words} == expected
    assert list(TransferOutcome) == ["delivered", "late", "outage", "cancelled"]


def test_the_optional_tables_are_as_documented() -> None:
    assert list(OPTIONAL_SCHEMAS) == ["diagnostics", "answers"]
    assert list(EVERY_SCHEMA) == [*SCHEMAS, "diagnostics", "answers"]
    answers = OPTIONAL_SCHEMAS["answers"]
    columns = "round, device, task, question, content, right, chosen, margin, expert"
    assert ", ".join(answers.names) == columns
    assert {f.name for f in answers if f.nullable} == {"chosen", "margin", "expert"}
    assert (answers.field("right").type, answers.field("content").type) == (pa.int8(), pa.int64())
    schema = OPTIONAL_SCHEMAS["diagnostics"]
    columns = "time_s, round, device, peer, task, layer, module, quantity, value"
    assert ", ".join(schema.names) == columns
    assert units(schema) == {name: "s" if name == "time_s" else "1" for name in schema.names}
    nullable = {field.name for field in schema if field.nullable}
    assert nullable == {"device", "peer", "task", "layer", "module"}
