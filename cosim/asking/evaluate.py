"""Devices of a finished run scored on rows of one's own, or once more on the run's."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.asking.opened import AskableRun
from cosim.errors import AskError
from cosim.trace.reader import Run

if TYPE_CHECKING:
    from cosim.learning.data.pool import TaskPool

_JSONL = "jsonl:"


@dataclass(frozen=True)
class Accuracy:
    """An accuracy is the share of n questions of one task that a device answers right.

    task: whose questions they are: a name of the scenario, or the path of a file of rows.
    device: the one that was asked.
    own_task: the device's own task, which it was trained on.
    metric: `acc` of questions with choices, `exact_match` of those that are answered freely.
    value: the share, from 0 to 1.
    questions: n.
    """

    task: str
    device: int
    own_task: str
    metric: str
    value: float
    questions: int


@dataclass(frozen=True)
class Evaluated:
    """An evaluated run has an accuracy for each task and device that were asked.

    accuracies: in the order in which they were asked.
    warnings: sentences on rows that are left out.
    """

    accuracies: tuple[Accuracy, ...]
    warnings: tuple[str, ...] = ()

    @property
    def tasks(self) -> list[str]:
        """The tasks, in their order."""
        return list(dict.fromkeys(one.task for one in self.accuracies))

    def mean(self, task: str) -> float:
        """The mean over the devices that were asked."""
        values = [one.value for one in self.accuracies if one.task == task]
        return sum(values) / len(values)

    def as_json(self) -> dict[str, Any]:
        """One object: accuracies by device, means over devices, warnings."""
        return {
            "accuracies": [vars(one) for one in self.accuracies],
            "means": {task: self.mean(task) for task in self.tasks},
            "warnings": list(self.warnings),
        }


def evaluate(
    run: Run,
    sources: Sequence[str] = (),
    devices: Sequence[int] = (),
    *,
    samples: int | None = None,
    taken_for: str | None = None,
) -> Evaluated:
    """Scores devices of a finished run (none named: all) as the run scored them.

    sources: `jsonl:<path>`, every row of which is asked, and of a directory its test.jsonl; none:
    the run's own held-out rows. samples: the first so many of each. Rows longer than the run's
    training.max_tokens are left out. Nothing in the run's directory changes. Raises `CosimError`.
    """
    if taken_for is not None and not sources:
        raise AskError("--as belongs to --task: the run's own rows have tasks of their own.")
    opened = AskableRun.of(run, devices, taken_for)
    paths = [_path(source) for source in sources]
    if samples is not None and samples < 1:
        raise AskError(f"--samples {samples}: one question is the least.")
    respondents = opened.respondents()
    tokenizer = respondents.base.tokenizer
    pools = _given(opened, paths, tokenizer, samples) if paths else _own(opened, tokenizer, samples)
    tasks = respondents.fleet.tasks
    asked = sorted(set(devices)) or range(len(tasks))
    found = tuple(
        Accuracy(m.task, m.device, tasks[m.device], m.score.metric, m.score.value, m.score.n)
        for m in respondents.scores(asked, pools)
        if m.score.headline
    )
    warnings = [line for pool in pools.values() for line in pool.warnings]
    warnings += _all_wrong(opened, found, pools, tokenizer, taken_for)
    return Evaluated(found, tuple(warnings))


def _all_wrong(
    opened: AskableRun,
    accuracies: Sequence[Accuracy],
    pools: Mapping[str, TaskPool],
    tokenizer: Any,
    taken_for: str | None,
) -> Iterator[str]:
    """A sentence on every task of whose free answers no device gives a right one: they must be the
    expected ones letter by letter, and whoever asks for one sees what else comes.

    taken_for: the run's task as which it was asked; None: as which it is called.
    """
    for name, pool in pools.items():
        of_task = [one for one in accuracies if one.task == name]
        free = next((question for question in pool.test if question.free), None)
        if free is None or any(one.value for one in of_task):
            continue
        (row,), device = free.candidates, of_task[0].device
        prompt, answer = (
            tokenizer.decode(part, skip_special_tokens=True) for part in (row.prompt, row.answer)
        )
        asked_as = taken_for or (name if name in opened.scenario.tasks else None)
        words = ["cosim", "ask", str(opened.run.directory), "--device", str(device)]
        words += [] if asked_as is None else ["--as", asked_as]
        yield (
            f"{name}: nobody answers any question right. An answer is right where it is the "
            f"expected one letter by letter, '{answer.strip()}' to the first; what a device says "
            f"instead: {shlex.join([*words, '--', prompt])}"
        )


def _path(source: str) -> Path:
    if not source.startswith(_JSONL) or source == _JSONL:
        raise AskError(f"--task {source}: expected {_JSONL}<path>, a file of rows.")
    return Path(source.removeprefix(_JSONL))


def _given(
    opened: AskableRun, paths: Sequence[Path], tokenizer: Any, samples: int | None
) -> dict[str, TaskPool]:
    """The pools of files, called by their paths."""
    from cosim.learning.data.files import held_out_examples
    from cosim.learning.data.pool import asked_pool

    most = opened.scenario.training.max_tokens
    pools = {}
    for path in paths:
        examples = held_out_examples(path, "--task", opened.fields)[:samples]
        pools[str(path)] = asked_pool(str(path), examples, tokenizer, max_tokens=most)
    return pools


def _own(opened: AskableRun, tokenizer: Any, samples: int | None) -> dict[str, TaskPool]:
    """The run's own pools, which need its task files once more."""
    from cosim.learning.prepare import read_tasks

    every = read_tasks(opened.scenario, tokenizer)
    return {name: pool.first(samples) for name, pool in every.items()}
