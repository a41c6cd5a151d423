"""Tasks read from JSON lines or from a dataset hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosim.errors import TaskError
from cosim.learning.data.example import Example, RowReader
from cosim.scenario.learning import Fields, TaskChoice
from cosim.scenario.reading.paths import expanded


def jsonl_parts(name: str, task: TaskChoice) -> tuple[list[Example], list[Example] | None]:
    """Training and test examples of `jsonl:<path>`.

    A directory holds train.jsonl and test.jsonl; a file holds training rows, with test rows in
    the file that `test` names (None without it: the caller holds rows out).
    """
    path = expanded(task.source.removeprefix("jsonl:"))
    if os.path.isdir(path):  # which, unlike pathlib's, takes any text
        return _read(name, path / "train.jsonl", task), _read(name, path / "test.jsonl", task)
    test = None if task.test is None else _read(name, expanded(task.test), task, key="test")
    return _read(name, path, task), test


def hub_parts(name: str, task: TaskChoice) -> tuple[list[Example], list[Example] | None]:
    """Training and test examples of `hf:<dataset>`; needs the extra `hub`."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise TaskError(
            f"tasks.{name}.source: '{task.source}' needs the package datasets; "
            "install it with: pip install 'cosim[hub]'"
        ) from error
    repository = task.source.removeprefix("hf:")
    pinned = {} if task.revision is None else {"revision": task.revision}
    parts = []
    for split in (task.split, task.test_split):
        try:
            rows = load_dataset(repository, task.configuration, split=split, **pinned)
        except Exception as error:  # the hub raises many unrelated kinds; each is one sentence
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise TaskError(
                f"tasks.{name}.source: split '{split}' of '{repository}' could not be loaded: "
                f"{reason}"
            ) from error
        where, reader = f"{repository}[{split}]", RowReader(f"tasks.{name}", task.fields)
        parts.append(_examples(f"tasks.{name}", where, enumerate(rows), reader))
    return parts[0], parts[1]


def held_out_examples(path: Path, whose: str, fields: Fields) -> list[Example]:
    """All rows of a file of JSON lines as examples that are asked and never trained on.

    A directory's are those of its test.jsonl. whose: what an error says that the file belongs to.
    """
    place = expanded(str(path))
    place = place / "test.jsonl" if os.path.isdir(place) else place
    rows = json_rows(place, whose, named=whose)
    return _examples(whose, str(place), rows, RowReader(whose, fields))


def prompts_of(path: Path, whose: str, fields: Fields) -> list[tuple[Mapping[str, Any], str]]:
    """The rows of a file of JSON lines, each with its prompt; they need no answer."""
    place, reader = expanded(str(path)), RowReader(whose, fields)
    prompts = []
    for number, row in json_rows(place, whose, named=whose):
        with _blaming(f"{place}:{number}: {whose}"):
            prompts.append((_object(row), reader.prompt(row)))
    if not prompts:
        raise TaskError(f"{place}: {whose}: the file has no rows")
    return prompts


def _read(name: str, path: Path, task: TaskChoice, key: str = "source") -> list[Example]:
    whose = f"tasks.{name}"
    rows = json_rows(path, whose, named=f"{whose}.{key}")
    return _examples(whose, str(path), rows, RowReader(whose, task.fields))


def json_rows(path: Path, whose: str, *, named: str) -> list[tuple[int, Any]]:
    """The values of a file of JSON lines, with the numbers of their lines.

    whose: what an error says that the file belongs to. named: where the file is named.
    """
    if not os.path.isfile(path):
        raise TaskError(f"{named}: there is no file '{path}'")
    rows: list[tuple[int, Any]] = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append((number, json.loads(line, object_pairs_hook=_once)))
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: {whose}: not a UTF-8 text file") from error
    except OSError as error:
        raise TaskError(f"{path}: {whose}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        text = "nested too deep" if isinstance(error, RecursionError) else str(error)
        text = error.msg if isinstance(error, json.JSONDecodeError) else text
        text = "a number of more than 4300 digits" if text.startswith("Exceeds the limit") else text
        no_json = number == 1 and isinstance(error, json.JSONDecodeError)
        hint = _other_format(path, line) if no_json else ""
        raise TaskError(f"{path}:{number}: {whose}: not a JSON row ({text}){hint}") from error
    return rows


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose keys are there once each."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return row


def _other_format(path: Path, first: str) -> str:
    """What a file is whose first line is no JSON."""
    first = first.strip()
    if path.suffix.lower() in (".csv", ".tsv"):
        return "; rows are JSON objects, one a line: convert the table"
    # A row that ends where its line does is a row, if a misspelt one.
    if first.startswith(("[", "{")) and not first.endswith("}"):
        return "; rows are JSON objects, one a line: write them so (jq -c '.[]', or jq -c .)"
    return ""


def _examples(
    whose: str, where: str, rows: Iterable[tuple[int, Any]], reader: RowReader
) -> list[Example]:
    examples = []
    for number, row in rows:
        with _blaming(f"{where}:{number}: {whose}"):
            examples.append(reader.read(_object(row)))
    if not examples:
        raise TaskError(f"{where}: {whose}: the task has no rows")
    return examples


def _object(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        hint = ", a row a line (jq -c '.[]')" if isinstance(row, list) else ""
        raise ValueError(f"expected an object with fields{hint}, got {type(row).__name__}")
    return row


@contextmanager
def _blaming(place: str) -> Iterator[None]:
    """Names the file and the line of a row that cannot be read."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        text = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise TaskError(f"{place}: {text}") from error
