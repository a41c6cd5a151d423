"""A run opens while it runs, after it crashed and when it is complete; nothing else opens."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cosim.errors import RunDirectoryError
from cosim.trace import reader as reader_module
from cosim.trace.files import part_files, table_files
from cosim.trace.manifest import Status, write_manifest
from cosim.trace.reader import Run, read_run
from cosim.trace.schema import ROWS, SCHEMAS
from cosim.trace.writer import TraceWriter

Rows = dict[str, list[Any]]


def start_run(directory: Path) -> TraceWriter:
    writer = TraceWriter(directory)
    (directory / "scenario.yaml").write_text("seed: 1\n", encoding="utf-8")
    write_manifest(directory, {"status": Status.RUNNING})
    return writer


def test_a_running_and_a_completed_run_read_alike(tmp_path: Path, rows: Rows) -> None:
    writer = start_run(tmp_path)
    for index in (0, 1):
        for table_rows in rows.values():
            writer.add(table_rows[index])
        writer.flush()
    while_running = read_run(tmp_path)
    assert while_running.manifest == {"status": "running"}
    assert while_running.scenario_text == "seed: 1\n"
    before = {table: getattr(while_running, table) for table in ROWS}
    writer.close()
    completed = read_run(str(tmp_path))
    for table, expected in rows.items():
        frame = getattr(completed, table)
        pd.testing.assert_frame_equal(frame, before[table])
        assert list(frame.columns) == SCHEMAS[table].names
        assert len(frame) == len(expected)
        assert completed.units(table) == while_running.units(table)
    assert completed.units("transfers")["mean_rate_bit_s"] == "bit/s"
    assert completed.events is completed.events


def test_nullable_integers_stay_integers(tmp_path: Path, rows: Rows) -> None:
    writer = start_run(tmp_path)
    for row in rows["events"]:
        writer.add(row)
    writer.close()
    peers = read_run(tmp_path).events["peer"]
    assert str(peers.dtype) == "Int32"
    assert peers.isna().tolist() == [True, False]
    assert peers[1] == 0


def test_tables_that_nothing_was_written_to_are_empty(tmp_path: Path) -> None:
    start_run(tmp_path)
    run = read_run(tmp_path)
    for table, schema in SCHEMAS.items():
        assert run.table(table).schema.equals(schema)
        assert list(getattr(run, table).columns) == schema.names
        assert len(getattr(run, table)) == 0


def test_more_than_a_million_parts_would_stay_in_order(tmp_path: Path, rows: Rows) -> None:
    writer = start_run(tmp_path)
    writer._parts_written["events"] = 999_998
    for row in rows["events"] * 2:
        writer.add(row)
        writer.flush()
    assert part_files(tmp_path, "events")[-1].name == "1000002.parquet"
    assert read_run(tmp_path).events["kind"].tolist() == ["plan", "receive"] * 2


def test_a_run_that_completes_under_the_reader_is_read(
    tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = start_run(tmp_path)
    writer.add(rows["events"][0])
    writer.flush()

    def list_then_complete(directory: Path, table: str) -> list[Path]:
        files = table_files(directory, table)
        writer.close()
        return files

    monkeypatch.setattr(reader_module, "table_files", list_then_complete)
    assert len(read_run(tmp_path).events) == 1


def test_a_directory_that_is_no_run_is_refused_with_the_nearest(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    start_run(runs / "ring-001")
    with pytest.raises(RunDirectoryError, match=r"is not a directory.*nearest run is .*ring-001\."):
        read_run(runs / "rng-001")
    with pytest.raises(RunDirectoryError, match=r"has no manifest.json.*such as .*ring-001\."):
        read_run(runs)
    with pytest.raises(RunDirectoryError, match=r"expected a directory that a run has written\.$"):
        read_run(tmp_path / "elsewhere" / "ring-001")


def test_what_cannot_be_read_is_named(tmp_path: Path, rows: Rows) -> None:
    writer = start_run(tmp_path)
    writer.add(rows["events"][0])
    writer.close()
    run: Run = read_run(tmp_path)
    with pytest.raises(RunDirectoryError, match="no table 'event'; there are devices, events"):
        run.table("event")
    (tmp_path / "events.parquet").write_bytes(b"")
    with pytest.raises(RunDirectoryError, match=r"events\.parquet is not a readable .*[^.]\.$"):
        _ = run.events
    (tmp_path / "scenario.yaml").unlink()
    with pytest.raises(RunDirectoryError, match=r"scenario\.yaml cannot be read"):
        read_run(tmp_path)


def test_a_run_of_another_version_is_refused_by_name(tmp_path: Path, rows: Rows) -> None:
    trace = start_run(tmp_path)
    for row in rows["transfers"]:
        trace.add(row)
    trace.close()
    file = tmp_path / "transfers.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["sent_bits"]), file)
    with pytest.raises(RunDirectoryError, match="transfers lack the column sent_bits"):
        _ = read_run(tmp_path).transfers
