"""What a learner was asked and what it answered, in order: so that a run can be played again up to
where its learner was last stored, without learning anything twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cosim.errors import ResumeError

_SHOWN = 300


class Handle:
    """A handle stands for something of the learner's that is on its way through the simulation,
    which never looks inside; in a journal it is its number. Its content is None where nobody will
    ask for it."""

    __slots__ = ("__weakref__", "content", "number")

    def __init__(self, number: int, content: Any) -> None:
        self.number, self.content = number, content


class Journal:
    """A journal is calls and answers, a line of JSON each; those told before are read, then new
    ones follow.

    `fresh` are the lines that are not on disk yet.
    """

    keeps = True

    def __init__(self, record: Iterator[str], lines: int) -> None:
        self._record = record
        self._unread = lines
        self.lines = lines
        self.fresh: list[str] = []

    @property
    def replayed(self) -> bool:
        """Whether everything has been heard that was told before."""
        return self._unread == 0

    def answer(self, call: Sequence[Any], ask: Callable[[], Any]) -> Any:
        """The answer told before, or what `ask` says now, in JSON's own types.

        Raises ResumeError where another question was asked the time before.
        """
        question = f"[{_json(call)},"
        if self.replayed:
            answer = _json(ask())
            self.fresh.append(f"{question}{answer}]\n")
            self.lines += 1
            return json.loads(answer)
        self._unread -= 1
        line = next(self._record, "")
        if not line.startswith(question):
            raise _other_way(
                f"now it asks its learner {question[1:-1][:_SHOWN]}, and before, that was "
                f"{line[1:_SHOWN].rstrip()}"
            )
        return json.loads(line)[1]

    def refuse_early_end(self) -> None:
        """Raises ResumeError where a run has ended before it heard everything."""
        if not self.replayed:
            raise _other_way(f"it ends, and before, {self._unread} calls of its learner followed")


class NoJournal(Journal):
    """A run without checkpoints has this journal, which keeps nothing and need not be told."""

    keeps = False

    def __init__(self) -> None:
        super().__init__(iter(()), 0)


def _other_way(how: str) -> ResumeError:
    return ResumeError(
        f"The run cannot be resumed: played again, it does not do what it did before: {how}. A "
        "file that its scenario names may have changed."
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """A handle as its number, and one of numpy's scalars as a number of Python's."""
    return value.number if isinstance(value, Handle) else value.item()
