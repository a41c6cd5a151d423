"""CSV: `time_s,device,x_m,y_m`, or `time_s,device,lat,lon`."""

import csv
from pathlib import Path

from cosim.mobility.recorded.samples import (
    MAX_METRES,
    MAX_SECONDS,
    Samples,
    latitude_longitude,
    number,
    refuse,
)
from cosim.mobility.recorded.source import read_text

_METRES = ("time_s", "device", "x_m", "y_m")
_DEGREES = ("time_s", "device", "lat", "lon")


def read_csv(file: Path) -> Samples:
    """The samples of a comma-separated file whose first row names its columns.

    Columns may come in any order and others are ignored, as are empty lines and lines that begin
    with `#`. A device is called by the text of its field, without blanks around it. MobilityError
    with file and line for a header without the columns, a short row, an unclosed quote, or a
    field that is no usable number.
    """
    text = read_text(file)
    kept = [
        (at, line)
        for at, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    reader = csv.reader((line for _, line in kept), strict=True, skipinitialspace=True)
    devices: dict[str, list[float]] = {}
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        line = kept[0][0] if kept else 1
        degrees = set(_DEGREES) <= set(header)
        if not degrees and not set(_METRES) <= set(header):
            raise refuse(file, line, _wrong_header(header))
        time, device, x, y = (header.index(name) for name in (_DEGREES if degrees else _METRES))
        widest = max(time, device, x, y)
        for row in reader:
            line = kept[reader.line_num - 1][0]
            if len(row) <= widest:
                raise refuse(file, line, f"has {len(row)} fields, the header {len(header)}")
            name = row[device].strip()
            if not name:
                raise refuse(file, line, "the device is missing")
            at_s = number(row[time], "time_s", file, line, most=MAX_SECONDS)
            if degrees:
                place = latitude_longitude(row[x], row[y], file, line)
            else:
                place = (
                    number(row[x], "x_m", file, line, most=MAX_METRES),
                    number(row[y], "y_m", file, line, most=MAX_METRES),
                )
            devices.setdefault(name, []).extend((at_s, *place))
    except csv.Error as error:
        line = kept[min(reader.line_num, len(kept)) - 1][0]
        raise refuse(file, line, f"is not CSV: {error}") from None
    return Samples(devices, degrees=degrees)


def _wrong_header(header: list[str]) -> str:
    if "time_s" not in header and ({"x_m", "y_m"} <= set(header) or {"lat", "lon"} <= set(header)):
        return "has no times: the column time_s is missing"
    return f"the first row must name the columns {', '.join(_METRES)} or {', '.join(_DEGREES)}"
