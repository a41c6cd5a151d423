"""What a check found: nothing, something wrong with its place, or that it could not be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cosim.scenario.reading.one_line import number_text, shorten

# A run that is broken throughout is told by its first few places.
MAX_LINES = 5


class Finding(NamedTuple):
    """A finding is one thing that is wrong.

    file: the file, in the run's directory.
    what: the column, event or key that is wrong.
    expected: what it should be.
    found: what it is.
    row: its row, from 0, as pandas counts; None where it is of no single one.
    """

    file: str
    what: str
    expected: str
    found: str
    row: int | None = None

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file} row {self.row}"
        sentence = f"{place}: {self.what}: expected {self.expected}, found {self.found}"
        return shorten(sentence, 400)


@dataclass(frozen=True)
class Check:
    """A check is one line of a verification.

    name: what was checked.
    summary: what holds, in words.
    findings: what is wrong.
    skipped: why the check could not be made; None where it was.
    """

    name: str
    summary: str = ""
    findings: Sequence[Finding] = ()
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was made and nothing is wrong."""
        return self.skipped is None and not self.findings

    def lines(self) -> list[str]:
        """The check in words: one line, or one for each of the first findings."""
        if not self.findings:
            state = "ok" if self.ok else "not checked"
            return [f"{self.name:10} {state}: {self.summary if self.ok else self.skipped}"]
        sentences = [str(finding) for finding in self.findings[:MAX_LINES]]
        if len(self.findings) > MAX_LINES:
            sentences.append(f"and {len(self.findings) - MAX_LINES} more")
        return [f"{self.name:10} WRONG: {line}" for line in sentences]


def written(value: Any) -> str:
    """A value of a table as a message shows it."""
    if hasattr(value, "item"):
        value = value.item()
    return number_text(value) if isinstance(value, float) else shorten(str(value))


def where(mask: ArrayLike) -> list[int]:
    """The rows at which a mask holds."""
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows
