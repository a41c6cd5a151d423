"""Answers exchanged for one another: tasks that share their inputs and disagree on labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cosim.errors import TaskError
from cosim.learning.data.example import Example
from cosim.randomness import stream


def relabelled(
    name: str, seed: int, train: Sequence[Example], test: Sequence[Example]
) -> tuple[list[Example], list[Example]]:
    """Both parts with every answer exchanged for another, by one rule for all rows.

    Where all rows have the same choices, or free answers, the answers themselves are permuted;
    where choices differ from row to row, their positions. No answer stays: the permutation is one
    cycle, drawn from the stream (relabel's seed, "relabel"), so that two tasks with the same
    answers and the same seed are relabelled alike. Raises `TaskError` where all answers are the
    same.
    """
    rows = [*train, *test]
    choices = {None if row.choices is None else frozenset(row.choices) for row in rows}
    if len(choices) == 1:
        (same,) = choices
        labels = sorted({row.answer for row in rows} if same is None else same)
        if len(labels) < 2:
            raise TaskError(f"tasks.{name}.relabel: all answers are '{labels[0]}'")
        to = _cycle(seed, len(labels))
        exchange = {label: labels[to[at]] for at, label in enumerate(labels)}
        changed = [replace(row, answer=exchange[row.answer]) for row in rows]
    elif None in choices:
        raise TaskError(f"tasks.{name}.relabel: some rows have choices and others free answers")
    else:
        cycles = {n: _cycle(seed, n) for n in {len(row.choices or ()) for row in rows}}
        changed = [_moved(row, cycles) for row in rows]
    return changed[: len(train)], changed[len(train) :]


def _moved(row: Example, cycles: Mapping[int, Sequence[int]]) -> Example:
    assert row.choices is not None
    to = cycles[len(row.choices)]
    return replace(row, answer=row.choices[to[row.choices.index(row.answer)]])


def _cycle(seed: int, labels: int) -> list[int]:
    """Where each of n labels goes: one random cycle through all of them (Sattolo, 1986)."""
    order = stream(seed, "relabel", labels).permutation(labels).tolist()
    following = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [following[label] for label in range(labels)]
