"""Writes a run's tables: rows are buffered, flushed as complete parts, compacted at the end."""

import shutil
from difflib import get_close_matches
from enum import StrEnum
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import RunDirectoryError
from cosim.trace.files import PARTS, compacted_file, part_files, replacing, table_files
from cosim.trace.schema import EVERY_SCHEMA, OPTIONAL_ROWS, ROWS, VOCABULARIES, Row

# Large enough to compress and scan well, small enough that compaction holds a few megabytes.
ROW_GROUP_ROWS = 131_072
COMPRESSION = "zstd"


class TraceWriter:
    """A trace writer appends rows to the tables of one run directory.

    What was flushed survives any crash. `flush` and `close` may be repeated, also after an
    error of the disk: nothing is dropped from memory before it lies in a complete file.
    Raises RunDirectoryError if the directory already holds a trace.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for table in EVERY_SCHEMA:
            if existing := table_files(directory, table):
                raise RunDirectoryError(
                    f"{directory} already holds {existing[0].relative_to(directory)}; "
                    "a run never overwrites."
                )
        self.directory = directory.absolute()  # pyarrow would read a relative `a:b` as an address
        rows = {**ROWS, **OPTIONAL_ROWS}
        self._buffers = {row: _Buffer(table) for table, row in rows.items()}
        self._parts_written = dict.fromkeys(EVERY_SCHEMA, 0)
        self._closed = False

    def add(self, row: Row) -> None:
        """Buffer one row in the table of its class.

        Raises ValueError for a word outside a closed vocabulary and after `close`, TypeError
        for a value that its column cannot hold.
        """
        if self._closed:
            raise ValueError(f"the trace of {self.directory} is closed: no row can follow")
        self._buffers[type(row)].add(row)

    @property
    def buffered(self) -> int:
        """Rows that are not on disk yet."""
        return sum(len(buffer.rows) for buffer in self._buffers.values())

    def flush(self) -> None:
        """Write every non-empty buffer as one complete part file and empty it."""
        for buffer in self._buffers.values():
            if not buffer.rows:
                continue
            number = self._parts_written[buffer.table] + 1
            folder = self.directory / PARTS / buffer.table
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / f"{number:06d}.parquet") as temporary:
                pq.write_table(buffer.to_arrow(), temporary, compression=COMPRESSION)
            self._parts_written[buffer.table] = number
            buffer.rows.clear()

    def close(self) -> None:
        """Flush, turn each table's parts into one file, drop the parts.

        Eight tables have a file even if they are empty, an optional one only if it has rows.
        """
        self.flush()
        self._closed = True
        optional = [table for table in OPTIONAL_ROWS if part_files(self.directory, table)]
        for table in (*ROWS, *optional):
            if not compacted_file(self.directory, table).exists():
                _compact(self.directory, table)
        shutil.rmtree(self.directory / PARTS, ignore_errors=True)


class _Buffer:
    """The rows of one table that are not on disk yet."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.rows: list[Row] = []
        self._schema = EVERY_SCHEMA[table]
        self._words = [
            (self._schema.get_field_index(column), column, frozenset(map(str, vocabulary)))
            for column, vocabulary in VOCABULARIES[table].items()
        ]
        # Rows come by the hundred thousand in very few combinations of types: check each once.
        self._accepted_types: set[tuple[type, ...]] = set()

    def add(self, row: Row) -> None:
        """Check and keep one row."""
        types = tuple(map(type, row))
        if types not in self._accepted_types:
            self._check_types(row)
            self._accepted_types.add(types)
        for index, column, words in self._words:
            if row[index] not in words:
                raise ValueError(_unknown_word(self.table, column, str(row[index])))
        self.rows.append(row)

    def to_arrow(self) -> pa.Table:
        """The buffered rows as columns."""
        columns = zip(*self.rows, strict=True)
        arrays = [
            _array(column, field) for column, field in zip(columns, self._schema, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _check_types(self, row: Row) -> None:
        for field, value in zip(self._schema, row, strict=True):
            if value is None and field.nullable:
                continue
            if not isinstance(value, _expected(field.type)) or isinstance(value, bool):
                raise TypeError(
                    f"{self.table}.{field.name} holds {field.type}"
                    f"{' or null' if field.nullable else ''}, not {value!r}"
                )


def _expected(stored: pa.DataType) -> type:
    """What a value must be: numpy's scalars count as the numbers that they are."""
    if pa.types.is_integer(stored):
        return Integral
    return Real if pa.types.is_floating(stored) else str


def _array(values: tuple[Any, ...], field: pa.Field) -> pa.Array:
    if pa.types.is_floating(field.type):
        # Counts beyond 2⁵³ (FLOP) come as Python's integers, which arrow will not round by itself.
        values = tuple(None if value is None else float(value) for value in values)
    return pa.array(values, field.type)


def _unknown_word(table: str, column: str, word: str) -> str:
    vocabulary: list[StrEnum] = list(VOCABULARIES[table][column])
    near: list[Any] = get_close_matches(word, vocabulary, cutoff=0.5) or vocabulary
    return f"{table}.{column} has no word {word!r}; the nearest are: {', '.join(near)}"


def _compact(directory: Path, table: str) -> None:
    """Copy a table's parts into its single file, holding at most two row groups in memory."""
    schema = EVERY_SCHEMA[table]
    with (
        replacing(compacted_file(directory, table)) as temporary,
        pq.ParquetWriter(temporary, schema, compression=COMPRESSION) as writer,
    ):
        pending: list[pa.RecordBatch] = []
        pending_rows = 0
        for part in part_files(directory, table):
            with pq.ParquetFile(part) as source:
                for batch in source.iter_batches(batch_size=ROW_GROUP_ROWS):
                    pending.append(batch)
                    pending_rows += batch.num_rows
                    if pending_rows >= ROW_GROUP_ROWS:
                        writer.write_table(pa.Table.from_batches(pending, schema))
                        pending, pending_rows = [], 0
        if pending:
            writer.write_table(pa.Table.from_batches(pending, schema))
