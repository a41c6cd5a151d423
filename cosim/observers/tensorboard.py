"""A run's curves as an event file of TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.observers.tracker import Tracker

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario

FOLDER = "tensorboard"


class TensorBoard(Tracker):
    """A TensorBoard observer writes a run's curves for `tensorboard --logdir`.

    TensorBoard's step is an integer, so it is the round; its wall time is the simulated one in
    seconds, so that the axis "relative" shows simulated time and "wall" counts from 1970.

    directory: where runs are written, each to a folder of its name; default: `tensorboard/` in the
    run's own directory, whose event files a resumed run replaces.
    """

    package, extra = "tensorboard", "tensorboard"

    def __init__(self, directory: str | Path | None = None) -> None:
        super().__init__()
        self._directory = None if directory is None else Path(directory)
        self._writer: Any = None

    def open(self, scenario: Scenario, directory: Path) -> None:
        """Opens the event file."""
        from tensorboard.summary import Writer

        if self._directory is None:
            folder = directory / FOLDER
        else:
            folder = self._directory / directory.absolute().name
        for earlier in folder.glob("events.out.tfevents.*"):
            earlier.unlink()
        self._writer = Writer(str(folder))

    def draw(self, values: dict[str, float], round_: int, time_s: float) -> None:
        """Writes a point of each curve, which TensorBoard can read at once."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, round_, wall_time=time_s)
        self._writer.flush()

    def ended(self, status: str) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()
