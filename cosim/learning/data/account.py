"""Where a task's rows have gone, in words."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.learning.data.draw import Drawing, HeldOut


@dataclass(frozen=True)
class Account:
    """The account of a task's rows: how many were used, and why others were not.

    trained, tested: rows used.
    asked: evaluation.samples.
    too_long: training rows left out.
    """

    name: str
    held: HeldOut
    drawn: Drawing
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
        drawn = self.drawn
        left_out = drawn.repeated + drawn.held_elsewhere + self.too_long
        if not self.held.split:
            left_out += drawn.held
        if self.held.rows is None or not left_out:
            return ""
        elsewhere = f"in the test rows of {', '.join(drawn.others)}"
        parts = [
            f"{count:,} {reason}"
            for count, reason in (
                (drawn.repeated, "repeated prompts"),
                (drawn.held, "in the test rows"),
                (drawn.held_elsewhere, elsewhere),
                (self.too_long, "too long"),
            )
            if count
        ]
        complete = drawn.read == self.held.rows
        rows = f"{drawn.read:,}" if complete else f"the first {drawn.read:,} of {self.held.rows:,}"
        summary = f"{rows} rows → {', '.join(parts)}, {self.trained:,} left"
        repeated = len(self.held.test) - len({example.key for example in self.held.test})
        return summary + (f"; {repeated:,} of the test rows repeat a prompt" if repeated else "")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should look twice at: fewer test rows than asked for, rows too long,
        training rows that are test rows, and files most of whose rows repeat a prompt."""
        held, drawn = self.held, self.drawn
        sentences = []
        if self.tested < self.asked:
            why = "of a file without test rows one in five is held out at most: "
            sentences.append(
                f"{why if held.split else ''}{self.tested} rows are held out, "
                f"evaluation.samples asks for {self.asked}"
            )
        long = [
            f"{count:,} of {count + trained:,} {part} rows"
            for part, count, trained in (
                ("training", self.too_long, self.trained),
                ("test", held.too_long + len(held.test) - self.tested, self.tested),
            )
            if count
        ]
        if long:
            sentences.append(
                f"{' and '.join(long)} that were drawn are longer than training.max_tokens "
                f"({self.max_tokens}) and left out"
            )
        if drawn.held and not held.split and held.rows is not None:
            sentences.append(f"{drawn.held:,} training rows are among its test rows and left out")
        if drawn.held_elsewhere:
            sentences.append(
                f"{drawn.held_elsewhere:,} training rows are among the test rows of "
                f"{', '.join(drawn.others)} and left out"
            )
        if held.rows is not None and 2 * drawn.repeated >= drawn.read:
            sentences.append(
                f"{drawn.repeated:,} of {drawn.read:,} rows repeat a prompt and are left out, "
                f"{self.trained:,} are left"
            )
        return tuple(f"tasks.{self.name}: {sentence}" for sentence in sentences)
