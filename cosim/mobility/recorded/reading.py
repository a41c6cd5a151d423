"""How a trace file is to be read, and what was read of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Format = Literal["auto", "ns2", "sumo_fcd", "gpx", "csv"]


@dataclass(frozen=True)
class TraceReading:
    """A trace's reading is the choices by which its file is read. Times in s, lengths in m, places
    in degrees of latitude, longitude.

    format: the file's; `auto`: by what it begins with.
    time_origin: what is 0 on the run's clock: its earliest sample, 0 of its clock, or s of it.
    max_gap_s: the longest gap between two samples in which a device is taken to be there.
    max_speed_m_s: what is faster is a jump, or no sample of the device.
    offset_m: what is added to places in metres.
    centre_deg: the place that becomes the origin; None: the middle of all.
    degrees: whether x and y of SUMO's are degrees; None: as the file says, or metres, checked.
    untimed: what becomes of samples without a time.
    columns, separator: of CSV; empty and None for its own.
    """

    format: Format = "auto"
    time_origin: Literal["earliest", "file"] | float = "earliest"
    max_gap_s: float = 300.0
    max_speed_m_s: float = 150.0
    offset_m: tuple[float, float] = (0.0, 0.0)
    centre_deg: tuple[float, float] | None = None
    degrees: bool | None = None
    untimed: Literal["refuse", "skip"] = "refuse"
    columns: tuple[tuple[str, str | int | None], ...] = ()
    separator: str | None = None


@dataclass(frozen=True)
class Recording:
    """A recording is the facts that hold of all devices of a file.

    file: its path.
    from_s, until_s: the first and the last instant that it tells of, on the run's clock.
    complete: whether it is the whole movement, so that a device that moves no more has arrived.
    notes: sentences about what was left out of it.
    """

    file: Path
    from_s: float
    until_s: float
    complete: bool = False
    notes: tuple[str, ...] = ()
