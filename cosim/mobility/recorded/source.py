"""Trace files opened: text with known lines, and XML without document types."""

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers import expat

from cosim.mobility.recorded.samples import refuse

_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")

OnStart = Callable[[str, dict[str, str], int], None]


def read_bytes(file: Path, most: int = -1) -> bytes:
    """The first `most` bytes of a file, all by default; MobilityError if it cannot be read."""
    try:
        kind = file.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            # A device or a pipe gives bytes without end, or none ever.
            raise refuse(file, None, "is no regular file; name a file that holds a trace")
        with file.open("rb") as opened:
            content = opened.read(most)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise refuse(file, None, f"cannot be read: {reason}") from None
    if content.startswith(_COMPRESSED):
        raise refuse(file, None, "is compressed; unpack it first")
    return content


def read_text(file: Path) -> str:
    """A file's text with `\\n` at the lines' ends, whatever they were; errors as `read_bytes`, and
    MobilityError with the line for bytes that are not UTF-8."""
    content = read_bytes(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refuse(file, line, "is not UTF-8 text; save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def scan_xml(file: Path, on_start: OnStart) -> None:
    """Calls `on_start(tag, attributes, line)` for every element as the file streams by.

    Expat itself, for its speed (a quarter million elements a second) and its line numbers. A
    document type is refused at its first letter: no trace needs one, and entities that expand
    without end, or fetch files, can only be declared there. MobilityError with the line for XML
    that is not well-formed.
    """
    read_bytes(file, 8)
    parser = expat.ParserCreate()

    def no_document_type(*_: Any) -> None:
        raise refuse(file, parser.CurrentLineNumber, "has a DOCTYPE, which a trace must not have")

    parser.StartDoctypeDeclHandler = no_document_type
    parser.StartElementHandler = lambda tag, attributes: on_start(
        tag, attributes, parser.CurrentLineNumber
    )
    try:
        with file.open("rb") as opened:
            parser.ParseFile(opened)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise refuse(file, error.lineno, f"is not well-formed XML: {problem}") from None
    except (OSError, ValueError, LookupError) as error:  # an encoding that nobody knows
        raise refuse(file, None, f"cannot be read as XML: {error}") from None


def told_format(file: Path) -> str:
    """The format by what the file begins with; MobilityError, naming the formats, for others."""
    head = read_bytes(file, 65536).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if head.startswith("<"):
        for root, found in (("fcd-export", "sumo_fcd"), ("gpx", "gpx")):
            if re.search(rf"<([\w.-]+:)?{root}[\s>/]", head):
                return found
    elif re.search(r"^[^#\n]*\$\w+(\(\w+\))? (at|set|setdest) ", head, re.MULTILINE):
        return "ns2"
    else:
        lines = [line for line in head.splitlines() if line.strip() and line.strip()[0] != "#"]
        if lines and "," in lines[0]:
            return "csv"
    raise refuse(
        file, None, "the format cannot be told; name it with format: ns2, sumo_fcd, gpx or csv"
    )
