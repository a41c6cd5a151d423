"""Which rows of a task are held out and which are trained on, drawn in a random order by prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from cosim.learning.data.example import Example
from cosim.learning.data.files import hub_parts, jsonl_parts
from cosim.learning.data.procedural import procedural_examples
from cosim.randomness import stream
from cosim.scenario.learning import TaskChoice

# A procedural task may have few distinct prompts, or few that are short enough; this many draws
# without another one end it.
_PATIENCE = 2000
# One row in so many is held out at most, where no test rows are given.
_HELD_SHARE = 5

# Which of the examples are short enough.
Fits = Callable[[Sequence[Example]], Sequence[bool]]


@dataclass(frozen=True)
class HeldOut:
    """What is held out of a task's rows tests it; the rest may train it.

    test: the task's held-out rows.
    too_long: test rows that were passed over.
    train: the rows to draw its training rows from, in this order.
    rows: of the training file, None where rows are made without end.
    split: the test rows are of the training file.
    """

    test: tuple[Example, ...]
    too_long: int
    train: Iterable[Example]
    rows: int | None
    split: bool = False


def hold_out(name: str, task: TaskChoice, seed: int, samples: int, fits: Fits) -> HeldOut:
    """Draws a task's test rows, as many as `samples` where so many are short enough.

    Of a file without test rows one row in five is held out at most. The order is drawn from the
    stream (seed, "task", name, "order") and is the same whatever other tasks there are.
    """
    if task.source == "reasoning_gym":
        examples = procedural_examples(name, task, seed, "test")
        test, long = _first(_distinct(examples), samples, fits, _PATIENCE)
        return HeldOut(tuple(test), len(long), procedural_examples(name, task, seed, "train"), None)
    reader = jsonl_parts if task.source.startswith("jsonl:") else hub_parts
    train, test_rows = reader(name, task)
    order = stream(seed, "task", name, "order")
    train = [train[int(i)] for i in order.permutation(len(train))]
    if test_rows is not None:
        ordered = [test_rows[int(i)] for i in order.permutation(len(test_rows))]
        test, long = _first(iter(ordered), samples, fits)
        return HeldOut(tuple(test), len(long), train, len(train))
    rows = iter(train)
    test, long = _first(rows, min(samples, max(1, len(train) // _HELD_SHARE)), fits)
    if long:  # of how many rows that are short enough is one in five to be held out?
        more, _ = _first(rows, _HELD_SHARE * samples - len(test), fits)
        short = len(test) + len(more)
        test = test[: min(samples, max(1, short // _HELD_SHARE))]
    test_ids = set(map(id, test))
    train_rows = [example for example in train if id(example) not in test_ids]
    return HeldOut(tuple(test), len(long), train_rows, len(train), split=True)


@dataclass
class RowDraw:
    """A row draw says which of a task's training rows were kept, and counts the others by reason.

    kept: the training rows, in the order drawn.
    read: rows looked at.
    repeated: their prompt came before.
    held: they are test rows of the task.
    held_elsewhere: they are test rows of another task (of `others`).
    too_long: more tokens than training.max_tokens.
    others: names of the tasks that hold such rows.
    """

    kept: list[Example] = field(default_factory=list)
    read: int = 0
    repeated: int = 0
    held: int = 0
    held_elsewhere: int = 0
    too_long: int = 0
    others: list[str] = field(default_factory=list)


def marks_of(examples: Iterable[Example]) -> set[str | bytes]:
    """What a training row must not have in common with these test rows."""
    marks: set[str | bytes] = set()
    for example in examples:
        marks |= {example.key, *example.marks}
    return marks


def draw_training(
    held_out: HeldOut, elsewhere: Mapping[str, set[str | bytes]], samples: int, fits: Fits
) -> RowDraw:
    """The first `samples` rows whose prompts are new, short enough, and held out by no task.

    elsewhere: `marks_of` the test rows of every other task.
    """
    draw = RowDraw()
    keys: set[str] = set()
    test_keys = {example.key for example in held_out.test}
    if held_out.split:  # its test rows are rows of the file as well
        keys = set(test_keys)
        draw.read = len(held_out.test)
        draw.held = len(test_keys)
        draw.repeated = len(held_out.test) - len(test_keys)

    def usable() -> Iterator[Example]:
        idle = 0
        for example in held_out.train:
            draw.read += 1
            count = len(keys)
            keys.add(example.key)
            if len(keys) == count:
                draw.repeated += 1
            elif example.key in test_keys:
                draw.held += 1
            elif names := [
                name
                for name, marks in elsewhere.items()
                if example.key in marks or not marks.isdisjoint(example.marks)
            ]:
                draw.held_elsewhere += 1
                draw.others += [name for name in names if name not in draw.others]
            else:
                idle = 0
                yield example
                continue
            idle += 1
            if held_out.rows is None and idle > _PATIENCE:
                return

    patience = _PATIENCE if held_out.rows is None else None
    draw.kept, long = _first(usable(), samples, fits, patience)
    draw.too_long = len(long)
    return draw


def _distinct(examples: Iterable[Example]) -> Iterator[Example]:
    """Those whose prompts are new, until none has been for long."""
    keys: set[str] = set()
    idle = 0
    for example in examples:
        if example.key not in keys:
            idle = 0
            keys.add(example.key)
            yield example
        elif (idle := idle + 1) > _PATIENCE:
            return


def _first(
    examples: Iterator[Example], count: int, fits: Fits, patience: int | None = None
) -> tuple[list[Example], list[Example]]:
    """The first so many that fit, and those before them that do not."""
    fitting: list[Example] = []
    long: list[Example] = []
    idle = 0
    while len(fitting) < count and (patience is None or idle <= patience):
        batch = list(islice(examples, count - len(fitting)))
        if not batch:
            break
        short = fits(batch)
        fitting += [example for example, fit in zip(batch, short, strict=True) if fit]
        long += [example for example, fit in zip(batch, short, strict=True) if not fit]
        idle = 0 if any(short) else idle + len(batch)
    return fitting, long
