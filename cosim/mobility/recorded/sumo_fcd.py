"""SUMO floating car data: `<fcd-export><timestep time=…><vehicle id=… x=… y=…/>`.

Read with the standard library's expat: sumolib (EPL-2.0 or GPL-2.0-or-later) could be depended
upon, but it wraps the same parser, is slower, knows no line numbers and does not refuse document
types; the format is two elements deep. https://sumo.dlr.de/docs/Simulation/Output/FCDOutput.html
"""

import math
import re
from pathlib import Path

from cosim.mobility.recorded.legs import METRES_PER_DEGREE
from cosim.mobility.recorded.samples import (
    MAX_METRES,
    MAX_SECONDS,
    Samples,
    latitude_longitude,
    number,
    refuse,
)
from cosim.mobility.recorded.source import scan_xml
from cosim.mobility.recorded.units import SpeedsTold

_MOVING = ("vehicle", "person", "container")
# SUMO writes its configuration as a comment above the root.
_GEO = re.compile(r"""<fcd-output\.geo\s+value\s*=\s*["']([^"']*)["']""")
_TRUE = frozenset({"true", "1", "yes", "on", "t", "x"})


def read_sumo_fcd(file: Path, *, degrees: bool | None = None) -> Samples:
    """The samples of vehicles, persons and containers, each called by its id.

    x and y are metres; with `degrees` (SUMO's --fcd-output.geo) they are longitude and latitude,
    and without a word on it what the configuration in the file's head says. A timestep shows all
    that are in the network, so that one without a vehicle tells its absence. MobilityError with
    file and line for XML that is not well-formed or has a document type, a head that says the
    opposite of `degrees`, another root, an element outside a timestep, a missing or unusable
    attribute, or an id that two kinds of element share.
    """
    devices: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    seen_s: list[float] = []
    at_s: float | None = None
    root: str | None = None
    head: bool | None = None
    geo = False
    speeds = _Speeds()

    def comment(text: str) -> None:
        nonlocal head
        match = _GEO.search(text) if root is None else None
        if match is not None:
            head = match[1].strip().lower() in _TRUE

    def start(tag: str, attributes: dict[str, str], line: int) -> None:
        nonlocal at_s, root, geo
        if root is None:
            root = tag
            geo = _unit(file, head, degrees)
            if tag != "fcd-export":
                raise refuse(file, line, f"the root is <{tag[:40]}>, expected <fcd-export>")
        elif tag == "timestep":
            at_s = number(attributes.get("time"), "time", file, line, most=MAX_SECONDS)
            seen_s.append(at_s)
        elif tag in _MOVING:
            name = attributes.get("id", "")
            if at_s is None or not name:
                problem = "is outside a timestep" if at_s is None else "has no id"
                raise refuse(file, line, f"<{tag}> {problem}")
            if kinds.setdefault(name, tag) != tag:
                raise refuse(file, line, f"{name!r} names a {kinds[name]} and a {tag}")
            x, y = attributes.get("x"), attributes.get("y")
            if geo:
                place = latitude_longitude(y, x, file, line)
            else:
                place = (
                    number(x, "x", file, line, most=MAX_METRES),
                    number(y, "y", file, line, most=MAX_METRES),
                )
            devices.setdefault(name, []).extend((at_s, *place))
            if geo or (speeds.judged and speeds.may_be_degrees(place)):
                speeds.see(name, len(seen_s), at_s, place, attributes.get("speed"), geo)

    scan_xml(file, start, comment)
    return Samples(devices, degrees=geo, seen_s=seen_s, speeds=speeds.told)


def _unit(file: Path, head: bool | None, degrees: bool | None) -> bool:
    """Whether places are degrees, by the file's head and the scenario; MobilityError where these
    two say the opposite of each other."""
    if head is not None and degrees is not None and head != degrees:
        geo, opposite = ("true", "false") if head else ("false", "true")
        raise refuse(
            file,
            None,
            f"its head says fcd-output.geo {geo}, and the scenario degrees: {opposite}; leave "
            f"degrees out, or say degrees: {geo}",
        )
    return bool(head if degrees is None else degrees)


class _Speeds:
    """The speeds of a file, added up from one timestep to the next."""

    def __init__(self) -> None:
        self.told = SpeedsTold()
        self.judged = True
        self._last: dict[str, tuple[int, float, float, float, float]] = {}

    def may_be_degrees(self, place: tuple[float, float]) -> bool:
        """Whether a place is not beyond what degrees can be; once one is, all are metres."""
        self.judged = abs(place[0]) <= 180.0 and abs(place[1]) <= 90.0
        return self.judged

    def see(
        self,
        name: str,
        step: int,
        time_s: float,
        place: tuple[float, float],
        speed: str | None,
        degrees: bool,
    ) -> None:
        """Notes where something is in a timestep, and how fast it says that it has come there."""
        try:
            speed_m_s = float(speed) if speed is not None else math.nan
        except ValueError:
            speed_m_s = math.nan
        before = self._last.get(name)
        self._last[name] = (step, time_s, *place, speed_m_s)
        if before is None or before[0] != step - 1 or not 0.0 <= speed_m_s < math.inf:
            return
        first, second = place[0] - before[2], place[1] - before[3]
        if degrees:
            second = (second + 180.0) % 360.0 - 180.0
            second *= math.cos(math.radians(place[0])) * METRES_PER_DEGREE
            first *= METRES_PER_DEGREE
        self.told.walked_m += math.hypot(first, second)
        self.told.told_m += speed_m_s * max(time_s - before[1], 0.0)
        self.told.steps += 1
