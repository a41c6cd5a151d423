"""One number for what a run found, whatever the parquet files that hold it look like."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import RunDirectoryError
from cosim.trace.files import table_files
from cosim.trace.schema import EVERY_SCHEMA, SCHEMAS

_BATCH_ROWS = 65_536


def results_sha256(directory: Path) -> str:
    """The SHA-256 of the content of all tables, as 64 hexadecimal digits.

    Tables and columns go in the schema's order; an optional table that the run has not is left out,
    so that its invention moved no hash. A column contributes its name, its type, its
    number of rows, the null mask (one byte per row) and the values: little-endian numbers, or
    utf8 bytes and their lengths; a null counts as zero or as the empty string. Numbers count by
    their exact bits, so -0.0 differs from 0.0 and one ulp shows. Only NaN is made one: its sign
    and payload depend on the processor, and no analysis can see them.

    Row groups, parts, compression and the version of the parquet writer leave no trace in it.
    Raises RunDirectoryError if a table cannot be read.
    """
    total = hashlib.sha256()
    for table, schema in EVERY_SCHEMA.items():
        if table not in SCHEMAS and not table_files(directory, table):
            continue
        columns = [_ColumnHash(field) for field in schema]
        for batch in _batches(directory, table):
            for column in columns:
                column.update(batch.column(column.field.name))
        total.update(_prefixed(table) + _number(len(columns)))
        for column in columns:
            total.update(column.digest())
    return total.hexdigest()


class _ColumnHash:
    """Hashes one column as it streams by; separate streams make batch boundaries invisible."""

    def __init__(self, field: pa.Field) -> None:
        self.field = field
        self._rows = 0
        self._nulls = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()

    def update(self, values: pa.Array) -> None:
        """Add the next rows."""
        self._rows += len(values)
        self._nulls.update(values.is_null().to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_string(self.field.type):
            text = values.fill_null("")
            # Its functions are made on import, which is a good part of a run's start.
            import pyarrow.compute as pc

            lengths = pc.binary_length(text).to_numpy(zero_copy_only=False)
            self._lengths.update(lengths.astype("<i4").tobytes())
            self._values.update("".join(text.to_pylist()).encode())
            return
        numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
        numbers = numbers.astype(numbers.dtype.newbyteorder("<"))
        if numbers.dtype.kind == "f":
            numbers[np.isnan(numbers)] = np.nan
        self._values.update(numbers.tobytes())

    def digest(self) -> bytes:
        """Returns everything that the column contributes."""
        head = _prefixed(self.field.name) + _prefixed(str(self.field.type)) + _number(self._rows)
        return head + self._nulls.digest() + self._lengths.digest() + self._values.digest()


def _batches(directory: Path, table: str) -> Iterator[pa.RecordBatch]:
    schema = EVERY_SCHEMA[table]
    names = schema.names
    for path in table_files(directory, table):
        try:
            with pq.ParquetFile(path) as source:
                if missing := [name for name in names if name not in source.schema_arrow.names]:
                    raise RunDirectoryError(f"{path} lacks the column {missing[0]}.")
                for batch in source.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                    yield batch.select(names).cast(schema)
        except (OSError, pa.ArrowException) as error:
            reason = str(error).rstrip(".")
            raise RunDirectoryError(f"{path} is not a readable parquet file: {reason}.") from error


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _prefixed(text: str) -> bytes:
    encoded = text.encode()
    return _number(len(encoded)) + encoded
