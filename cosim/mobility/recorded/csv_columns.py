"""Which column of a table holds what: by its own names, by the scenario's, or by position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from cosim.mobility.recorded.samples import refuse

METRES = ("time_s", "device", "x_m", "y_m")
DEGREES = ("time_s", "device", "lat", "lon")

Columns = Mapping[str, str | int | None]

# What others call them, in lower case and without what is no letter or digit.
_ALSO = {
    "time_s": ("times", "time", "t", "timestamp", "ts", "seconds", "timesteptime", "sec"),
    "device": ("device", "id", "vehicle", "vehicleid", "vehid", "node", "nodeid", "deviceid",
               "user", "userid", "uid", "name", "track", "trackid", "agent", "agentid"),
    "x_m": ("x", "xm", "posx", "xpos", "vehiclex", "easting", "east"),
    "y_m": ("y", "ym", "posy", "ypos", "vehicley", "northing", "north"),
    "lat": ("latitude", "lat", "latdeg", "ylat"),
    "lon": ("longitude", "lon", "lng", "long", "londeg", "xlon"),
}  # fmt: skip


@dataclass(frozen=True)
class ChosenColumns:
    """The chosen columns are the fields of a row that are used, by number from 0.

    time: its time.
    device: its device; None where the file is one device.
    x, y: its place; latitude and longitude in degrees.
    degrees: whether places are degrees.
    """

    time: int
    device: int | None
    x: int
    y: int
    degrees: bool

    @property
    def widest(self) -> int:
        """The last field that is looked at."""
        return max(self.time, self.x, self.y, -1 if self.device is None else self.device)


def by_position(columns: Columns) -> bool:
    """Whether columns are given by numbers, from 0: then the file has no row that names them."""
    return any(isinstance(column, int) for column in columns.values())


def choose(file: Path, line: int, header: Sequence[str], columns: Columns) -> ChosenColumns:
    """The columns of a file whose first row is `header` (empty where it has none); MobilityError
    for one that is not there, naming what might be meant."""
    at: dict[str, int] = {}
    twice = sorted({name for name in header if header.count(name) > 1})
    for needed in dict.fromkeys((*METRES, *DEGREES)):
        called = columns.get(needed, needed)
        if isinstance(called, int):
            at[needed] = called
        elif called is not None and called in header:
            if called in twice:
                raise refuse(file, line, f"has several columns that are called {called!r}")
            at[needed] = header.index(called)
        elif called is not None and needed in columns:
            near = get_close_matches(called, header, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise refuse(
                file,
                line,
                f"has no column {called!r}{hint}, which columns.{needed} names; its columns are "
                f"{', '.join(header)}",
            )
    # The columns that the scenario names decide, where a file has both.
    both = DEGREES[2:] if {"lat", "lon"} & set(columns) or not {"x_m", "y_m"} & set(columns) else ()
    degrees = set(both) <= set(at) if both else False
    x, y = DEGREES[2:] if degrees else METRES[2:]
    one_device = not header and "device" not in at
    if "device" in columns and columns["device"] is None:
        one_device = True
    necessary = {"time_s", x, y} | (set() if one_device else {"device"})
    if not necessary <= set(at):
        raise refuse(file, line, _wrong_header(header))
    return ChosenColumns(at["time_s"], None if one_device else at["device"], at[x], at[y], degrees)


def _wrong_header(header: Sequence[str]) -> str:
    names = set(header)
    if "time_s" not in names and ({"x_m", "y_m"} <= names or {"lat", "lon"} <= names):
        problem = "has no times: the column time_s is missing"
    else:
        problem = f"the first row must name the columns {', '.join(METRES)} or {', '.join(DEGREES)}"
    meant = guessed(header)
    return f"{problem}; perhaps columns: {{{meant}}}" if meant else problem


def guessed(header: Sequence[str]) -> str | None:
    """The mapping by which a header would do, in YAML, empty where it does without; None where no
    such mapping is seen."""
    plain = {"".join(filter(str.isalnum, name.lower())): name for name in reversed(header)}
    mapping = {}
    for needed, others in _ALSO.items():
        if needed in header:
            mapping[needed] = needed
        elif (near := next((plain[alias] for alias in others if alias in plain), None)) is not None:
            mapping[needed] = near
    for table in (DEGREES, METRES):
        if set(table) <= set(mapping):
            return ", ".join(
                f"{alias}: {mapping[alias]}" for alias in table if mapping[alias] != alias
            )
    return None
