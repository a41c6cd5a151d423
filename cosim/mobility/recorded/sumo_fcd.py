"""SUMO floating car data: `<fcd-export><timestep time=…><vehicle id=… x=… y=…/>`.

Read with the standard library's expat: sumolib (EPL-2.0 or GPL-2.0-or-later) could be depended
upon, but it wraps the same parser, is slower, knows no line numbers and does not refuse document
types; the format is two elements deep. https://sumo.dlr.de/docs/Simulation/Output/FCDOutput.html
"""

from pathlib import Path

from cosim.mobility.recorded.samples import (
    MAX_METRES,
    MAX_SECONDS,
    Samples,
    latitude_longitude,
    number,
    refuse,
)
from cosim.mobility.recorded.source import scan_xml

_MOVING = ("vehicle", "person", "container")


def read_sumo_fcd(file: Path, *, degrees: bool = False) -> Samples:
    """The samples of vehicles, persons and containers, each called by its id.

    x and y are metres; with `degrees` (SUMO's --fcd-output.geo, which the file itself does not
    tell) they are longitude and latitude. A timestep shows all that are in the network, so that
    one without a vehicle tells its absence. MobilityError with file and line for XML that is not
    well-formed or has a document type, another root, an element outside a timestep, a missing or
    unusable attribute, or an id that two kinds of element share.
    """
    devices: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    seen_s: list[float] = []
    at_s: float | None = None
    root: str | None = None

    def start(tag: str, attributes: dict[str, str], line: int) -> None:
        nonlocal at_s, root
        if root is None:
            root = tag
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
            if degrees:
                place = latitude_longitude(y, x, file, line)
            else:
                place = (
                    number(x, "x", file, line, most=MAX_METRES),
                    number(y, "y", file, line, most=MAX_METRES),
                )
            devices.setdefault(name, []).extend((at_s, *place))

    scan_xml(file, start)
    return Samples(devices, degrees=degrees, seen_s=seen_s)
