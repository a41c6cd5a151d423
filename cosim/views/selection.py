"""What a view is asked for: the rounds of a run, and a folder to write to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import ViewError
from cosim.trace.files import replacing
from cosim.trace.manifest import Status
from cosim.trace.reader import Run
from cosim.trace.standing import standing

_RANGES = re.compile(r"\s*\d+\s*(-\s*\d+\s*)?(,\s*\d+\s*(-\s*\d+\s*)?)*")


def rounds_of(run: Run) -> list[int]:
    """The rounds that the traces hold, also one that has begun and not ended.

    Raises ViewError if none has begun: there is nothing that a view could show.
    """
    tables = (run.rounds, run.transfers, run.events)
    numbers: set[int] = set().union(*(table["round"].unique().tolist() for table in tables))
    rounds = sorted(number for number in numbers if number >= 1)
    if not rounds:
        status = standing(run)
        yet = " yet" if status == Status.RUNNING else ""
        raise ViewError(
            f"{run.directory} has no rounds{yet}, so there is nothing to draw: status {status!r}."
        )
    return rounds


def choose_rounds(text: str, rounds: list[int], run: Run) -> list[int]:
    """The rounds that `1-3`, `2` or `1,4-6` means; ViewError names those that there are."""
    if not _RANGES.fullmatch(text):
        raise ViewError(f"--rounds {text!r} is no choice of rounds; write 2, 1-3 or 1,4-6.")
    chosen: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if low > high:
            raise ViewError(f"--rounds {text!r} runs backwards: {low} is after {high}.")
        for end in (low, high):
            check_round(end, rounds, run)
        chosen.update(number for number in rounds if low <= number <= high)
    return sorted(chosen)


def check_round(number: int, rounds: list[int], run: Run) -> None:
    """Raises ViewError unless the run has the round; it names those that there are."""
    if number not in rounds:
        raise ViewError(f"{run.directory} has no round {number}; it has {in_words(rounds)}.")


def in_words(rounds: Iterable[int]) -> str:
    """`round 2` or `rounds 1–3, 7`: runs of numbers are drawn together."""
    spans: list[list[int]] = []
    for number in sorted(rounds):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    text = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
    return f"round {text}" if len(spans) == 1 and spans[0][0] == spans[0][1] else f"rounds {text}"


@contextmanager
def view_file(run: Run, out: Path | None, name: str) -> Iterator[tuple[Path, Path]]:
    """Yields the path of a view and the temporary one to write; the view appears at once, whole.

    Without `out` it lies in the run directory. Raises ViewError for a folder that cannot be used.
    """
    folder = run.directory if out is None else out
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            yield path, temporary
    except OSError as error:
        raise ViewError(
            f"{path} cannot be written: {error.strerror or error}; --out names another folder."
        ) from error
