"""The rows of one task, encoded, divided among its devices, and held out for evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any

from cosim.errors import TaskError
from cosim.learning.data.account import Account
from cosim.learning.data.division import Parts, divided
from cosim.learning.data.draw import RowDraw, draw_training, hold_out, marks_of
from cosim.learning.data.encoding import Encoded, encode_all
from cosim.learning.data.example import Example
from cosim.learning.data.relabel import relabelled
from cosim.randomness import stream
from cosim.scenario.learning import TaskChoice


@dataclass(frozen=True)
class Question:
    """A question is one held-out example with the rows that may answer it.

    candidates: the prompt with each choice; with the answer alone where it is free.
    right: number of the candidate that is right.
    lengths: characters of each candidate's answer, for `acc_norm`.
    """

    candidates: tuple[Encoded, ...]
    right: int
    lengths: tuple[int, ...]

    @property
    def free(self) -> bool:
        """True where the answer is text and not one of several choices."""
        return len(self.candidates) == 1

    @property
    def content(self) -> int:
        """A name of its tokens, below 2⁶³: the same in every run that asks it."""
        rows = [(row.prompt, row.answer) for row in self.candidates]
        digest = blake2b(repr((rows, self.right)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True)
class TaskPool:
    """A pool holds the training rows and held-out questions of a task; no prompt is in both.

    name: the task.
    train: the training rows of all its devices.
    test: the held-out questions.
    warnings: sentences on rows that were asked for and are not there.
    facts: what became of the rows of its file, where not all are used.
    answers: of every training row, where they are classes that the task is divided by.
    parts: the numbers of every device's rows, where they are divided.
    """

    name: str
    train: tuple[Encoded, ...]
    test: tuple[Question, ...]
    warnings: tuple[str, ...] = ()
    facts: str = ""
    answers: tuple[str, ...] = ()
    parts: Parts = ()

    def rows_of(self, number: int, devices: int) -> Sequence[int]:
        """The rows of one of so many devices that share the task: by default every n-th."""
        return self.parts[number] if self.parts else range(number, len(self.train), devices)

    def first(self, questions: int | None) -> TaskPool:
        """The same with the first so many questions; None: with all."""
        return replace(self, test=self.test[:questions])

    def batch(
        self, own: Sequence[int], *, seed: int, device: int, round_: int, step: int, size: int
    ) -> tuple[Encoded, ...]:
        """A device's mini-batch from its own training rows, the same for every method.

        Drawn without replacement from the stream (seed, "batch", device, round, step); shorter
        where the device has fewer rows than `size`.
        """
        random = stream(seed, "batch", device, round_, step)
        indices = random.choice(len(own), size=min(size, len(own)), replace=False)
        return tuple(self.train[own[int(index)]] for index in indices)


def load_pools(
    tasks: Mapping[str, TaskChoice],
    tokenizer: Any,
    *,
    seed: int,
    test_samples: int,
    max_tokens: int,
    shares: Mapping[str, int],
) -> dict[str, TaskPool]:
    """Reads all tasks, holds test rows out of the training of every one, and encodes both parts.

    Devices exchange what they have learnt of different tasks: a row that any task tests is trained
    on by none. Raises `TaskError` for rows that cannot be used, a part that is empty, or fewer
    training rows than the `shares` that devices take of them.
    """
    encoders = {name: _Encoder(name, tokenizer, max_tokens) for name in tasks}
    parts = {
        name: hold_out(name, task, seed, test_samples, encoders[name].questions_fit)
        for name, task in tasks.items()
    }
    marks = {name: marks_of(part.test) for name, part in parts.items()}
    pools = {}
    for name, task in tasks.items():
        encoder, held_out = encoders[name], parts[name]
        elsewhere = {other: theirs for other, theirs in marks.items() if other != name}
        draw = draw_training(held_out, elsewhere, task.samples, encoder.rows_fit)
        train, test = draw.kept, list(held_out.test)
        if not (train or draw.too_long):
            raise _nothing_left(name, len({example.key for example in test}), draw)
        if task.relabel is not None and train and test:
            train, test = relabelled(name, task.relabel, train, test)
        # Another answer may be longer than the one that was drawn.
        usable = [
            (row, example)
            for row, example in zip(encoder.rows(train), train, strict=True)
            if row.tokens <= max_tokens
        ]
        rows = [row for row, _ in usable]
        questions = [q for q in encoder.questions(test) if _longest(q) <= max_tokens]
        for part, remainder, total in (
            ("training", rows, len(train) + draw.too_long),
            ("test", questions, len(test) + held_out.too_long),
        ):
            if not remainder:
                raise TaskError(
                    f"tasks.{name}: all {total} {part} rows are longer than training.max_tokens "
                    f"({max_tokens})"
                )
        too_long = draw.too_long + len(train) - len(rows)
        account = Account(
            name, held_out, draw, len(rows), len(questions), test_samples, too_long, max_tokens
        )
        if len(rows) < shares[name]:
            facts = f" ({account.facts})" if account.facts else ""
            raise TaskError(
                f"devices: {shares[name]} devices share task '{name}', which has {len(rows)} "
                f"training rows{facts}"
            )
        answers: tuple[str, ...] = ()
        of_devices: Parts = ()
        if task.division is not None:
            free = any(example.choices is None for _, example in usable)
            answers = () if free else tuple(example.answer for _, example in usable)
            of_devices = divided(name, task.division, answers, len(rows), shares[name], seed)
        pools[name] = TaskPool(
            name,
            tuple(rows),
            tuple(questions),
            account.warnings,
            account.facts,
            answers,
            of_devices,
        )
    return pools


def asked_pool(
    name: str, examples: Sequence[Example], tokenizer: Any, *, max_tokens: int
) -> TaskPool:
    """A pool of questions alone, in the order of the examples, as a run would ask them.

    Raises `TaskError` where none is short enough.
    """
    encoder = _Encoder(name, tokenizer, max_tokens)
    every = encoder.questions(examples)
    questions = tuple(question for question in every if _longest(question) <= max_tokens)
    long = len(every) - len(questions)
    sentence = f"{long:,} of {len(every):,} rows of {name} are longer than {max_tokens} tokens"
    if not questions:
        raise TaskError(f"{sentence}, the run's training.max_tokens")
    warnings = (f"{sentence}, the run's training.max_tokens, and left out",) if long else ()
    return TaskPool(name, (), questions, warnings)


def _nothing_left(name: str, tested: int, draw: RowDraw) -> TaskError:
    """No training row is left: all prompts are held out, here or by other tasks."""
    where = f", by {', '.join(draw.others)} too," if draw.others else ""
    return TaskError(
        f"tasks.{name}: all {tested + draw.held_elsewhere} distinct prompts are held out{where} "
        "for evaluation and none is left for training; lower evaluation.samples"
    )


def _longest(question: Question) -> int:
    return max(row.tokens for row in question.candidates)


class _Encoder:
    """Encodes a task's examples; what a tokenizer cannot do is one sentence on the task."""

    def __init__(self, name: str, tokenizer: Any, max_tokens: int) -> None:
        self.name, self.tokenizer, self.max_tokens = name, tokenizer, max_tokens
        self._rows: dict[Example, Encoded] = {}
        self._questions: dict[Example, Question] = {}

    def _encoded(self, texts: Sequence[tuple[str, str, bool]]) -> list[Encoded]:
        try:
            return encode_all(self.tokenizer, texts)
        except ValueError as error:
            raise TaskError(f"tasks.{self.name}: {error}") from error

    def rows(self, examples: Sequence[Example]) -> list[Encoded]:
        """Training rows: prompts with the right answers."""
        fresh = [example for example in examples if example not in self._rows]
        encoded = self._encoded([(e.prompt, e.answer, e.choices is None) for e in fresh])
        self._rows.update(zip(fresh, encoded, strict=True))
        return [self._rows[example] for example in examples]

    def rows_fit(self, examples: Sequence[Example]) -> list[bool]:
        """Which examples are short enough to train on."""
        return [row.tokens <= self.max_tokens for row in self.rows(examples)]

    def questions(self, examples: Sequence[Example]) -> list[Question]:
        """Held-out questions: prompts with every candidate."""
        fresh = [example for example in examples if example not in self._questions]
        candidates = [example.choices or (example.answer,) for example in fresh]
        rows = iter(
            self._encoded(
                [
                    (example.prompt, candidate, example.choices is None)
                    for example, texts in zip(fresh, candidates, strict=True)
                    for candidate in texts
                ]
            )
        )
        for example, texts in zip(fresh, candidates, strict=True):
            self._questions[example] = Question(
                tuple(islice(rows, len(texts))), texts.index(example.answer), tuple(map(len, texts))
            )
        return [self._questions[example] for example in examples]

    def questions_fit(self, examples: Sequence[Example]) -> list[bool]:
        """Which examples are short enough with each of their candidates."""
        return [_longest(question) <= self.max_tokens for question in self.questions(examples)]


def device_tasks(names: list[str], groups: Iterable[tuple[int, str]]) -> list[str]:
    """The task of every device: `round_robin` deals the tasks out in the scenario's order."""
    dealt: list[str] = []
    turns = itertools.cycle(names)
    for count, wish in groups:
        dealt += [next(turns) if wish == "round_robin" else wish for _ in range(count)]
    return dealt
