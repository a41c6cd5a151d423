"""Rows come back as they were written, at any moment and after any crash."""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.errors import RunDirectoryError
from cosim.trace import writer as writer_module
from cosim.trace.files import part_files
from cosim.trace.schema import ROWS, SCHEMAS, Cause, EventKind, EventRow, PositionRow, Row, units
from cosim.trace.writer import TraceWriter

Rows = dict[str, list[Any]]


def read_back(directory: Path, table: str) -> list[Row]:
    records = pq.read_table(directory / f"{table}.parquet").to_pylist()
    return [ROWS[table](**record) for record in records]


def bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value


def test_every_table_round_trips_with_its_units(tmp_path: Path, rows: Rows) -> None:
    writer = TraceWriter(tmp_path)
    for table_rows in rows.values():
        for row in table_rows:
            writer.add(row)
            writer.flush()
    writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{table}.parquet" for table in ROWS
    )
    for table, expected in rows.items():
        got = read_back(tmp_path, table)
        assert [[bits(v) for v in row] for row in got] == [[bits(v) for v in r] for r in expected]
        schema = pq.read_schema(tmp_path / f"{table}.parquet")
        assert schema.equals(SCHEMAS[table])
        assert units(schema) == units(SCHEMAS[table])


def test_flushed_rows_survive_a_crash_and_half_written_files_are_ignored(
    tmp_path: Path, rows: Rows
) -> None:
    writer = TraceWriter(tmp_path)
    writer.add(rows["events"][0])
    writer.flush()
    writer.add(rows["events"][1])
    writer.flush()
    writer.add(rows["events"][0])  # lost: never flushed
    folder = tmp_path / "parts" / "events"
    (folder / ".000003.parquet.tmp").write_bytes(b"PAR1 half")
    assert [part.name for part in part_files(tmp_path, "events")] == [
        "000001.parquet",
        "000002.parquet",
    ]
    assert pd.read_parquet(folder)["kind"].tolist() == ["plan", "receive"]


def test_empty_tables_exist_and_an_empty_flush_writes_nothing(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path)
    writer.flush()
    assert not list(tmp_path.iterdir())
    writer.close()
    for table, schema in SCHEMAS.items():
        frame = pd.read_parquet(tmp_path / f"{table}.parquet")
        assert list(frame.columns) == schema.names
        assert len(frame) == 0


def test_closing_twice_is_harmless_and_nothing_follows(tmp_path: Path, rows: Rows) -> None:
    writer = TraceWriter(tmp_path)
    writer.add(rows["positions"][0])
    writer.close()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    writer.close()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(ValueError, match="closed"):
        writer.add(rows["positions"][0])


def test_a_close_that_failed_can_be_repeated(
    tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = TraceWriter(tmp_path)
    for table_rows in rows.values():
        writer.add(table_rows[0])
    compact = writer_module._compact

    def full_disk(directory: Path, table: str) -> None:
        if table == "rounds":
            raise OSError("no space left on device")
        compact(directory, table)

    monkeypatch.setattr(writer_module, "_compact", full_disk)
    with pytest.raises(OSError, match="no space"):
        writer.close()
    monkeypatch.undo()
    writer.close()
    for table, expected in rows.items():
        assert read_back(tmp_path, table) == expected[:1]


def test_a_flush_that_failed_loses_nothing(
    tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    writer = TraceWriter(tmp_path)
    writer.add(rows["events"][0])
    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(OSError, match="no space"):
        writer.flush()
    monkeypatch.undo()
    writer.close()
    assert read_back(tmp_path, "events") == rows["events"][:1]


def test_compaction_merges_small_parts_and_splits_large_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "ROW_GROUP_ROWS", 10)
    writer = TraceWriter(tmp_path)
    times_s = iter(range(1000))
    for size in (1, 2, 35, 4, 1, 1, 10):
        for _ in range(size):
            writer.add(PositionRow(float(next(times_s)), 0, 0.0, 0.0))
        writer.flush()
    writer.close()
    with pq.ParquetFile(tmp_path / "positions.parquet") as stored:
        groups = [stored.metadata.row_group(i).num_rows for i in range(stored.num_row_groups)]
        assert stored.read()["time_s"].to_pylist() == list(range(54))
    assert max(groups) < 20
    assert min(groups[:-1]) >= 10


@pytest.mark.parametrize(
    ("table", "column", "word", "nearest"),
    [
        ("events", "kind", "send_begin", "send_end"),
        ("events", "cause", "bits_arrived", "bits_delivered"),
        ("transfers", "kind", "updates", "update"),
        ("transfers", "outcome", "deliverd", "delivered"),
        ("transfers", "outcome", "zzz", "delivered, late, outage, cancelled"),
    ],
)
def test_unknown_words_are_refused_with_the_nearest(
    tmp_path: Path, rows: Rows, table: str, column: str, word: str, nearest: str
) -> None:
    writer = TraceWriter(tmp_path)
    with pytest.raises(ValueError, match=f"{table}.{column} has no word '{word}'.*{nearest}"):
        writer.add(rows[table][0]._replace(**{column: word}))
    writer.add(rows[table][0]._replace(**{column: str(getattr(rows[table][0], column))}))
    writer.close()
    assert len(read_back(tmp_path, table)) == 1


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("events", "time_s", None),
        ("events", "device", 1.0),
        ("events", "device", True),
        ("transfers", "bits", "many"),
        ("transfers", "outcome", None),
        ("rounds", "loss", "low"),
        ("layers", "module", 3),
    ],
)
def test_values_that_a_column_cannot_hold_are_refused_at_the_row(
    tmp_path: Path, rows: Rows, table: str, column: str, value: object
) -> None:
    writer = TraceWriter(tmp_path)
    writer.add(rows[table][0])
    with pytest.raises(TypeError, match=f"{table}.{column} holds"):
        writer.add(rows[table][0]._replace(**{column: value}))


def test_numpy_scalars_and_large_counts_are_numbers(tmp_path: Path, rows: Rows) -> None:
    writer = TraceWriter(tmp_path)
    row = rows["rounds"][0]
    writer.add(row._replace(device=np.int64(7), loss=np.float32(0.5), flop=10**18 + 1))
    writer.close()
    (got,) = read_back(tmp_path, "rounds")
    assert got == row._replace(device=7, loss=0.5, flop=1e18)


def test_a_trace_is_never_overwritten(tmp_path: Path, rows: Rows) -> None:
    writer = TraceWriter(tmp_path)
    writer.add(rows["events"][0])
    writer.flush()
    with pytest.raises(RunDirectoryError, match="never overwrites"):
        TraceWriter(tmp_path)
    writer.close()
    with pytest.raises(RunDirectoryError, match=r"already holds devices\.parquet"):
        TraceWriter(tmp_path)


weird_floats = st.floats() | st.sampled_from(
    [math.nan, -math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
)
ids = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    positions=st.lists(st.builds(PositionRow, weird_floats, ids, weird_floats, weird_floats)),
    peers=st.lists(st.none() | ids, max_size=20),
    flush_after=st.sets(st.integers(0, 20), max_size=3),
)
def test_weird_numbers_round_trip_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory,
    positions: list[PositionRow],
    peers: list[int | None],
    flush_after: set[int],
) -> None:
    directory = tmp_path_factory.mktemp("run")
    events = [EventRow(-0.0, 0, 0, EventKind.PLAN, peer, Cause.SCHEDULE) for peer in peers]
    writer = TraceWriter(directory)
    every_row: list[Row] = [*positions, *events]
    for index, row in enumerate(every_row):
        writer.add(row)
        if index in flush_after:
            writer.flush()
    writer.close()
    for table, expected in (("positions", positions), ("events", events)):
        got = [[bits(value) for value in row] for row in read_back(directory, table)]
        assert got == [[bits(value) for value in row] for row in expected]
