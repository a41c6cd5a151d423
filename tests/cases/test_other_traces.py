"""Recorded movement as other tools and logbooks write it: read, or told how it would be."""

from pathlib import Path
from typing import Any

import pytest

SCENARIO = """\
seed: 1
rounds: 2
learning: none
method: {{name: lora, topology: ring}}
area: {{shape: disc, radius_m: 500}}
devices: [{{count: 2, mobility: {{model: trace, path: "{path}"{more}}}}}]
"""
HEAD = "time_s,device,x_m,y_m\n"
ROWS = "".join(f"{t},{n},{t},{y}\n" for t in range(30) for n, y in (("a", 0), ("b", 9)))
BY_NUMBER = "{time_s: 0, device: 1, x_m: 2, y_m: 3}"
OF_ONE = "{time_s: 0, x_m: 1, y_m: 2}"
BONNMOTION = "0.0 1.0 2.0 10.0 50.0 2.0\n0.0 10.0 2.0 5.0 20.0 5.0 9.0 30.0 3.0\n"


def scenario(tmp_path: Path, name: str, content: str | bytes, more: str = "") -> Path:
    raw = content.encode() if isinstance(content, str) else content
    (tmp_path / name).write_bytes(raw)
    file = tmp_path / "s.yaml"
    text = SCENARIO.format(path=name, more=f", {more}" if more else "")
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", (HEAD + ROWS).replace(",", ";"), 'read it with separator: ";"'),
        ("a.tsv", (HEAD + ROWS).replace(",", "\t"), r'read it with separator: "\t"'),
        (
            "a.csv",
            (HEAD.replace("device", "id") + ROWS).replace(",", "|"),
            'separator: "|", columns: {device: id}',
        ),
        ("a.txt", ROWS.replace(",", " "), "separator: blanks, columns: {time_s: 0, device: 1, x_m"),
        ("a.csv", "sep=;\n" + (HEAD + ROWS).replace(",", ";"), "begins with 'sep=;', which is for"),
        (
            "a.csv",
            f"sep=,\n{HEAD}{ROWS}",
            ":1: begins with 'sep=,', which is for Excel: remove that",
        ),
        (
            "a.csv",
            "SEP=\t\r\n" + (HEAD + ROWS).replace(",", "\t"),
            r"begins with 'sep=\t', which is for Excel: remove that line, and read it with "
            r'separator: "\t"',
        ),
        ("a.csv", "0;1;2\n1;2;2\n", 'separator: ";", columns: {time_s: 0, x_m: 1, y_m: 2}'),
        ("a.csv", HEAD.upper() + ROWS, "perhaps columns: {time_s: TIME_S, device: DEVICE, x_m: X"),
        ("a.csv", HEAD.replace("y_m", "x_m,y_m") + ROWS, "several columns that are called 'x_m'"),
        ("a.csv", f"{HEAD}2024-05-01T08:00:00Z,a,0,0\n", "in seconds: dates and hours are read fr"),
        ("a.csv", f"{HEAD}08:00:01,a,0,0\n", "in seconds: dates and hours are read from GPX alone"),
        ("a.csv", f"{HEAD}1714550400000,a,0,0\n", "in seconds: these may be milliseconds"),
        ("a.csv", (HEAD + ROWS).encode("utf-16-le"), ":1: holds zero bytes, as UTF-16 and files"),
        ("a.csv", HEAD + ROWS + 40 * "\0", ":62: holds zero bytes"),
        ("a.movements", BONNMOTION, "BonnMotion's own format, a node a line; have BonnMotion wri"),
        ("a.kml", '<?xml version="1.0"?>\n<kml xmlns="u"><Document/></kml>', "is KML"),
        ("a.tcx", "<TrainingCenterDatabase/>", "is TCX; convert it to GPX or CSV"),
        ("a.gpx", "<!DOCTYPE html>\n<html><body>404</body></html>", "is a web page; perhaps a dow"),
        ("a.json", '{"type": "FeatureCollection", "features": []}', "is JSON; convert it"),
        ("a.xml", '<net version="1.20"/>', "is a road network of SUMO's; a trace is what sumo"),
        ("a.xml", "<emission-export/>", "is SUMO's emission-export; a trace is what sumo writes"),
        ("a.xml", "<tripinfos/>", "is SUMO's tripinfos; a trace is what sumo writes with --fcd-"),
    ],
)
def test_what_cannot_be_read_as_it_is_says_how(
    called: Any, tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    checked = called("check", scenario(tmp_path, name, content))
    assert (checked.code, checked.out) == (2, "")
    assert f"devices.0.mobility.path: {tmp_path}/{name}" in checked.err
    assert said in checked.err


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ((HEAD + ROWS).replace(",", ";"), 'separator: ";"'),
        ((HEAD + ROWS).replace(",", "\t"), 'separator: "\\t"'),
        (ROWS.replace(",", "  "), f"separator: blanks, columns: {BY_NUMBER}"),
        ((HEAD + ROWS).replace("\n", "\r\n").encode("utf-8-sig"), ""),
    ],
    ids=["semicolons", "tabs", "blanks", "windows"],
)  # fmt: skip
def test_and_so_it_is_read(called: Any, tmp_path: Path, content: str | bytes, more: str) -> None:
    checked = called("check", scenario(tmp_path, "a.csv", content, more))
    assert (checked.code, checked.err) == (0, "")


def test_so_is_a_table_of_one_device(called: Any, tmp_path: Path) -> None:
    rows = "".join(f"{t};{t};0\n" for t in range(9))
    file = scenario(tmp_path, "a.csv", rows, f'separator: ";", columns: {OF_ONE}')
    file.write_text(
        file.read_text(encoding="utf-8").replace("count: 2", "count: 1"), encoding="utf-8"
    )
    checked = called("check", file)
    assert (checked.code, checked.err) == (0, "")


def test_a_name_that_yaml_takes_for_a_number(called: Any, tmp_path: Path) -> None:
    rows = ROWS.replace("a", "07").replace("b", "7.0")
    checked = called("check", scenario(tmp_path, "a.csv", HEAD + rows, "device_ids: [07, x]"))
    assert checked.code == 2
    assert "'7' is not one of the 2 devices of" in checked.err
    assert 'quote it as it is there: "07"' in checked.err
    good = scenario(tmp_path, "a.csv", HEAD + rows, 'device_ids: ["07", "7.0"]')
    assert called("check", good).code == 0


def test_coordinates_of_a_map_are_brought_to_the_middle(called: Any, tmp_path: Path) -> None:
    """Eastings and northings of a zone of UTM, as GIS and SUMO write them."""
    walks = "".join(
        f"{t},{n},{687_000 + t},{5_339_000 + y}\n"
        for t in range(30)
        for n, y in (("a", 0), ("b", 9))
    )  # fmt: skip
    checked = called("check", scenario(tmp_path, "a.csv", HEAD + walks))
    assert checked.code == 0
    # Half of 29 m and of 9 m, to the next even metre.
    assert "bring them to its middle with offset_m: [-687014, -5339004]" in checked.out
    good = scenario(tmp_path, "a.csv", HEAD + walks, "offset_m: [-687014, -5339004]")
    assert "outside the area" not in called("check", good).out
    wrong = scenario(tmp_path, "a.csv", HEAD + walks, "offset_m: [-687014, 0]")
    assert "offset_m: [-687014, -5339004]" in called("check", wrong).out


@pytest.mark.parametrize(("other_m", "told"), [("[-687000, 0]", True), ("[-687000, 5]", False)])
def test_groups_that_are_moved_differently_have_no_common_offset(
    called: Any, tmp_path: Path, other_m: str, told: bool
) -> None:
    rows = "".join(f"{t},{n},687000,5339000\n" for t in range(30) for n in "ab")
    (tmp_path / "a.csv").write_text(HEAD + rows, encoding="utf-8")
    groups = ", ".join(
        f"{{count: 1, mobility: {{model: trace, path: a.csv, device_ids: [{name}], "
        f"offset_m: {m}}}}}"
        for name, m in (("a", "[-687000, 0]"), ("b", other_m))
    )
    file = tmp_path / "s.yaml"
    file.write_text(
        "rounds: 2\nlearning: none\nmethod: {name: lora, topology: ring}\n"
        f"area: {{shape: disc, radius_m: 500}}\ndevices: [{groups}]\n",
        encoding="utf-8",
    )
    said = " ".join(called("check", file).out.split())
    assert "outside the area at times: devices 0, 1" in said
    assert ("bring them to its middle with offset_m: [-687000, -5339000]" in said) is told
    assert ("to its middle" in said) is told
