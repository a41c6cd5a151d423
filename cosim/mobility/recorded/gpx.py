"""GPX tracks, read with gpxpy (Apache-2.0)."""

from collections.abc import Container
from datetime import UTC, datetime
from pathlib import Path

from cosim.errors import MobilityError
from cosim.mobility.recorded.samples import Samples, latitude_longitude, refuse, untimed_note
from cosim.mobility.recorded.source import read_xml_text, scan_xml


def read_gpx(file: Path, *, skip_untimed: bool = False) -> Samples:
    """The points of every track, in degrees, at seconds since 1970 (UTC where no zone is given).

    A track is a device, called by its name; `track N` (from 1, in the file) where it has none or
    an earlier track has it. Its segments follow each other: what lies between two is a gap like
    any other. Routes and waypoints have no times and are left out, and points without one where
    they are to be skipped. MobilityError with the file,
    and the line where it is known, for XML that is not well-formed or has a document type, a
    point without a time, and unusable places; and where gpxpy is not installed.
    """
    try:
        import gpxpy
    except ImportError:
        raise MobilityError(
            f"{file}: GPX files need the package gpxpy; install it with: "
            "pip install 'cosim[traces]'"
        ) from None
    lines: list[int] = []

    def start(tag: str, _: dict[str, str], line: int) -> None:
        if tag.rpartition(":")[2] == "trkpt":
            lines.append(line)

    scan_xml(file, start)
    try:
        tracks = gpxpy.parse(read_xml_text(file)).tracks
        points = [
            (number, track.name, point)
            for number, track in enumerate(tracks, 1)
            for segment in track.segments
            for point in segment.points
        ]
    except MobilityError:
        raise
    except Exception as error:  # whatever gpxpy stumbles over in a broken file
        reason = " ".join(str(error).split())[:200]
        raise refuse(file, None, f"is not a usable GPX file: {reason}") from None
    devices: dict[str, list[float]] = {}
    names: dict[int, str] = {}
    # gpxpy keeps the order of the file, but not the lines.
    untimed = 0
    line_of = lines if len(lines) == len(points) else [None] * len(points)
    for (number, called, point), line in zip(points, line_of, strict=True):
        if number not in names:
            names[number] = _new_name(called, number, devices)
            devices[names[number]] = []
        if point.time is None and skip_untimed:
            untimed += 1
            continue
        if point.time is None:
            raise refuse(
                file,
                line,
                "a track point has no time, or one that cannot be read; untimed: skip leaves such "
                "points out",
            )
        place = latitude_longitude(str(point.latitude), str(point.longitude), file, line)
        devices[names[number]].extend((_seconds(point.time), *place))
    timed = {name: rows for name, rows in devices.items() if rows}
    return Samples(timed, degrees=True, notes=untimed_note(untimed))


def _new_name(called: str | None, number: int, names: Container[str]) -> str:
    name = " ".join((called or "").split())
    while not name or name in names:
        name = f"track {number}" if name != f"track {number}" else f"track {number} (again)"
    return name


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
