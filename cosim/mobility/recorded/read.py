"""From a trace file to paths: the format, the clock's origin, the plane, the devices' order.

- The clock is shifted so that the file's earliest sample is at 0 (`earliest`), left alone (`file`),
  or shifted so that a given instant of the file's clock is at 0; what lies before 0 is not seen.
- Latitudes and longitudes are projected around a given centre, else the mean of all samples.
- Paths come in the order in which the devices first appear in the file.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.recorded.csv_table import read_csv
from cosim.mobility.recorded.gpx import read_gpx
from cosim.mobility.recorded.legs import legs_of
from cosim.mobility.recorded.ns2 import read_ns2
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.presence import sampled, shifted
from cosim.mobility.recorded.project import centre_of, to_metres
from cosim.mobility.recorded.reading import Format, Recording, TraceReading
from cosim.mobility.recorded.samples import Samples, refuse, to_path
from cosim.mobility.recorded.sift import sifted, silences
from cosim.mobility.recorded.source import told_format
from cosim.mobility.recorded.sumo_fcd import read_sumo_fcd
from cosim.mobility.recorded.units import refuse_other_unit

__all__ = ["Format", "TraceReading", "read_trace"]

FloatArray = NDArray[np.float64]


def read_trace(file: Path, reading: TraceReading | None = None) -> Mapping[str, RecordedPath]:
    """The path of every device of a trace file, by its name in the file.

    Samples that no device can have made are left out (`cosim.mobility.recorded.strays`), and the
    paths' recording says so. MobilityError with the file, and the line where one is to blame, for a
    file that cannot be read, a format that cannot be told, whatever its importer refuses, places in
    another unit than they are said to be, no samples, no two different times, or a year in which
    there are none.
    """
    how = reading or TraceReading()
    samples, format_ = _samples(file, how)
    if not samples.devices:
        raise refuse(file, None, "holds no samples: no device has a time and a place in it")
    if how.centre_deg is not None and not samples.degrees:
        raise refuse(file, None, "is in metres; centre_deg is for latitudes and longitudes")
    names, every, owner = _table(samples)
    notes = list(samples.notes)
    legs = legs_of(every, owner, degrees=samples.degrees)
    refuse_other_unit(
        file,
        format_,
        every[:, 1:],
        legs,
        samples.speeds,
        degrees=samples.degrees,
        sure=how.degrees is False,
    )
    if not samples.complete:
        keep, sentences = sifted(every, owner, legs, names, samples.degrees, how.max_speed_m_s)
        notes += sentences
        every, owner = every[keep], owner[keep]
        if not len(every):
            raise refuse(file, None, f"holds no usable samples: {'; '.join(notes)}")
    _refuse_one_instant(file, every)
    if how.time_origin == "earliest":
        origin_s = float(every[:, 0].min())
    else:
        origin_s = 0.0 if how.time_origin == "file" else how.time_origin
    if samples.degrees:
        places = to_metres(every[:, 1:], how.centre_deg or centre_of(every[:, 1:]), file)
    else:
        places = every[:, 1:]
    every[:, 1:] = places + np.array(how.offset_m)
    every[:, 0] -= origin_s
    if not samples.complete:
        notes += silences(file, every[:, 0], origin_s)
    recording = Recording(
        file, float(every[:, 0].min()), float(every[:, 0].max()), samples.complete, tuple(notes)
    )
    # Shifted first: rounding may make one of two.
    seen_s = np.unique(np.array(samples.seen_s, dtype=np.float64) - origin_s)
    gap_s = np.inf if samples.complete else how.max_gap_s
    paths = {}
    bounds = np.searchsorted(owner, np.arange(len(names) + 1))
    for device, name in enumerate(names):
        part = every[bounds[device] : bounds[device + 1]]
        if not len(part):
            continue
        if samples.presence_s is not None:
            presence_s = shifted(samples.presence_s[name], -origin_s)
        else:
            presence_s = sampled(part[:, 0], seen_s, max_gap_s=how.max_gap_s)
        paths[name] = to_path(
            name,
            part,
            presence_s,
            recording,
            max_gap_s=gap_s,
            max_speed_m_s=how.max_speed_m_s,
        )
    return paths


def _table(samples: Samples) -> tuple[list[str], FloatArray, NDArray[np.int64]]:
    """The devices' names, all samples (K, 3) device by device, and whose each is (K,)."""
    names = list(samples.devices)
    tables = [np.array(samples.devices[name]).reshape(-1, 3) for name in names]
    owner = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    return names, np.concatenate(tables), owner


def _refuse_one_instant(file: Path, samples: FloatArray) -> None:
    if len(samples) == 1:
        raise refuse(file, None, "holds one sample only; a movement needs two or more")
    earliest_s = samples[:, 0].min()
    if earliest_s == samples[:, 0].max():
        raise refuse(
            file,
            None,
            f"holds one instant only, {earliest_s:g} s; a movement needs two or more",
        )


def _samples(file: Path, how: TraceReading) -> tuple[Samples, Format]:
    """All that the file says, and its format."""
    format_ = how.format
    if format_ == "auto":
        format_ = "csv" if _table_told(how) else told_format(file)
    if format_ != "csv" and _table_told(how):
        raise refuse(file, None, f"is {format_}; columns and separator are for csv")
    if how.untimed == "skip" and format_ not in ("gpx", "csv"):
        raise refuse(file, None, f"is {format_}; untimed: skip is for gpx and csv")
    if format_ == "sumo_fcd":
        return read_sumo_fcd(file, degrees=how.degrees), format_
    if how.degrees:
        raise refuse(file, None, f"is {format_}; degrees is for sumo_fcd, whose files do not tell")
    skip = how.untimed == "skip"
    if format_ == "csv":
        return read_csv(file, dict(how.columns), how.separator or ",", skip_untimed=skip), format_
    return (read_ns2(file) if format_ == "ns2" else read_gpx(file, skip_untimed=skip)), format_


def _table_told(how: TraceReading) -> bool:
    """Whether the scenario tells how a table is laid out, so that the file must be one."""
    return bool(how.columns) or how.separator is not None
