"""CSV: `time_s,device,x_m,y_m`, or `time_s,device,lat,lon`, or columns that the scenario names."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from cosim.mobility.recorded.csv_columns import ChosenColumns, Columns, by_position, choose
from cosim.mobility.recorded.samples import (
    MAX_METRES,
    MAX_SECONDS,
    Samples,
    latitude_longitude,
    number,
    refuse,
    untimed_note,
)
from cosim.mobility.recorded.source import read_text
from cosim.mobility.recorded.unknown_format import FOR_EXCEL, for_excel

BLANKS = "blanks"


def read_csv(
    file: Path,
    columns: Columns | None = None,
    separator: str = ",",
    *,
    skip_untimed: bool = False,
) -> Samples:
    """The samples of a separated file whose first row names its columns, or that has no such row
    where `columns` are numbers (of fields, from 0).

    Columns may come in any order and others are ignored, as are empty lines and lines that begin
    with `#`. A device is called by the text of its field, without blanks around it, and by the
    file's name where the whole file is one. separator: one character, or `blanks` for any number
    of blanks and tabs. skip_untimed: leave out rows whose time is empty. MobilityError with file
    and line for a header without the columns, a short row, an unclosed quote, or a field that is
    no usable number.
    """
    named = columns or {}
    devices: dict[str, list[float]] = {}
    text = read_text(file)
    if text[: len(FOR_EXCEL)].lower() == FOR_EXCEL:
        raise refuse(file, 1, for_excel(text))
    rows = _rows(file, text, separator)
    if by_position(named):
        header: Sequence[str] = ()
        choice = choose(file, 1, header, named)
    else:
        line, first = next(rows, (1, ()))
        header = [name.strip() for name in first]
        choice = choose(file, line, header, named)
    names = _Names(named, choice)
    untimed = 0
    time, device, x, y = choice.time, choice.device, choice.x, choice.y
    widest, degrees = choice.widest, choice.degrees
    for line, row in rows:
        if len(row) <= widest:
            expected = f"the header {len(header)}" if header else f"{widest + 1} are needed"
            raise refuse(file, line, f"has {len(row)} fields, {expected}")
        name = file.stem if device is None else row[device].strip()
        if not name:
            raise refuse(file, line, "the device is missing")
        if skip_untimed and not row[time].strip():
            untimed += 1
            continue
        at_s = number(row[time], names.time, file, line, most=MAX_SECONDS)
        if degrees:
            place = latitude_longitude(row[x], row[y], file, line)
        else:
            place = (
                number(row[x], names.x, file, line, most=MAX_METRES),
                number(row[y], names.y, file, line, most=MAX_METRES),
            )
        devices.setdefault(name, []).extend((at_s, *place))
    return Samples(devices, degrees=degrees, notes=untimed_note(untimed))


class _Names:
    """The names of the columns in use, as a complaint tells them."""

    def __init__(self, columns: Columns, chosen: ChosenColumns) -> None:
        def called(needed: str) -> str:
            column = columns.get(needed, needed)
            return needed if column == needed else f"{needed} ({column})"

        self.time, self.x, self.y = map(called, ("time_s", "x_m", "y_m"))


def _rows(file: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file that are neither empty nor comments, with their numbers, in fields."""
    lines = [
        (at, line)
        for at, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if separator == BLANKS:
        yield from ((at, line.split()) for at, line in lines)
        return
    reader = csv.reader(
        (line for _, line in lines), strict=True, skipinitialspace=True, delimiter=separator
    )
    try:
        for row in reader:
            yield lines[reader.line_num - 1][0], row
    except csv.Error as error:
        at = lines[min(reader.line_num, len(lines)) - 1][0]
        raise refuse(file, at, f"is not CSV: {error}") from None
