"""Trace files opened: text with known lines, and XML without document types."""

import codecs
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers import expat

from cosim.mobility.recorded.reading import Format
from cosim.mobility.recorded.samples import refuse
from cosim.mobility.recorded.unknown_format import explained

_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")

_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)""")
_DECLARATION = re.compile(r"<\?xml[^>]*\?>")
# How XML in two bytes a letter begins, besides its mark.
_WIDE = (
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)

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
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refuse(
            file,
            line,
            "holds zero bytes, as UTF-16 and files that were cut off do; save it as UTF-8",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_xml_text(file: Path) -> str:
    """The text of XML in the encoding that it declares, UTF-8 by default, without the declaration;
    errors as `read_bytes`, and MobilityError for bytes that are not of that encoding."""
    content = read_bytes(file)
    encoding = _xml_encoding(content)
    try:
        text = content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise refuse(file, None, f"is not {encoding} text, as its first line says") from None
    text = text.removeprefix("\ufeff")
    declaration = _DECLARATION.match(text)
    return text if declaration is None else text[declaration.end() :]


def _xml_encoding(content: bytes) -> str:
    for mark, encoding in _WIDE:
        if content.startswith(mark):
            return encoding
    declared = _ENCODING.match(content.removeprefix(codecs.BOM_UTF8))
    return declared[1].decode("ascii") if declared is not None else "utf-8"


def scan_xml(
    file: Path, on_start: OnStart, on_comment: Callable[[str], None] | None = None
) -> None:
    """Calls `on_start(tag, attributes, line)` for every element as the file streams by, and
    `on_comment(text)` for every comment.

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
    if on_comment is not None:
        parser.CommentHandler = on_comment
    try:
        with file.open("rb") as opened:
            parser.ParseFile(opened)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise refuse(file, error.lineno, f"is not well-formed XML: {problem}") from None
    except (OSError, ValueError, LookupError) as error:  # an encoding that nobody knows
        raise refuse(file, None, f"cannot be read as XML: {error}") from None


def told_format(file: Path) -> Format:
    """The format by what the file begins with; MobilityError, naming the formats, for others."""
    begin = read_bytes(file, 65536)
    wide = next((name for mark, name in _WIDE if begin.startswith(mark)), "utf-8")
    head = begin.decode(wide, "replace").lstrip("\ufeff \t\r\n")
    if head.startswith("<"):
        roots: tuple[tuple[str, Format], ...] = (("fcd-export", "sumo_fcd"), ("gpx", "gpx"))
        for root, format_ in roots:
            if re.search(rf"<([\w.-]+:)?{root}[\s>/]", head):
                return format_
    elif re.search(r"^[^#\n]*\$\w+(\(\w+\))? (at|set|setdest) ", head, re.MULTILINE):
        return "ns2"
    else:
        lines = [line for line in head.splitlines() if line.strip() and line.strip()[0] != "#"]
        if lines and "," in lines[0] and lines[0][0] not in "{[":
            return "csv"
    raise refuse(file, None, explained(head))
