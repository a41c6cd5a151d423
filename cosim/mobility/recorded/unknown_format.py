"""What a file is whose format cannot be told, and how it might be read after all."""

import re

from cosim.mobility.recorded.csv_columns import guessed

_SEPARATORS = {";": '";"', "\t": '"\\t"', "|": '"|"', " ": "blanks"}
_BY_NUMBER = "columns: {time_s: 0, device: 1, x_m: 2, y_m: 3}"
_BY_NUMBER_OF_ONE = "columns: {time_s: 0, x_m: 1, y_m: 2}"
FOR_EXCEL = "sep="
# Roots of XML that people take for traces, in lower case, and what they are.
_ROOTS = {
    "kml": "is KML, whose places have no times that are read; convert it to GPX or CSV",
    "trainingcenterdatabase": "is TCX; convert it to GPX or CSV",
    "net": "is a road network of SUMO's; a trace is what sumo writes with --fcd-output",
    "routes": "holds routes of SUMO's; a trace is what sumo writes with --fcd-output",
    "html": "is a web page; perhaps a download that failed",
}


def explained(head: str) -> str:
    """A sentence about a text that begins so and that no importer is known for."""
    lines = [line for line in head.splitlines() if line.strip() and line.strip()[0] != "#"]
    if head.startswith("<"):
        root = _root(head)
        if root in _ROOTS:
            return _ROOTS[root]
        if root.endswith(("-export", "info", "infos")):
            return f"is SUMO's {root}; a trace is what sumo writes with --fcd-output"
    elif head.startswith(("{", "[")):
        return "is JSON; convert it to GPX or CSV"
    elif lines:
        return _table(lines[0]) or _UNKNOWN
    return _UNKNOWN


_UNKNOWN = "the format cannot be told; name it with format: ns2, sumo_fcd, gpx or csv"


def _root(head: str) -> str:
    """The name of the first element, in lower case."""
    bare = re.sub(r"<!--.*?-->", "", head, flags=re.DOTALL)
    element = re.search(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)", bare)
    return element[1].lower() if element is not None else ""


def _table(first: str) -> str | None:
    """How a table would be read that begins with this line; None where it is none."""
    if first.lower().startswith(FOR_EXCEL):
        return for_excel(first)
    for char, written in _SEPARATORS.items():
        fields = first.split() if char == " " else [field.strip() for field in first.split(char)]
        if len(fields) < 3:
            continue
        if all(map(_is_number, fields)) and len(fields) % 3 == 0 and char == " ":
            return (
                "looks like BonnMotion's own format, a node a line; have BonnMotion write it for "
                "ns-2 (bm NSFile), or give a table with separator and columns"
            )
        if _is_number(fields[0]):
            columns = _BY_NUMBER_OF_ONE if len(fields) == 3 else _BY_NUMBER
            return f"names no columns; read it with separator: {written}, {columns}"
        meant = guessed(fields)
        if meant is not None:
            named = f", columns: {{{meant}}}" if meant else ""
            return f"is not separated by commas; read it with separator: {written}{named}"
    return None


def for_excel(first: str) -> str:
    """A sentence about a first line `sep=;`, whatever the separator."""
    char = first[len(FOR_EXCEL) :][:1].strip("\r\n")
    sentence = f"begins with {FOR_EXCEL + char!r}, which is for Excel: remove that line"
    written = _SEPARATORS.get(char)
    return sentence if written is None else f"{sentence}, and read it with separator: {written}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
