"""The real command in a process of its own, as a shell starts it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def environment(**variables: str) -> dict[str, str]:
    """This process's, with the package of this checkout, and without what would hide a fault."""
    apart = ("PYTHONIOENCODING", "PYTHONSAFEPATH", "PYTHONUNBUFFERED", "PYTHONUTF8")
    kept = {name: value for name, value in os.environ.items() if name not in apart}
    # Behind the current directory, where a path of one's own may stand.
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
