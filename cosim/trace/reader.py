"""Opens a run directory, whether the run is completed, still running or crashed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import RunDirectoryError
from cosim.trace.files import table_files
from cosim.trace.manifest import MANIFEST_FILE, Status, read_manifest
from cosim.trace.schema import EVERY_SCHEMA, SCHEMAS, units

# Whoever runs a scenario imports this file, and needs no pandas before the run has ended.
if TYPE_CHECKING:
    import pandas as pd

SCENARIO_FILE = "scenario.yaml"


@dataclass(frozen=True)
class Run:
    """A run is one directory; each table is read when first asked for and then kept.

    In the data frames a null number is NaN, except that nullable integers (`events.peer`) stay
    integers, with pandas' NA. `table` keeps null and NaN apart. The unit of each column is in
    `frame.attrs["units"]`. To see what a running run has flushed since, read it again.

    directory: where it is.
    manifest: what is known of it as a whole.
    scenario_text: the resolved scenario, as YAML.
    """

    directory: Path
    manifest: dict[str, Any] = field(repr=False)
    scenario_text: str = field(repr=False)

    @cached_property
    def devices(self) -> pd.DataFrame:
        """One row per device."""
        return self._frame("devices")

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per thing that happened."""
        return self._frame("events")

    @cached_property
    def transfers(self) -> pd.DataFrame:
        """One row per transmission."""
        return self._frame("transfers")

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """One row per device and round."""
        return self._frame("rounds")

    @cached_property
    def topology(self) -> pd.DataFrame:
        """One row per device and plan."""
        return self._frame("topology")

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per device and adapted layer."""
        return self._frame("layers")

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row per device, task and evaluation."""
        return self._frame("evaluations")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """One row per device and sample of the mobility."""
        return self._frame("positions")

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """One row per diagnostic quantity and what it is about; empty unless asked for."""
        return self._frame("diagnostics")

    @cached_property
    def answers(self) -> pd.DataFrame:
        """One row per device, question and evaluation; empty where answers are not kept."""
        return self._frame("answers")

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Opens a run directory; raises RunDirectoryError if it is not one or cannot be read."""
        directory = Path(path)
        if not os.path.isfile(directory / MANIFEST_FILE):  # which takes any text
            lack = f"has no {MANIFEST_FILE}" if os.path.isdir(directory) else "is not a directory"
            raise RunDirectoryError(
                f"{directory} is not a run: it {lack}; expected a directory that a run has "
                f"written{_nearest_run(directory)}."
            )
        scenario = directory / SCENARIO_FILE
        try:
            scenario_text = scenario.read_text(encoding="utf-8")
        except OSError as error:
            raise RunDirectoryError(f"{scenario} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise RunDirectoryError(f"{scenario} is not utf-8 text: {error}.") from error
        return cls(directory, read_manifest(directory), scenario_text)

    def table(self, name: str) -> pa.Table:
        """The table as pyarrow holds it, with units as field metadata; read anew at each call.

        Raises RunDirectoryError if there is no such table or a file of it is unreadable.
        """
        if name not in EVERY_SCHEMA:
            tables = ", ".join(EVERY_SCHEMA)
            raise RunDirectoryError(f"There is no table {name!r}; there are {tables}.")
        files = table_files(self.directory, name)
        if not files and name in SCHEMAS and self.manifest.get("status") == Status.COMPLETED:
            raise RunDirectoryError(
                f"{self.directory} has no {name}.parquet: another version of cosim wrote it, or it "
                "was removed; run its scenario again."
            )
        try:
            return _read_table(files, name)
        except RunDirectoryError:
            files_now = table_files(self.directory, name)
            if files_now == files:
                raise
            # The run was completed between listing its parts and opening them.
            return _read_table(files_now, name)

    def units(self, name: str) -> dict[str, str]:
        """The unit of each column of a table."""
        return units(self.table(name).schema)

    def _frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        table = self.table(name)
        declared = EVERY_SCHEMA[name].names
        lacking = [column for column in declared if column not in table.schema.names]
        if lacking:
            raise RunDirectoryError(
                f"{self.directory}: its {name} lack the column {lacking[0]}: another version of "
                "cosim wrote them; run its scenario again."
            )
        frame: pd.DataFrame = table.to_pandas()
        for kind in table.schema:
            if kind.nullable and pa.types.is_int32(kind.type):
                column = table.column(kind.name)
                frame[kind.name] = column.to_pandas(types_mapper=lambda _: pd.Int32Dtype())
        frame.attrs["units"] = units(table.schema)
        return frame


def read_run(path: Path | str) -> Run:
    """Opens a run directory, as `Run.read` does."""
    return Run.read(path)


def _read_table(files: list[Path], name: str) -> pa.Table:
    parts = [_read_file(path) for path in files]
    if not parts:
        return EVERY_SCHEMA[name].empty_table()
    try:
        return pa.concat_tables(parts)
    except pa.ArrowException as error:
        raise RunDirectoryError(
            f"{files[0].parent} holds parts of different tables: {str(error).rstrip('.')}."
        ) from error


def _read_file(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as source:
            return source.read()
    except (OSError, pa.ArrowException) as error:
        reason = str(error).rstrip(".")
        raise RunDirectoryError(f"{path} is not a readable parquet file: {reason}.") from error


def _nearest_run(directory: Path) -> str:
    """A hint at a run inside the directory, or at one beside it with a similar name."""
    inside = _runs_in(directory)
    if inside:
        return f", such as {directory / inside[-1]}"
    near = get_close_matches(directory.name, _runs_in(directory.parent), n=1, cutoff=0.4)
    return f"; the nearest run is {directory.parent / near[0]}" if near else ""


def _runs_in(folder: Path) -> list[str]:
    try:
        return sorted(
            entry.name for entry in folder.iterdir() if os.path.isfile(entry / MANIFEST_FILE)
        )
    except (OSError, ValueError):
        return []
