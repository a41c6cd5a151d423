"""Progress of a run: a live line in a terminal or a notebook, plain lines elsewhere."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TimeElapsedColumn,
)
from rich.text import Text

from cosim.learning.records import Measurement
from cosim.observers.tally import Tally

# Between two updates of a notebook's line, in s of the host.
_SELDOM_S = 0.2


class PlainProgress(Tally):
    """A plain progress prints one line a round, for logs and pipes."""

    def __init__(self, rounds: int, console: Console) -> None:
        super().__init__(rounds)
        self._console = console

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays on the screen to be cleared."""

    def closed(self, round_: int, time_s: float) -> None:
        """Prints the round."""
        super().closed(round_, time_s)
        line = "  ".join(f"{name} {word}" for name, word in self.words().items())
        self._console.print(line, highlight=False, soft_wrap=True)


class LiveProgress(Tally):
    """A live progress is a bar that moves with the rounds, and the run's numbers behind it."""

    def __init__(self, rounds: int, console: Console) -> None:
        super().__init__(rounds)
        # A narrow terminal keeps the numbers and goes without the bar and the clock.
        bar = [BarColumn(bar_width=24)] if console.width >= 110 else []
        clock = [TimeElapsedColumn()] if console.width >= 96 else []
        self._progress = Progress(SpinnerColumn(), *bar, _Numbers(), *clock, console=console)
        self._task = self._progress.add_task(
            "", total=rounds, numbers=Text("loading, scoring the base model")
        )

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Shows the accuracy as soon as it is known, before the first round too."""
        super().scored(round_, measurements)
        self._show()

    def closed(self, round_: int, time_s: float) -> None:
        """Moves the bar."""
        super().closed(round_, time_s)
        self._show()

    def _show(self) -> None:
        numbers = Text(" · ").join(
            # Seconds and joules speak for themselves, and a bar is of the run so far.
            Text(word)
            if name.startswith(("simulated", "energy"))
            else Text.assemble((f"{name.removesuffix(' so far')} ", "dim"), word)
            for name, word in self.words().items()
        )
        self._progress.update(self._task, completed=self.round, numbers=numbers)


class NotebookLine:
    """A notebook line is a bar and words below a cell, replaced as they change.

    It needs nothing but IPython, which every notebook has.
    """

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, done: int, of: int, words: str) -> None:
        """Replaces the line."""
        from IPython.display import display

        bar = f'<progress value="{done}" max="{of}"></progress>'
        content = {"text/plain": words, "text/html": f"{bar} {html.escape(words)}"}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class NotebookProgress(Tally):
    """A notebook progress is the run's numbers in a line below the cell.

    Rounds that follow each other faster than it can be read are not all shown; the last one is.
    """

    def __init__(
        self, rounds: int, line: NotebookLine, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__(rounds, clock)
        self._line, self._now = line, clock
        self._shown_s = float("-inf")

    def __enter__(self) -> NotebookProgress:
        self._line.show(0, self.rounds, "loading, scoring the base model")
        return self

    def __exit__(self, *_: object) -> None:
        self._show()

    def closed(self, round_: int, time_s: float) -> None:
        """Moves the bar."""
        super().closed(round_, time_s)
        if self._now() - self._shown_s > _SELDOM_S:
            self._show()

    def _show(self) -> None:
        self._shown_s = self._now()
        words = "  ".join(f"{name} {word}" for name, word in self.words().items())
        self._line.show(self.round, self.rounds, words)


class _Numbers(ProgressColumn):
    """The run's numbers; rich's own text column would drop their style."""

    def render(self, task: Task) -> Text:
        numbers: Text = task.fields["numbers"]
        return numbers


def progress_for(console: Console, rounds: int) -> PlainProgress | LiveProgress:
    """The display that fits where the output goes."""
    return (LiveProgress if console.is_terminal else PlainProgress)(rounds, console)


@contextmanager
def seen_progress(rounds: int, *, wanted: bool) -> Iterator[list[Tally]]:
    """The display for whoever calls from Python: none where it is not wanted, or nobody is there to
    see it. In a terminal it goes where errors go, so that what a script prints is its own."""
    console = Console(stderr=True, markup=False, emoji=False)
    if wanted and in_notebook():
        with NotebookProgress(rounds, NotebookLine()) as line:
            yield [line]
    elif wanted and console.is_terminal:
        with LiveProgress(rounds, console) as live:
            yield [live]
    else:
        yield []


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
