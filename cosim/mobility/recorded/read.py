"""From a trace file to paths: the format, the clock's origin, the plane, the devices' order.

- The clock is shifted so that the file's earliest sample is at 0 (`earliest`), left alone (`file`),
  or shifted so that a given instant of the file's clock is at 0; what lies before 0 is not seen.
- Latitudes and longitudes are projected around a given centre, else the mean of all samples.
- Paths come in the order in which the devices first appear in the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cosim.mobility.recorded.csv_table import read_csv
from cosim.mobility.recorded.gpx import read_gpx
from cosim.mobility.recorded.ns2 import read_ns2
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.presence import sampled, shifted
from cosim.mobility.recorded.project import centre_of, to_metres
from cosim.mobility.recorded.samples import Samples, refuse, to_path
from cosim.mobility.recorded.source import told_format
from cosim.mobility.recorded.sumo_fcd import read_sumo_fcd

Format = Literal["auto", "ns2", "sumo_fcd", "gpx", "csv"]


@dataclass(frozen=True)
class Reading:
    """How a file is read. Times in s, lengths in m, places in degrees of latitude, longitude."""

    format: Format = "auto"
    time_origin: Literal["earliest", "file"] | float = "earliest"
    max_gap_s: float = 300.0
    max_speed_m_s: float = 150.0
    offset_m: tuple[float, float] = (0.0, 0.0)
    centre_deg: tuple[float, float] | None = None
    degrees: bool = False


def read_trace(file: Path, reading: Reading | None = None) -> Mapping[str, RecordedPath]:
    """The path of every device of a trace file, by its name in the file.

    MobilityError with the file, and the line where one is to blame, for a file that cannot be
    read, a format that cannot be told, whatever its importer refuses, no samples, or no two
    different times.
    """
    how = reading or Reading()
    samples = _samples(file, how)
    if not samples.devices:
        raise refuse(file, None, "holds no samples: no device has a time and a place in it")
    names = list(samples.devices)
    tables = [np.array(samples.devices[name]).reshape(-1, 3) for name in names]
    every = np.concatenate(tables)
    if len(every) == 1:
        raise refuse(file, None, "holds one sample only; a movement needs two or more")
    earliest_s = every[:, 0].min()
    if earliest_s == every[:, 0].max():
        raise refuse(
            file,
            None,
            f"holds one instant only, {earliest_s:g} s; a movement needs two or more",
        )
    if how.centre_deg is not None and not samples.degrees:
        raise refuse(file, None, "is in metres; centre_deg is for latitudes and longitudes")
    if samples.degrees:
        places = to_metres(every[:, 1:], how.centre_deg or centre_of(every[:, 1:]), file)
    else:
        places = every[:, 1:]
    every[:, 1:] = places + np.array(how.offset_m)
    if how.time_origin == "earliest":
        origin_s = float(earliest_s)
    else:
        origin_s = 0.0 if how.time_origin == "file" else how.time_origin
    every[:, 0] -= origin_s
    parts = np.split(every, np.cumsum([len(table) for table in tables])[:-1])
    gap_s = np.inf if samples.complete else how.max_gap_s
    # Shifted first: rounding may make one of two.
    seen_s = np.unique(np.array(samples.seen_s, dtype=np.float64) - origin_s)
    paths = {}
    for name, part in zip(names, parts, strict=True):
        if samples.presence_s is not None:
            presence_s = shifted(samples.presence_s[name], -origin_s)
        else:
            presence_s = sampled(part[:, 0], seen_s, max_gap_s=how.max_gap_s)
        paths[name] = to_path(
            name, part, presence_s, max_gap_s=gap_s, max_speed_m_s=how.max_speed_m_s
        )
    return paths


def _samples(file: Path, how: Reading) -> Samples:
    found = told_format(file) if how.format == "auto" else how.format
    if found == "sumo_fcd":
        return read_sumo_fcd(file, degrees=how.degrees)
    if how.degrees:
        raise refuse(file, None, f"is {found}; degrees is for sumo_fcd, whose files do not tell")
    return {"ns2": read_ns2, "gpx": read_gpx, "csv": read_csv}[found](file)
