"""Tasks made by reasoning_gym: procedural, seeded, verifiable, no download."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from cosim.errors import TaskError
from cosim.learning.data.example import Example, RowReader
from cosim.randomness import stream
from cosim.scenario.learning import TaskChoice
from cosim.spelling import did_you_mean

# The largest size that every dataset takes; most number their rows without end, a few make a list
# of this many at once.
_SIZE = 20_000


def procedural_examples(name: str, task: TaskChoice, seed: int, part: str) -> Iterator[Example]:
    """The examples of one part ('train' or 'test') of a reasoning_gym dataset.

    The dataset's own seed is drawn from the stream (seed, "task", name, part). Raises `TaskError`
    for an unknown dataset or parameter.
    """
    dataset_seed = int(stream(seed, "task", name, part).integers(2**31))
    rows = _create(name, task, dataset_seed)
    reader = RowReader(f"tasks.{name}", task.fields)
    number = 0
    while True:
        try:
            item = rows[number]
        except Exception as error:
            if isinstance(error, IndexError) and number >= _SIZE:
                return
            raise TaskError(
                f"tasks.{name}.parameters: {task.dataset} makes no row {number} of "
                f"{task.parameters}: {type(error).__name__}: {error}"
            ) from error
        row = {"choices": None, **item, "prompt": item["question"]}
        try:
            yield reader.read(row, whole=False)
        except ValueError as error:
            raise TaskError(f"tasks.{name}: row {number} of {task.dataset}: {error}") from error
        number += 1


def _create(name: str, task: TaskChoice, seed: int) -> Any:
    reasoning_gym = _reasoning_gym()
    from reasoning_gym.factory import DATASETS

    dataset = str(task.dataset)
    if dataset not in DATASETS:
        hint = did_you_mean(dataset, DATASETS)
        raise TaskError(
            f"tasks.{name}.dataset: reasoning_gym has no dataset '{dataset}'{hint} "
            f"({len(DATASETS)} are listed in its gallery)"
        )
    names = {field.name for field in dataclasses.fields(DATASETS[dataset][1])}
    settings = sorted(names - {"seed", "size"})
    for key in task.parameters:
        if key not in settings:
            hint = did_you_mean(key, settings)
            raise TaskError(
                f"tasks.{name}.parameters.{key}: {dataset} has no such parameter{hint} "
                f"({', '.join(settings)})"
            )
    try:
        return reasoning_gym.create_dataset(dataset, seed=seed, size=_SIZE, **task.parameters)
    except Exception as error:  # of every kind: each dataset checks in its own way
        raise TaskError(
            f"tasks.{name}.parameters: {dataset} refuses {task.parameters}: {error}"
        ) from error


class _WhenUsed(ModuleType):
    """Stands for a module that is not imported before something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def _reasoning_gym() -> ModuleType:
    # Two of its datasets use cellpylib, which imports matplotlib to draw with: a third of a second.
    unused = _WhenUsed("cellpylib")
    sys.modules.setdefault(unused.__name__, unused)
    try:
        return importlib.import_module("reasoning_gym")
    finally:
        if sys.modules[unused.__name__] is unused:
            del sys.modules[unused.__name__]
