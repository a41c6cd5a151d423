"""The content hash sees every bit of every value, and nothing else."""

import math
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosim.errors import RunDirectoryError
from cosim.trace import content_hash as content_hash_module
from cosim.trace.content_hash import results_sha256
from cosim.trace.schema import EvaluationRow, PositionRow, Row
from cosim.trace.writer import TraceWriter

Rows = dict[str, list[Any]]


def hash_of(directory: Path, rows: list[Row], *, flush_every: int = 0, close: bool = True) -> str:
    writer = TraceWriter(directory)
    for index, row in enumerate(rows, start=1):
        writer.add(row)
        if flush_every and index % flush_every == 0:
            writer.flush()
    writer.flush()
    if close:
        writer.close()
    return results_sha256(directory)


def test_flush_boundaries_row_groups_and_compaction_do_not_show(
    tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_row = [row for table_rows in rows.values() for row in table_rows * 5]
    reference = hash_of(tmp_path / "once", every_row)
    assert hash_of(tmp_path / "often", every_row, flush_every=3) == reference
    assert hash_of(tmp_path / "open", every_row, flush_every=4, close=False) == reference
    monkeypatch.setattr(content_hash_module, "_BATCH_ROWS", 3)
    assert results_sha256(tmp_path / "once") == reference


def test_another_writer_of_the_same_content_does_not_show(tmp_path: Path, rows: Rows) -> None:
    reference = hash_of(tmp_path, [row for table_rows in rows.values() for row in table_rows])
    for path in tmp_path.glob("*.parquet"):
        table = pq.read_table(path).replace_schema_metadata(None)
        bare = pa.table({name: table[name] for name in reversed(table.column_names)})
        pq.write_table(bare, path, compression="none", row_group_size=1, store_schema=False)
    assert results_sha256(tmp_path) == reference


def test_one_ulp_one_sign_one_null_one_order_show(tmp_path: Path, rows: Rows) -> None:
    first, second = PositionRow(1.0, 0, 0.0, 3.0), PositionRow(2.0, 0, 0.0, 3.0)
    loss_zero, loss_null = (rows["rounds"][1]._replace(loss=loss) for loss in (0.0, None))
    variants: list[list[Row]] = [
        [first, second],
        [second, first],
        [first._replace(y_m=math.nextafter(3.0, 4.0)), second],
        [first._replace(x_m=-0.0), second],
        [first._replace(x_m=math.nan), second],
        [first],
        [],
        [loss_zero],
        [loss_null],
        [EvaluationRow(0.0, 0, 0, "ab", "c", 0.0, 1)],
        [EvaluationRow(0.0, 0, 0, "a", "bc", 0.0, 1)],
        [EvaluationRow(0.0, 0, 0, task, "c", 0.0, 1) for task in ("ab", "c")],
        [EvaluationRow(0.0, 0, 0, task, "c", 0.0, 1) for task in ("a", "bc")],
    ]
    hashes = [hash_of(tmp_path / str(index), variant) for index, variant in enumerate(variants)]
    assert len(set(hashes)) == len(variants)


def test_every_nan_is_the_same_nan(tmp_path: Path) -> None:
    (negative,) = struct.unpack("<d", bytes.fromhex("010000000000f8ff"))
    assert math.isnan(negative)
    row = PositionRow(0.0, 0, math.nan, 0.0)
    plain = hash_of(tmp_path / "plain", [row])
    assert hash_of(tmp_path / "negative", [row._replace(x_m=negative)]) == plain


def test_the_definition_does_not_move(tmp_path: Path, rows: Rows) -> None:
    every_row = [row for table_rows in rows.values() for row in table_rows]
    assert hash_of(tmp_path, every_row) == (
        "9535c426e10f39e9c8f770fa99e98abddd091a854086ebc0475a9a08ab06c04b"
    )


def test_unreadable_tables_are_refused(tmp_path: Path, rows: Rows) -> None:
    hash_of(tmp_path, rows["events"])
    path = tmp_path / "events.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["cause"]), path)
    with pytest.raises(RunDirectoryError, match="lacks the column cause"):
        results_sha256(tmp_path)
    path.write_bytes(b"not parquet")
    with pytest.raises(RunDirectoryError, match=r"events\.parquet is not a readable"):
        results_sha256(tmp_path)
