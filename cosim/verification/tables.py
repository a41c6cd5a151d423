"""The tables of a run against their declared schemas: columns, types, units, words, nulls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cosim.trace.files import table_files
from cosim.trace.schema import EVERY_SCHEMA, VOCABULARIES, units
from cosim.verification.finding import Finding, written


def read_tables(directory: Path) -> tuple[Mapping[str, pd.DataFrame], list[Finding]]:
    """The tables that are as declared, and what is wrong with the others.

    A table without a file is in neither: `files` tells of it.
    """
    tables: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    for name, schema in EVERY_SCHEMA.items():
        parts = []
        wrong: list[Finding] = []
        for path in table_files(directory, name):
            file = str(path.relative_to(directory.absolute()))
            try:
                with pq.ParquetFile(path) as source:
                    part = source.read()
            except (OSError, pa.ArrowException) as error:
                wrong.append(Finding(file, "content", "a readable parquet file", str(error)))
                continue
            wrong += _against(file, part.schema, schema)
            if not wrong:
                wrong += _values(file, part, name)
            parts.append(part)
        findings += wrong
        if parts and not wrong:
            tables[name] = pa.concat_tables(parts).to_pandas()
    return tables, findings


def _against(file: str, schema: pa.Schema, declared: pa.Schema) -> Iterator[Finding]:
    for field in declared:
        index = schema.get_field_index(field.name)
        if index < 0:
            names = ", ".join(schema.names) or "no columns"
            yield Finding(file, f"column {field.name}", str(field.type), f"none ({names})")
            continue
        stored = schema.field(index)
        if stored.type != field.type:
            yield Finding(file, f"type of column {field.name}", str(field.type), str(stored.type))
        elif stored.nullable != field.nullable:
            words = {True: "null allowed", False: "never null"}
            yield Finding(
                file, f"column {field.name}", words[field.nullable], words[stored.nullable]
            )
    unit = units(schema)
    for column, declared_unit in units(declared).items():
        if schema.get_field_index(column) >= 0 and unit.get(column) != declared_unit:
            stored_unit = repr(unit[column]) if column in unit else "none"
            yield Finding(file, f"unit of column {column}", repr(declared_unit), stored_unit)
    extra = [column for column in schema.names if column not in declared.names]
    if extra:
        yield Finding(file, "columns", "those of the schema", f"{extra[0]} besides")
    elif set(schema.names) == set(declared.names) and schema.names != declared.names:
        yield Finding(file, "columns", ", ".join(declared.names), ", ".join(schema.names))


def _values(file: str, table: pa.Table, name: str) -> Iterator[Finding]:
    for column, vocabulary in VOCABULARIES[name].items():
        words = [str(word) for word in vocabulary]
        in_vocabulary = pc.is_in(table.column(column), value_set=pa.array(words, pa.string()))
        for row in _where(pc.invert(in_vocabulary)):
            value = repr(written(table.column(column)[row].as_py()))
            yield Finding(file, column, f"one of {', '.join(words)}", value, row)


def _where(mask: pa.ChunkedArray) -> list[int]:
    rows: list[int] = pc.indices_nonzero(mask).to_pylist()
    return rows
