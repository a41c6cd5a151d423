"""Tasks read from JSON lines or from a dataset hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cosim.errors import TaskError
from cosim.learning.data.example import Example, RowReader
from cosim.scenario.learning import Task
from cosim.scenario.reading.paths import expanded


def jsonl_parts(name: str, task: Task) -> tuple[list[Example], list[Example] | None]:
    """Training and test examples of `jsonl:<path>`.

    A directory holds train.jsonl and test.jsonl; a file holds training rows, with test rows in
    the file that `test` names (None without it: the caller holds rows out).
    """
    path = expanded(task.source.removeprefix("jsonl:"))
    if os.path.isdir(path):  # which, unlike pathlib's, takes any text
        return _read(name, path / "train.jsonl", task), _read(name, path / "test.jsonl", task)
    test = None if task.test is None else _read(name, expanded(task.test), task)
    return _read(name, path, task), test


def hub_parts(name: str, task: Task) -> tuple[list[Example], list[Example] | None]:
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
        parts.append(_examples(name, f"{repository}[{split}]", enumerate(rows), task))
    return parts[0], parts[1]


def _read(name: str, path: Path, task: Task) -> list[Example]:
    if not os.path.isfile(path):
        raise TaskError(f"tasks.{name}.source: there is no file '{path}'")
    rows: list[tuple[int, Any]] = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append((number, json.loads(line, object_pairs_hook=_once)))
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: tasks.{name}: not a UTF-8 text file") from error
    except OSError as error:
        raise TaskError(f"{path}: tasks.{name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        text = "nested too deep" if isinstance(error, RecursionError) else str(error)
        text = error.msg if isinstance(error, json.JSONDecodeError) else text
        text = "a number of more than 4300 digits" if text.startswith("Exceeds the limit") else text
        no_json = number == 1 and isinstance(error, json.JSONDecodeError)
        hint = _other_format(path, line) if no_json else ""
        raise TaskError(f"{path}:{number}: tasks.{name}: not a JSON row ({text}){hint}") from error
    return _examples(name, str(path), rows, task)


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


def _examples(name: str, where: str, rows: Iterable[tuple[int, Any]], task: Task) -> list[Example]:
    reader = RowReader(name, task.fields)
    examples = []
    for number, row in rows:
        try:
            if not isinstance(row, Mapping):
                hint = ", a row a line (jq -c '.[]')" if isinstance(row, list) else ""
                raise ValueError(f"expected an object with fields{hint}, got {type(row).__name__}")
            examples.append(reader.read(row))
        except (ValueError, RecursionError) as error:
            text = "nested too deep" if isinstance(error, RecursionError) else str(error)
            raise TaskError(f"{where}:{number}: tasks.{name}: {text}") from error
    if not examples:
        raise TaskError(f"{where}: tasks.{name}: the task has no rows")
    return examples
