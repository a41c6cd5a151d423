"""The table that a run has only if something was diagnosed."""

from pathlib import Path
from typing import Any

import pytest

from cosim.errors import RunDirectoryError
from cosim.trace.content_hash import results_sha256
from cosim.trace.manifest import write_manifest
from cosim.trace.reader import read_run
from cosim.trace.schema import DiagnosticRow, Quantity
from cosim.trace.writer import TraceWriter

PAIR = DiagnosticRow(9.0, 1, 0, 2, None, None, None, Quantity.UPDATE_SIMILARITY_MAX, 0.25)
MODULE = DiagnosticRow(9.0, 1, None, None, None, 3, "q_proj", Quantity.UPDATE_SIMILARITY, 0.125)
SHARE = DiagnosticRow(9.0, 1, 0, 0, "sums", None, None, Quantity.EXPERT_SHARE, 0.5)


def written(directory: Path, rows: list[Any], *, close: bool = True) -> Path:
    writer = TraceWriter(directory)
    for row in rows:
        writer.add(row)
        writer.flush()
    if close:
        writer.close()
    (directory / "scenario.yaml").write_text("seed: 1\n", encoding="utf-8")
    write_manifest(directory, {"status": "completed"})
    return directory


@pytest.mark.parametrize("close", [True, False])
def test_it_reads_back_and_keeps_its_integers(tmp_path: Path, close: bool) -> None:
    run = read_run(written(tmp_path, [PAIR, MODULE, SHARE], close=close))
    assert run.table("diagnostics").to_pylist() == [row._asdict() for row in (PAIR, MODULE, SHARE)]
    frame = run.diagnostics
    assert {str(frame[name].dtype) for name in ("device", "peer", "layer")} == {"Int32"}
    assert frame["device"].isna().tolist() == [False, True, False]


@pytest.mark.slow
def test_without_rows_there_is_no_file_and_no_trace_of_it_in_the_hash(
    tmp_path: Path, rows: dict[str, list[Any]]
) -> None:
    every = [row for of_table in rows.values() for row in of_table]
    without = written(tmp_path / "without", every)
    assert not (without / "diagnostics.parquet").exists()
    assert read_run(without).diagnostics.empty
    hashes = {
        results_sha256(without),
        results_sha256(written(tmp_path / "with", [*every, PAIR])),
        results_sha256(written(tmp_path / "more", [*every, PAIR, MODULE])),
    }
    assert len(hashes) == 3
    open_ = written(tmp_path / "open", [*every, PAIR], close=False)
    assert results_sha256(open_) == results_sha256(tmp_path / "with")


def test_words_are_closed_and_nothing_is_overwritten(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path)
    with pytest.raises(ValueError, match="no word 'update_similarity_min'"):
        writer.add(PAIR._replace(quantity="update_similarity_min"))  # type: ignore[arg-type]
    writer.add(PAIR)
    writer.close()
    with pytest.raises(RunDirectoryError, match="already holds"):
        TraceWriter(tmp_path)
