"""One example of a task, and how it is read from a row of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cosim.errors import TaskError
from cosim.expression import Expression, ExpressionError
from cosim.scenario.learning import Fields


@dataclass(frozen=True)
class Example:
    """A prompt and its answer; with choices, `answer` is one of them."""

    prompt: str
    answer: str
    choices: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for text in (self.prompt, self.answer, *(self.choices or ())):
            text.encode()  # JSON can hold half of a surrogate pair, which no tokenizer reads


class RowReader:
    """Reads rows as examples, by a task's field mapping.

    Raises `TaskError` for an answer_pattern that is no regular expression.
    """

    def __init__(self, name: str, fields: Fields) -> None:
        self.fields = fields
        self._where = f"tasks.{name}.fields.answer_pattern"
        self._pattern: Expression | None = None
        if fields.answer_pattern is not None:
            try:
                self._pattern = Expression(fields.answer_pattern)
            except ExpressionError as error:
                raise TaskError(f"{self._where}: {error}") from error

    def read(self, row: Mapping[str, Any]) -> Example:
        """The example of a row.

        Raises `ValueError` saying what is missing or does not fit, as the caller knows file and
        line; `TaskError` for an answer_pattern that takes too long.
        """
        fields = self.fields
        prompt = _fill(fields.prompt, row)
        if not prompt.strip():
            raise ValueError("the prompt is empty")
        choices = _choices(row, fields)
        answer = _at(row, fields.answer)
        if self._pattern is not None:
            answer = self._matched(self._pattern, str(answer))
        if choices is None:
            if answer is None or not str(answer).strip():
                raise ValueError("the answer is empty")
            return Example(prompt, str(answer).strip())
        if fields.labels is not None:
            listed = _at(row, fields.labels)
            if not isinstance(listed, list | tuple | str):
                raise ValueError(f"'{fields.labels}' must hold the labels of the choices")
            labels = [str(label) for label in listed]
            if str(answer) not in labels:
                raise ValueError(f"answer '{answer}' is not among the labels {labels}")
            answer = labels.index(str(answer))
        distinct = tuple(dict.fromkeys(choices))  # published rows now and then repeat a choice
        if isinstance(answer, str) and answer in choices:
            return Example(prompt, answer, distinct)
        number = isinstance(answer, int) and not isinstance(answer, bool)
        if not number or not 0 <= answer < len(choices):
            raise ValueError(
                f"answer {answer!r} is neither a choice nor the index of one of {choices}"
            )
        return Example(prompt, choices[answer], distinct)

    def _matched(self, pattern: Expression, answer: str) -> str:
        try:
            found = pattern.search(answer)
        except ExpressionError as error:
            raise TaskError(f"{self._where}: {error}") from error
        said = f"answer_pattern '{pattern.pattern}'"
        if found is None:
            raise ValueError(f"{said} does not match the answer")
        groups = found.groups()
        if not groups or groups[0] is None:
            raise ValueError(f"{said} has no group that holds the answer")
        return str(groups[0]).strip()


def _choices(row: Mapping[str, Any], fields: Fields) -> tuple[str, ...] | None:
    if fields.choices is None:
        return None
    if fields.choices == "choices" and row.get("choices") is None:
        return None  # the default path: a row without choices has a free answer
    if isinstance(fields.choices, tuple):
        where, found = "choices", fields.choices
    else:
        where, found = fields.choices, _at(row, fields.choices)
    choices = tuple(map(str, found)) if isinstance(found, list | tuple) else ()
    if len(set(choices)) < 2:
        raise ValueError(f"'{where}' must hold at least two different choices")
    return choices


def _at(row: Any, path: str) -> Any:
    here = row
    for step in path.split("."):
        if isinstance(here, Mapping) and step in here:
            here = here[step]
        elif isinstance(here, list) and _is_index(step, here):
            here = here[int(step)]
        else:
            keys = ", ".join(map(str, here)) if isinstance(here, Mapping) else type(here).__name__
            raise ValueError(f"no '{path}' in the row (it has: {keys})")
    return here


def _is_index(step: str, items: list[Any]) -> bool:
    return step.isdecimal() and len(step) < 10 and int(step) < len(items)


def _fill(template: str, row: Mapping[str, Any]) -> str:
    return re.sub(r"\{([A-Za-z0-9_.]+)\}", lambda match: str(_at(row, match.group(1))), template)
