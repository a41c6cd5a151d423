"""The rows of one task, encoded, divided among its devices, and held out for evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cosim.errors import TaskError
from cosim.learning.encoding import Encoded, encode_all
from cosim.learning.tasks.example import Example
from cosim.learning.tasks.files import hub_parts, jsonl_parts
from cosim.learning.tasks.procedural import procedural_examples
from cosim.learning.tasks.relabel import relabelled
from cosim.randomness import stream
from cosim.scenario.learning import Task

# A procedural task may have few distinct prompts; this many draws without a new one end it.
_PATIENCE = 2000


@dataclass(frozen=True)
class Question:
    """One held-out example: its candidate rows and which of them is right.

    A free answer has one candidate; `lengths` are characters, for `acc_norm`.
    """

    candidates: tuple[Encoded, ...]
    right: int
    lengths: tuple[int, ...]

    @property
    def free(self) -> bool:
        """True where the answer is text and not one of several choices."""
        return len(self.candidates) == 1


@dataclass(frozen=True)
class TaskPool:
    """Training rows and held-out questions of a task; no prompt is in both.

    warnings: sentences on rows that were asked for and are not there.
    """

    name: str
    train: tuple[Encoded, ...]
    test: tuple[Question, ...]
    warnings: tuple[str, ...] = ()

    def batch(
        self, own: range, *, seed: int, device: int, round_: int, step: int, size: int
    ) -> tuple[Encoded, ...]:
        """A device's mini-batch from its own training rows, the same for every method.

        Drawn without replacement from the stream (seed, "batch", device, round, step); shorter
        where the device has fewer rows than `size`.
        """
        random = stream(seed, "batch", device, round_, step)
        picked = random.choice(len(own), size=min(size, len(own)), replace=False)
        return tuple(self.train[own[int(index)]] for index in picked)


def load_pool(
    name: str,
    task: Task,
    tokenizer: Any,
    *,
    seed: int,
    test_samples: int,
    max_tokens: int,
    shares: int = 1,
) -> TaskPool:
    """Reads a task, holds test rows out by prompt, and encodes both parts.

    Raises `TaskError` for rows that cannot be used, a part that is empty, or fewer training rows
    than the `shares` that devices take of them.
    """
    train: Iterable[Example]
    test: Iterable[Example]
    if task.source == "reasoning_gym":
        test = _distinct(procedural_examples(name, task, seed, "test"), test_samples)
        train = procedural_examples(name, task, seed, "train")
    else:
        read = jsonl_parts if task.source.startswith("jsonl:") else hub_parts
        train, given = read(name, task)
        order = stream(seed, "task", name, "order")
        train = [train[int(i)] for i in order.permutation(len(train))]
        if given is None:
            held = min(test_samples, max(1, len(train) // 5))
            test, train = train[:held], train[held:]
        else:
            test = [given[int(i)] for i in order.permutation(len(given))[:test_samples]]
    test = list(test)
    prompts = {example.prompt for example in test}
    kept = _distinct(train, task.samples, but=prompts)
    if not kept:
        raise TaskError(
            f"tasks.{name}: all {len(test)} distinct prompts are held out for evaluation and none "
            "is left for training; lower evaluation.samples"
        )
    if task.relabel is not None:
        kept, test = relabelled(name, task.relabel, kept, test)
    rows = encode_all(tokenizer, [(e.prompt, e.answer, e.choices is None) for e in kept])
    rows = [row for row in rows if row.tokens <= max_tokens]
    questions = _questions(tokenizer, test)
    questions = [q for q in questions if max(c.tokens for c in q.candidates) <= max_tokens]
    for part, found, before in (("training", rows, kept), ("test", questions, test)):
        if not found:
            raise TaskError(
                f"tasks.{name}: all {len(before)} {part} rows are longer than training.max_tokens "
                f"({max_tokens})"
            )
    if len(rows) < shares:
        raise TaskError(
            f"devices: {shares} devices share task '{name}', which has {len(rows)} training rows"
        )
    return TaskPool(
        name, tuple(rows), tuple(questions), _shortages(name, len(questions), test_samples)
    )


def _shortages(name: str, held: int, asked: int) -> tuple[str, ...]:
    if held >= asked:
        return ()
    return (f"tasks.{name}: {held} rows are held out, evaluation.samples asks for {asked}",)


def _distinct(examples: Iterable[Example], count: int, but: Iterable[str] = ()) -> list[Example]:
    """The first `count` examples whose prompts are new."""
    seen = set(but)
    kept: list[Example] = []
    idle = 0
    for example in examples:
        if example.prompt in seen:
            idle += 1
            if idle > _PATIENCE:
                break
            continue
        idle = 0
        seen.add(example.prompt)
        kept.append(example)
        if len(kept) == count:
            break
    return kept


def _questions(tokenizer: Any, examples: Sequence[Example]) -> list[Question]:
    candidates = [example.choices or (example.answer,) for example in examples]
    rows = iter(
        encode_all(
            tokenizer,
            [
                (example.prompt, candidate, example.choices is None)
                for example, own in zip(examples, candidates, strict=True)
                for candidate in own
            ],
        )
    )
    return [
        Question(tuple(islice(rows, len(own))), own.index(example.answer), tuple(map(len, own)))
        for example, own in zip(examples, candidates, strict=True)
    ]


def device_tasks(names: list[str], groups: Iterable[tuple[int, str]]) -> list[str]:
    """The task of every device: `round_robin` deals the tasks out in the scenario's order."""
    dealt: list[str] = []
    turns = itertools.cycle(names)
    for count, wish in groups:
        dealt += [next(turns) if wish == "round_robin" else wish for _ in range(count)]
    return dealt
