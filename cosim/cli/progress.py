"""Progress of a run: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

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

from cosim.cli.tally import Tally
from cosim.learning.records import Measurement


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


class _Numbers(ProgressColumn):
    """The run's numbers; rich's own text column would drop their style."""

    def render(self, task: Task) -> Text:
        numbers: Text = task.fields["numbers"]
        return numbers


def progress_for(console: Console, rounds: int) -> PlainProgress | LiveProgress:
    """The display that fits where the output goes."""
    return (LiveProgress if console.is_terminal else PlainProgress)(rounds, console)
