"""The page as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cosim.errors import ViewError
from cosim.reporting.page import page
from cosim.trace.files import replacing
from cosim.trace.reader import Run

REPORT_FILE = "report.html"
ENDINGS = (".html", ".htm")


def page_of(
    runs: Sequence[Run],
    *,
    verified: bool = True,
    notes: Sequence[str] = (),
    called: Mapping[Path, str] | None = None,
) -> str:
    """The page itself, of what `write_report` takes; raises what it raises, but for files."""
    if not runs:
        raise ViewError("There is no run to report on." + "".join(f"\n{note}" for note in notes))
    return page(runs, verified=verified, notes=notes, called=called)


def write_report(
    runs: Sequence[Run],
    out: Path | None = None,
    *,
    verified: bool = True,
    notes: Sequence[str] = (),
    called: Mapping[Path, str] | None = None,
) -> Path:
    """Writes the report and returns its path: beside the traces of a single run, else here.

    verified: whether each run is verified first. notes: what the page tells besides. called: what
    somebody has called runs, by directory. Raises ViewError for a file that cannot be written, or
    where there is no run; RunDirectoryError for tables that cannot be read.
    """
    text = page_of(runs, verified=verified, notes=notes, called=called)
    beside = runs[0].directory if len(runs) == 1 else Path()
    path = beside / REPORT_FILE if out is None else out
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ViewError(
            f"{path} cannot be written: {error.strerror or error}; --out names another file."
        ) from error
    return path
