"""Files that are missing, broken, or of another schema; and runs that were cut short."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cosim.trace.content_hash import results_sha256


def rewrite(copy: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = copy / f"{table}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def no_units(table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([field.remove_metadata() for field in table.schema]))


def retyped(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("bits")
    field = table.schema.field(index).with_type(pa.float64())
    return table.cast(table.schema.set(index, field))


def nullable(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("src")
    return table.cast(table.schema.set(index, table.schema.field(index).with_nullable(True)))


def another_unit(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("power_w")
    field = table.schema.field(index).with_metadata({"unit": "mW"})
    return table.cast(table.schema.set(index, field))


def another_word(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("outcome")
    words = table.column("outcome").to_pylist()
    return table.set_column(index, table.schema.field(index), pa.array([*words[:-1], "lost"]))


SCHEMA_CASES: dict[str, tuple[Any, str]] = {
    "a column less": (
        lambda table: table.drop_columns(["distance_m"]),
        r"transfers\.parquet: column distance_m: expected double, found none \(number, round, src",
    ),
    "a column more": (
        lambda table: table.append_column("extra", pa.array([1] * len(table))),
        r"transfers\.parquet: columns: expected those of the schema, found extra besides",
    ),
    "another order": (
        lambda table: table.select(table.column_names[::-1]),
        r"columns: expected number, round, src, .*, found estimate_error, symbols, packets_lost,",
    ),
    "another type": (retyped, r"type of column bits: expected int64, found double"),
    "nulls allowed": (nullable, r"column src: expected never null, found null allowed"),
    "no units": (no_units, r"unit of column round: expected '1', found none"),
    "another unit": (another_unit, r"unit of column power_w: expected 'W', found 'mW'"),
    "another word": (
        another_word,
        r"transfers\.parquet row \d+: outcome: expected one of delivered, late, .*found 'lost'",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SCHEMA_CASES.values(), ids=SCHEMA_CASES)
def test_another_schema_is_refused(copy: Path, verify: Any, case: tuple[Any, str]) -> None:
    change, said = case
    rewrite(copy, "transfers", change)
    code, told, _ = verify(copy)
    assert code == 1
    assert told["schema"].startswith("WRONG: ")
    assert re.search(said, told["schema"]), told["schema"]
    assert told["bits"] == "not checked: transfers.parquet cannot be used"
    assert told["energy"].startswith("not checked: ")


def manifest(copy: Path, **changes: Any) -> None:
    path = copy / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


FILE_CASES: dict[str, tuple[Any, str, str]] = {
    "a table is missing": (
        lambda run: (run / "positions.parquet").unlink(),
        "files", "positions.parquet: file: expected a table, found none",
    ),
    "a table is no parquet": (
        lambda run: (run / "events.parquet").write_bytes(b"PAR1 not a table"),
        "schema", "events.parquet: content: expected a readable parquet file, found ",
    ),
    "a table is cut short": (
        lambda run: (run / "rounds.parquet").write_bytes(
            (run / "rounds.parquet").read_bytes()[:-100]
        ),
        "schema", "rounds.parquet: content: expected a readable parquet file, found ",
    ),
    "parts are left": (
        lambda run: (run / "parts").mkdir(),
        "files", "parts/: folder: expected none in a run that has ended, found one",
    ),
    "no scenario": (
        lambda run: (run / "scenario.yaml").unlink(),
        "files", "scenario.yaml: content: expected a resolved scenario, found ",
    ),
    "another scenario": (
        lambda run: (run / "scenario.yaml").write_text("rounds: 0\n"),
        "files", "scenario.yaml: content: expected a resolved scenario, found ",
    ),
    "no JSON": (
        lambda run: (run / "manifest.json").write_text("{"),
        "files", "manifest.json: content: expected a JSON object, found ",
    ),
    "nested without end": (
        lambda run: (run / "manifest.json").write_text("[" * 100_000),
        "files", "manifest.json: content: expected a JSON object, found ",
    ),
    "still running": (
        lambda run: manifest(run, status="running"),
        "files", "manifest.json: status: expected completed or interrupted or failed, found "
        "'running', which goes on or was killed",
    ),
    "no hash": (
        lambda run: manifest(run, results_sha256=None),
        "hash", "manifest.json: results_sha256: expected a SHA-256 of the tables, found none",
    ),
    "another hash": (
        lambda run: manifest(run, results_sha256="0" * 64),
        "hash", f"manifest.json: results_sha256: expected {'0' * 64}, found ",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", FILE_CASES.values(), ids=FILE_CASES)
def test_broken_files_are_told(copy: Path, verify: Any, case: tuple[Any, str, str]) -> None:
    change, check, said = case
    change(copy)
    code, told, err = verify(copy)
    assert (code, err) == (1, "")
    assert told[check].startswith("WRONG: ")
    assert said in told[check]


def test_a_run_that_was_cut_short_is_verified_as_far_as_it_came(copy: Path, verify: Any) -> None:
    """As Ctrl-C leaves it: whatever happened until then, and nothing later."""
    sent = pq.read_table(copy / "transfers.parquet").to_pandas()
    cut_s = float(sent[["start_s", "end_s"]].loc[sent.index[sent["outcome"] == "late"][12]].mean())

    def until(column: str, rows: pa.Table) -> pa.Table:
        return rows.filter(pc.less(rows.column(column), cut_s))

    for table, column in (("events", "time_s"), ("transfers", "end_s"), ("rounds", "end_s")):
        rewrite(copy, table, partial(until, column))
    rewrite(copy, "positions", lambda t: t.slice(0, 8))
    manifest(copy, status="interrupted", simulated_s=cut_s, results_sha256=results_sha256(copy))
    code, told, _ = verify(copy)
    assert code == 0, told
    assert all(text.startswith("ok: ") for name, text in told.items() if name != f"{copy}:")
    # As a completed run it would not do.
    manifest(copy, status="completed")
    code, told, _ = verify(copy)
    assert code == 1
    assert "its send_end later" in told["transfers"]


def test_the_rounds_told_are_those_that_were_played(copy: Path, verify: Any) -> None:
    assert verify(copy)[1]["devices"] == "ok: 8 devices, 8 rounds"
    rewrite(copy, "rounds", lambda rows: rows.filter(pc.less(rows.column("round"), 4)))
    assert verify(copy)[1]["devices"] == "ok: 8 devices, 3 of 8 rounds"
