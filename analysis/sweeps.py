"""The runs of a sweep as one frame, and the rule that no missing seed goes unsaid.

Shared by the scripts beside it; it reads what `cosim sweep` has written and nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib import rc_context
from matplotlib.figure import Figure

import cosim
from cosim.errors import CosimError, SweepError
from cosim.methods import METHODS
from cosim.plotting.drawing import Drawing
from cosim.plotting.style import SETTINGS, foot
from cosim.sweeping.index import INDEX_FILE
from cosim.trace.reader import Run

# A figure, and what it says at its foot.
Drawn = tuple[Figure, str]
_NOT_AXES = (
    *("seed", "directory", "label", "status", "seconds", "error"),
    *("accuracy", "energy_j", "mbit", "simulated_s"),
)


class Played(NamedTuple):
    """A completed run of a sweep, and what it is called in a comparison."""

    label: str
    seed: int
    run: Run


@dataclass(frozen=True)
class Sweep:
    """The completed runs of a sweep; `missing`: label → the seeds that are not completed."""

    directory: Path
    runs: tuple[Played, ...]
    missing: dict[str, list[int]]

    @property
    def labels(self) -> list[str]:
        """What is compared, in the order of the sweep."""
        return list(dict.fromkeys(one.label for one in self.runs))

    @property
    def note(self) -> str:
        """What is missing, in words; empty where nothing is."""
        return _note({label: list(map(str, seeds)) for label, seeds in self.missing.items()})

    def missing_seeds(self, label: str) -> str:
        """The seeds that a label lacks, for a column of a table."""
        return " ".join(map(str, self.missing.get(label, [])))

    def refuse_unknown(self, label: str, option: str) -> None:
        """SweepError for a label that no completed run has."""
        if label not in self.labels:
            raise SweepError(
                f"{option}: {self.directory} has no completed run of '{label}'; there are "
                f"{', '.join(self.labels)}"
            )


def read_sweep(
    directory: Path, *, allow_missing: bool, axes: Sequence[str] = (), only: str | None = None
) -> Sweep:
    """Opens the completed runs of a sweep's directory.

    A label is the method and whatever else the grid varies, but for paths that are, or begin with,
    one of `axes`, which are what a script measures against. `only`: the one label that is asked
    for. Raises SweepError for a directory without a readable index or a completed run, and for
    missing seeds unless they are allowed.
    """
    index = _index(directory)
    rows = [{str(name): value for name, value in row.items()} for row in index.to_dict("records")]
    runs = [_opened(directory, row) for row in rows]
    played, missing = [], dict[str, set[int]]()
    labels = _labels(rows, runs, axes)
    if only is not None and only not in labels:
        there = ", ".join(dict.fromkeys(labels))
        raise SweepError(f"{directory} has no runs of '{only}'; there are {there}")
    for label, row, run in zip(labels, rows, runs, strict=True):
        if only not in (None, label):
            continue
        if run is None:
            missing.setdefault(label, set()).add(int(row["seed"]))
        else:
            played.append(Played(label, int(row["seed"]), run))
    lacking = {label: sorted(seeds) for label, seeds in missing.items()}
    sweep = Sweep(directory, tuple(played), lacking)
    if not played:
        raise SweepError(f"{directory} has no completed run{f' of {only}' if only else ''}")
    if missing and not allow_missing:
        raise SweepError(
            f"{directory}: {sweep.note}; finish it with 'cosim sweep', or use what there is, and "
            "say so on the figure, with --allow-missing"
        )
    return sweep


def command(description: str, *, several: bool = False) -> argparse.ArgumentParser:
    """What all scripts take: a sweep, where to write, and what to do about missing seeds.

    several: sweeps are read as one.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    told = "directory of a sweep, or the OUT.csv of an earlier call, which is drawn anew"
    count = "+" if several else 1
    parser.add_argument("sweeps", type=Path, metavar="SWEEP", nargs=count, help=told)
    parser.add_argument("--out", type=Path, required=True, help="path without an ending")
    parser.add_argument(
        "--allow-missing", action="store_true", help="use the seeds there are, and say so"
    )
    return parser


def play(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    table_of: Callable[[Sweep, Any], pd.DataFrame],
    draw: Callable[[pd.DataFrame, Any], Drawn],
    **reading: Any,
) -> None:
    """Writes OUT.csv and OUT.png of a sweep; `table_of` and `draw` take the arguments too.

    What is missing stands at the figure's foot, after what `draw` says there.
    `reading` goes to `read_sweep`; a function there is asked for its value with the arguments.
    """
    arguments = parser.parse_args(argv)
    with explained(parser):
        first = arguments.sweeps[0]
        if first.suffix == ".csv":
            table = _table(first)
            note = _note(_missing(table))
        else:
            how = {key: own(arguments) if callable(own) else own for key, own in reading.items()}
            sweep = _together(
                read_sweep(directory, allow_missing=arguments.allow_missing, **how)
                for directory in arguments.sweeps
            )
            table, note = table_of(sweep, arguments), sweep.note

        with rc_context(SETTINGS):
            try:
                figure, words = draw(table, arguments)
            except KeyError as error:
                raise SweepError(f"{first} is no table of this script: no {error}") from error
            foot(figure, words, note)
        write_table(table, arguments.out)
        Drawing(table, lambda: figure).write(arguments.out.with_suffix(".png"))


class Main(Protocol):
    """A script's entry: without arguments it takes those of the command line."""

    def __call__(self, argv: Sequence[str] | None = None) -> None: ...


def script(
    description: str,
    table_of: Callable[[Sweep], pd.DataFrame],
    draw: Callable[[pd.DataFrame], Drawn],
    *,
    several: bool = False,
    **reading: Any,
) -> Main:
    """The `main` of a script that takes nothing but what all take; see `command` and `play`."""

    def main(argv: Sequence[str] | None = None) -> None:
        parser = command(description, several=several)
        play(
            parser, argv, lambda sweep, _: table_of(sweep), lambda table, _: draw(table), **reading
        )

    return main


def _together(sweeps: Iterable[Sweep]) -> Sweep:
    """Sweeps as one, of the directory of the first."""
    every = list(sweeps)
    missing = dict[str, list[int]]()
    for sweep in every:
        for label, seeds in sweep.missing.items():
            missing[label] = sorted({*missing.get(label, []), *seeds})
    runs = tuple(one for sweep in every for one in sweep.runs)
    places = [run.directory.resolve() for _, _, run in runs]
    if len(set(places)) < len(places):
        raise SweepError("a sweep is named twice: its runs would count as further seeds")
    return Sweep(every[0].directory, runs, missing)


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, keep_default_na=True)
    except (OSError, ValueError) as error:
        raise SweepError(f"{path} is not a readable table: {error}") from error
    if lost := {"method", "missing_seeds"} - set(table.columns):
        raise SweepError(f"{path} is no table of a sweep: it has no {', '.join(sorted(lost))}")
    return table


def _missing(table: pd.DataFrame) -> dict[str, list[str]]:
    """The seeds that a written table says it lacks, by method."""
    lacking = table.dropna(subset=["missing_seeds"])
    seeds = lacking["missing_seeds"].astype(str).str.removesuffix(".0")
    return {str(label): own.split() for label, own in zip(lacking["method"], seeds, strict=True)}


def _note(missing: dict[str, list[str]]) -> str:
    told = [
        f"{label}: seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
        for label, seeds in missing.items()
    ]
    return f"incomplete sweep, missing {'; '.join(told)}" if told else ""


@contextmanager
def explained(parser: argparse.ArgumentParser) -> Iterator[None]:
    """An error that is meant for people ends the script with one sentence and exit code 2."""
    try:
        yield
    except CosimError as error:
        parser.error(str(error))


def write_table(table: pd.DataFrame, out: Path) -> None:
    """OUT.csv, and the same on the terminal."""
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out.with_suffix(".csv"), index=False, float_format="%.6g")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


def _index(directory: Path) -> pd.DataFrame:
    path = directory.absolute() / INDEX_FILE
    try:
        with pq.ParquetFile(path) as source:
            frame: pd.DataFrame = source.read().to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise SweepError(f"{path} is not a readable index of a sweep: {error}") from error
    lost = {"seed", "directory", "status"} - set(frame.columns)
    if lost:
        raise SweepError(f"{path} is no index of a sweep: it has no {', '.join(sorted(lost))}")
    return frame


def _opened(directory: Path, row: dict[str, Any]) -> Run | None:
    if row["status"] != "completed":
        return None
    run = cosim.read_run(directory / row["directory"])
    return run if run.manifest.get("status") == "completed" else None


def _labels(
    rows: Sequence[dict[str, Any]], runs: Sequence[Run | None], axes: Sequence[str]
) -> list[str]:
    telling = [
        path
        for path in (rows[0] if rows else {})
        if path not in (*_NOT_AXES, "method")
        and not {path, path.split(".")[0]} & set(axes)
        and len({str(row[path]) for row in rows}) > 1
    ]
    alone = next((str(run.manifest["method"]) for run in runs if run is not None), "?")
    written = [str(row.get("method", alone)) for row in rows]
    methods = [_method(text) for text in written]
    variants: dict[str, set[str]] = {}
    for (name, _), text in zip(methods, written, strict=True):
        variants.setdefault(name, set()).add(text)
    labels = []
    for (name, parts), row in zip(methods, rows, strict=True):
        told = [name, *(parts if len(variants[name]) > 1 else [])]
        told += [f"{path.rpartition('.')[2]}={row[path]}" for path in telling]
        labels.append(" ".join(told))
    return labels


def _method(text: str) -> tuple[str, list[str]]:
    """The name of a method, and the parts of it that a sweep has changed."""
    if not text.startswith("{"):
        return text, []
    mapping = json.loads(text)
    name = str(mapping.pop("name", "?"))
    usual = METHODS[name].model_dump(mode="json") if name in METHODS else {}
    return name, list(_changes(mapping, usual))


def _changes(mapping: dict[str, Any], usual: Any) -> Iterator[str]:
    """`leaf=value` for everything in a mapping that is not as usual."""
    for key, value in mapping.items():
        before = usual.get(key) if isinstance(usual, dict) else None
        if isinstance(value, dict):
            yield from _changes(value, before)
        elif value != before:
            yield f"{key}={value}"
