"""The figures of every compared run as a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.comparison.groups import Comparison
from cosim.errors import RunDirectoryError
from cosim.trace.files import replacing


def write_csv(comparison: Comparison, path: Path) -> None:
    """A row a run, replacing the file; raises RunDirectoryError where it cannot be written."""
    try:
        with replacing(path) as temporary:
            pd.DataFrame(comparison.rows()).to_csv(temporary, index=False)
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror}.") from error
