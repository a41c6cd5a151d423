"""Regular expressions out of a scenario, which may be written so that they never come to an end."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import regex

# Of processor time, so that a busy machine refuses what an idle one refuses.
LIMIT_S = 0.5
# What every text may take besides: about as long as a tokenizer takes for a row.
PER_TEXT_S = 5e-5


class ExpressionError(ValueError):
    """A pattern is no expression, or takes too long; the caller says where it was written."""


class Expression:
    """An expression is a pattern of the package `regex`, which reads Python's own and knows more.

    All of its searches together may take 0.5 s of processor time and 50 µs a text, so that neither
    one text nor a file of them can hang it. Raises ExpressionError for a pattern that is none.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._left_s = LIMIT_S
        try:
            self._compiled = regex.compile(pattern, cache_pattern=False)
        except RecursionError:
            raise ExpressionError(
                f"'{pattern}' is not a regular expression: nested too deep"
            ) from None
        except (regex.error, ValueError) as error:
            raise ExpressionError(f"'{pattern}' is not a regular expression: {error}") from error

    def search(self, text: str) -> Any:
        """The first match in a text or None; raises ExpressionError where time is up."""
        return self._timed(self._compiled.search, text)

    def fullmatch(self, text: str) -> Any:
        """The match of a whole text or None; raises ExpressionError where time is up."""
        return self._timed(self._compiled.fullmatch, text)

    def _timed(self, match: Callable[..., Any], text: str) -> Any:
        begun_s = process_time()
        try:
            if self._left_s <= 0:  # which `regex` would read as time without end
                raise TimeoutError
            result = match(text, timeout=self._left_s)
        except TimeoutError:
            raise ExpressionError(
                f"'{self.pattern}' takes too long: more than {LIMIT_S:g} s of processor time; "
                "expected no repetition inside of a repetition, such as (a+)+"
            ) from None
        except MemoryError:
            raise ExpressionError(f"'{self.pattern}' takes more memory than a match may") from None
        took_s = process_time() - begun_s
        self._left_s = min(self._left_s + PER_TEXT_S - took_s, LIMIT_S)
        return result
