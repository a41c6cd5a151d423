"""Where a task's rows have gone, in words."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.learning.data.draw import HeldOut, RowDraw


@dataclass(frozen=True)
class Account:
    """An account of a task's rows says how many were used, and why others were not.

    name: the task.
    held: its test rows, as they were held out.
    drawn: its training rows, as they were drawn.
    trained, tested: rows used.
    asked: evaluation.samples.
    too_long: training rows left out.
    max_tokens: training.max_tokens, above which a row is too long.
    """

    name: str
    held: HeldOut
    drawn: RowDraw
    trained: int
    tested: int
    asked: int
    too_long: int
    max_tokens: int

    @property
    def facts(self) -> str:
        """What is as it should be: `300 rows → 290 repeated prompts, 9 in the test rows, 1 left`.

        Nothing where every row is used, to train or to test, and of rows that are made without end.
        """
        draw = self.drawn
        left_out = draw.repeated + draw.held_elsewhere + self.too_long
        if not self.held.split:
            left_out += draw.held
        if self.held.rows is None or not left_out:
            return ""
        elsewhere = f"in the test rows of {', '.join(draw.others)}"
        parts = [
            f"{count:,} {reason}"
            for count, reason in (
                (draw.repeated, "repeated prompts"),
                (draw.held, "in the test rows"),
                (draw.held_elsewhere, elsewhere),
                (self.too_long, "too long"),
            )
            if count
        ]
        complete = draw.read == self.held.rows
        rows = f"{draw.read:,}" if complete else f"the first {draw.read:,} of {self.held.rows:,}"
        summary = f"{rows} rows → {', '.join(parts)}, {self.trained:,} left"
        repeated = len(self.held.test) - len({example.key for example in self.held.test})
        return summary + (f"; {repeated:,} of the test rows repeat a prompt" if repeated else "")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should look twice at: fewer test rows than asked for, rows too long,
        training rows that are test rows, and files most of whose rows repeat a prompt."""
        held_out, draw = self.held, self.drawn
        sentences = []
        if self.tested < self.asked:
            why = "of a file without test rows one in five is held out at most: "
            sentences.append(
                f"{why if held_out.split else ''}{self.tested} rows are held out, "
                f"evaluation.samples asks for {self.asked}"
            )
        long = [
            f"{count:,} of {count + trained:,} {part} rows"
            for part, count, trained in (
                ("training", self.too_long, self.trained),
                ("test", held_out.too_long + len(held_out.test) - self.tested, self.tested),
            )
            if count
        ]
        if long:
            sentences.append(
                f"{' and '.join(long)} that were drawn are longer than training.max_tokens "
                f"({self.max_tokens}) and left out"
            )
        if draw.held and not held_out.split and held_out.rows is not None:
            sentences.append(f"{draw.held:,} training rows are among its test rows and left out")
        if draw.held_elsewhere:
            sentences.append(
                f"{draw.held_elsewhere:,} training rows are among the test rows of "
                f"{', '.join(draw.others)} and left out"
            )
        if held_out.rows is not None and 2 * draw.repeated >= draw.read:
            sentences.append(
                f"{draw.repeated:,} of {draw.read:,} rows repeat a prompt and are left out, "
                f"{self.trained:,} are left"
            )
        return tuple(f"tasks.{self.name}: {sentence}" for sentence in sentences)
