"""What a run that was interrupted raises; apart, since to catch it takes no import of playing."""

from __future__ import annotations

from pathlib import Path


class Interrupted(KeyboardInterrupt):
    """A run was interrupted by Ctrl-C; its traces so far lie in `directory`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"interrupted; the traces so far: {directory}; go on with: cosim resume {directory}"
        )
        self.directory = directory
