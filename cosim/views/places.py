"""Where devices were: the samples of their paths, and the area of the run's scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.errors import CosimError, ViewError
from cosim.scenario.devices import Area
from cosim.scenario.reading.document import read_document
from cosim.trace.reader import SCENARIO_FILE, Run

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """The places that are known of one device.

    times_s: times (n,), ascending.
    points_m: places (n, 2).
    """

    times_s: FloatArray
    points_m: FloatArray

    def at(self, time_s: float) -> FloatArray:
        """The point at a time, straight between samples and at rest outside them."""
        return np.array([np.interp(time_s, self.times_s, axis) for axis in self.points_m.T])

    def between(self, start_s: float, end_s: float) -> FloatArray:
        """The points (n, 2) walked through from a time to another, both ends included."""
        inside = (self.times_s > start_s) & (self.times_s < end_s)
        return np.vstack([self.at(start_s), self.points_m[inside], self.at(end_s)])


@dataclass(frozen=True)
class Places:
    """The places that every picture of a run shares.

    run: the run.
    paths: the devices' paths, by id.
    area: the scenario's; None where it names none.
    points_m: all places (n, 2).
    """

    run: Run
    paths: dict[int, Path]
    area: Area | None
    points_m: FloatArray


def places_of(run: Run) -> Places:
    """Raises ViewError if a device of a transfer has no known place."""
    paths = paths_of(run)
    unplaced = sorted({*run.transfers["src"], *run.transfers["dst"]} - set(paths))
    if unplaced:
        raise ViewError(
            f"{run.directory} does not say where device {unplaced[0]} was: no position of it has "
            "been written yet."
        )
    points = np.vstack([path.points_m for path in paths.values()])
    return Places(run, paths, area_of(run), points)


def paths_of(run: Run) -> dict[int, Path]:
    """Each device's path from the samples and from where it was at the ends of its rounds."""
    known: dict[int, dict[float, tuple[float, float]]] = {}
    for table, time in ((run.positions, "time_s"), (run.rounds, "end_s")):
        located = table[np.isfinite(table["x_m"]) & np.isfinite(table["y_m"])]
        columns = (located[name] for name in ("device", time, "x_m", "y_m"))
        for device, time_s, x_m, y_m in zip(*columns, strict=True):
            known.setdefault(device, {})[time_s] = (x_m, y_m)
    return {device: _path(known[device]) for device in sorted(known)}


def area_of(run: Run) -> Area | None:
    """The area as the run's scenario has it; None where it names none that is known here."""
    try:
        given: Any = read_document(run.directory / SCENARIO_FILE).data.get("area")
        return None if given is None else Area.model_validate(given)
    except (CosimError, ValueError):
        return None


def _path(samples: dict[float, tuple[float, float]]) -> Path:
    times = sorted(samples)
    return Path(np.array(times), np.array([samples[time_s] for time_s in times]))
