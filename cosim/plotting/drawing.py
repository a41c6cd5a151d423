"""A figure together with the numbers that it shows, and both as files."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import UsageError, ViewError
from cosim.plotting.style import SETTINGS
from cosim.spelling import did_you_mean
from cosim.trace.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_DPI = 200
FORMATS = (".png", ".svg", ".csv")


@dataclass(frozen=True, repr=False)
class Drawing:
    """A drawing is a figure and the numbers in it.

    table: the numbers, a row a mark, bar or cell.
    paint: makes the figure.
    notes: sentences about what could not be drawn.
    """

    table: pd.DataFrame
    paint: Callable[[], Figure]
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        notes = f", {len(self.notes)} notes" if self.notes else ""
        return f"Drawing({len(self.table)} rows of {', '.join(map(str, self.table))}{notes})"

    def _repr_png_(self) -> bytes | None:
        """For notebooks; nothing where no figure can be drawn, whose line is then shown alone."""
        try:
            return self._content(".png")
        except ViewError:
            return None

    @cached_property
    def figure(self) -> Figure:
        """The figure, for Matplotlib; raises ViewError where that is not installed."""
        try:
            from matplotlib import rc_context
        except ImportError as error:
            raise ViewError(
                "Matplotlib is not installed, without which no figure is drawn; pip install "
                "matplotlib, or write the numbers with --out FILE.csv."
            ) from error
        with rc_context(SETTINGS):
            return self.paint()

    def write(self, path: Path) -> Path:
        """Replaces a file by the figure, PNG or SVG, or by its numbers, CSV, as its name says.

        The same runs give the same bytes. Raises UsageError for another name, ViewError for what
        cannot be written.
        """
        content = self._content(format_of(path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise ViewError(
                f"{path} cannot be written: {error.strerror or error}; --out names another file."
            ) from error
        return path

    def _content(self, ending: str) -> bytes:
        if ending == ".csv":
            return self.csv.encode()
        figure, buffer = self.figure, io.BytesIO()
        from matplotlib import rc_context

        # Neither a date nor a version, so that a figure changes with its numbers alone.
        blank = {"Software": None} if ending == ".png" else {"Date": None, "Creator": None}
        with rc_context(SETTINGS):
            figure.savefig(buffer, format=ending[1:], dpi=_DPI, metadata=blank)
        return buffer.getvalue()

    @property
    def csv(self) -> str:
        """The numbers as CSV."""
        return str(self.table.to_csv(index=False))


def format_of(path: Path) -> str:
    """The ending of a file that can be written; raises UsageError for any other."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise UsageError(
            f"--out: {path} is no figure: its name ends with none of {', '.join(FORMATS)}"
            + did_you_mean(ending, FORMATS)
        )
    return ending
