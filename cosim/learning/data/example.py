"""One example of a task, and how it is read from a row of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosim.errors import TaskError
from cosim.host.timed_regex import Expression, ExpressionError
from cosim.learning.data.choice import chosen
from cosim.learning.data.row import as_text, digest, texts, value_at
from cosim.learning.data.template import template_parts
from cosim.scenario.learning import Fields


@dataclass(frozen=True)
class Example:
    """An example is a prompt and its answer.

    prompt: what the model reads.
    answer: what is to follow; with choices, one of them.
    choices: at least two different ones; None of a free answer.
    marks: what examples of the same content share, whatever the task's template.
    """

    prompt: str
    answer: str
    choices: tuple[str, ...] | None = None
    marks: frozenset[bytes] = field(default=frozenset(), compare=False, repr=False)

    def __post_init__(self) -> None:
        for text in (self.prompt, self.answer, *(self.choices or ())):
            try:
                text.encode()  # JSON can hold half of a surrogate pair, which no tokenizer reads
            except UnicodeEncodeError as error:
                half = f"\\u{ord(text[error.start]):04x}"
                raise ValueError(f"{half} is half of a surrogate pair, which is no text") from None

    @property
    def key(self) -> str:
        """The prompt without the blanks at its end, which are read with the answer."""
        return self.prompt.rstrip()


class RowReader:
    """A row reader reads rows as examples, by a task's field mapping; whose: the place of that in a
    scenario.

    Raises `TaskError` for an answer_pattern that is no regular expression and a prompt that is no
    template.
    """

    def __init__(self, whose: str, fields: Fields) -> None:
        self.fields = fields
        try:
            self._template = tuple(template_parts(fields.prompt))
        except ValueError as error:
            raise TaskError(f"{whose}.fields.prompt: {error}") from error
        self._where = f"{whose}.fields.answer_pattern"
        self._pattern: Expression | None = None
        if fields.answer_pattern is not None:
            try:
                self._pattern = Expression(fields.answer_pattern)
            except ExpressionError as error:
                raise TaskError(f"{self._where}: {error}") from error

    def read(self, row: Mapping[str, Any], *, whole: bool = True) -> Example:
        """The example of a row; `whole`: equal rows are the same content.

        Raises `ValueError` saying what is missing or does not fit, as the caller knows file and
        line; `TaskError` for an answer_pattern that takes too long.
        """
        prompt, values = self._prompt(row)
        marks = frozenset([digest("values", values)] * bool(values) + [digest("row", row)] * whole)
        choices = self._choices(row)
        where = self.fields.answer
        answer = value_at(row, where)
        if answer is None:
            raise ValueError(f"the answer is empty: '{where}' is null")
        text = as_text(answer, where)
        if self._pattern is not None:
            answer = text = self._matched(self._pattern, text)
        if choices is None:
            if not text.strip():
                raise ValueError("the answer is empty")
            return Example(prompt, text.strip(), None, marks)
        choice_texts = texts(choices, self._choices_where)
        if len(set(choice_texts)) < 2:
            raise ValueError(f"'{self._choices_where}' must hold at least two different choices")
        distinct = tuple(dict.fromkeys(choice_texts))  # published rows now and then repeat a choice
        if self.fields.labels is not None:
            return Example(prompt, self._labelled(row, text, choice_texts), distinct, marks)
        typed = not isinstance(self.fields.choices, tuple)
        right = chosen(answer, choices, choice_texts, typed=typed, reading=self.fields.answer_is)
        return Example(prompt, right, distinct, marks)

    def prompt(self, row: Mapping[str, Any]) -> str:
        """The prompt of a row, which needs no answer; raises `ValueError` as `read`."""
        return Example(self._prompt(row)[0], "").prompt

    def _prompt(self, row: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The template filled in, once: braces in a value are text. And the values."""
        prompt, values = "", []
        for text, name in self._template:
            prompt += text
            if name is not None:
                values.append(as_text(value_at(row, name), name))
                prompt += values[-1]
        if not prompt.strip():
            raise ValueError("the prompt is empty")
        return prompt, values

    @property
    def _choices_where(self) -> str:
        path = self.fields.choices
        return path if isinstance(path, str) else "choices"

    def _choices(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        field = self.fields.choices
        if field is None:
            return None
        if field == "choices" and row.get("choices") is None:
            return None  # the default path: a row without choices has a free answer
        choices = field if isinstance(field, tuple) else value_at(row, field)
        if not isinstance(choices, list | tuple):
            kind = "an object" if isinstance(choices, Mapping) else f"{choices!r:.40}"
            raise ValueError(f"'{field}' must hold at least two different choices, and is {kind}")
        return tuple(choices)

    def _labelled(self, row: Mapping[str, Any], answer: str, choices: tuple[str, ...]) -> str:
        """The choice whose label the answer is."""
        where = str(self.fields.labels)
        options = value_at(row, where)
        if not isinstance(options, list | tuple | str):
            raise ValueError(f"'{where}' must hold the labels of the choices")
        labels = texts(options, where)
        if answer not in labels:
            raise ValueError(f"answer '{answer}' is not among the labels {list(labels)}")
        matches = {
            choice
            for label, choice in zip(labels, (*choices, *[None] * len(labels)), strict=False)
            if label == answer
        }
        (choice,) = matches if len(matches) == 1 else (None,)
        if choice is None:
            raise ValueError(
                f"answer '{answer}' labels no choice, or several: {list(labels)} of {list(choices)}"
            )
        return choice

    def _matched(self, pattern: Expression, answer: str) -> str:
        try:
            match = pattern.search(answer)
        except ExpressionError as error:
            raise TaskError(f"{self._where}: {error}") from error
        pattern_words = f"answer_pattern '{pattern.pattern}'"
        if match is None:
            raise ValueError(f"{pattern_words} does not match the answer")
        groups = match.groups()
        if not groups or groups[0] is None:
            raise ValueError(f"{pattern_words} has no group that holds the answer")
        return str(groups[0]).strip()
