"""A page as a file: alone, harmless whatever a run's texts are, bounded, and the same twice."""

import base64
import gzip
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosim
from cosim.errors import ViewError
from cosim.reporting.motion import (
    MOST_PLACES,
    MOST_ROUNDS,
    MOST_TRANSFERS,
    WHOLE_TRANSFERS,
    motion,
)
from cosim.reporting.write import write_report
from cosim.trace.manifest import write_manifest
from cosim.trace.reader import Run, read_run
from tests.reporting.conftest import Page
from tests.reporting.many_devices import many_devices
from tests.views.conftest import crashed_rows

Report = Callable[..., tuple[Path, Page]]
HOSTILE = "</script><script>alert(1)</script><b title='x\" onload=\"y'>&amp;"


def test_nothing_is_fetched(report: Report, learnt: Run, networked: Run) -> None:
    path, page = report(learnt, networked)
    for name, attributes in page.elements:
        assert name not in ("img", "iframe", "object", "embed", "base", "form"), name
        assert "src" not in attributes, attributes
        link = attributes.get("href", "data:,")
        assert link is not None, attributes
        assert link.startswith("data:"), attributes
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
    policies = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    assert len(policies) == 1
    assert policies[0] is not None
    assert policies[0].startswith("default-src 'none'")


def test_texts_of_a_run_stay_texts(report: Report, networked: Run, tmp_path: Path) -> None:
    _, before = report(networked)
    copy = tmp_path / "a <b> & 'c'"
    shutil.copytree(networked.directory, copy)
    told = {"name": HOSTILE, "method": HOSTILE, "base_model": HOSTILE, "warnings": [HOSTILE]}
    write_manifest(copy, {**networked.manifest, **told})
    scenario = copy / "scenario.yaml"
    scenario.write_text(scenario.read_text(encoding="utf-8") + f"# {HOSTILE}\n", encoding="utf-8")
    _, page = report(read_run(copy), notes=[HOSTILE])
    for name in ("script", "b"):
        assert sum(one == name for one, _ in page.elements) == sum(
            one == name for one, _ in before.elements
        ), name
    assert not any("onload" in attributes for _, attributes in page.elements)
    shown = " ".join(HOSTILE.split())
    assert page.text.count(shown) == 7, (
        "title, heading, method, base model, warning, scenario, note"
    )


@pytest.mark.slow
def test_a_page_of_one_run_is_the_same_twice(learnt: Run, tmp_path: Path) -> None:
    pages = [write_report([learnt], tmp_path / name).read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]
    assert len(pages[0]) <= 250_000


@pytest.mark.slow
def test_a_thousand_devices_fit_into_three_megabytes(report: Report, crowd: Run) -> None:
    assert len(crowd.transfers) == 80_000
    path, page = report(crowd, verified=False)
    assert path.stat().st_size <= 3_000_000
    assert "The 40 of 1000 devices that missed most" in page.text
    assert "values to four digits" in page.text
    assert "Drawn:" not in page.text


@pytest.mark.slow
def test_of_too_much_a_part_is_drawn_and_told(report: Report, tmp_path: Path) -> None:
    run = many_devices(tmp_path, devices=100, rounds=40, peers=40)
    path, page = report(run, verified=False)
    assert path.stat().st_size <= 3_000_000
    missed = int((run.transfers["outcome"] != "delivered").sum())
    kept = min(missed, MOST_TRANSFERS // 2)
    rest = len(run.transfers) - missed
    assert (
        f"Drawn: {MOST_TRANSFERS - kept} of {rest} transmissions that were in time, evenly over "
        f"the run, and {kept} of {missed} that were not." in page.text
    )
    on_air = run.transfers["sent_bits"].sum() / 1e6
    assert any(on_air == pytest.approx(shown) for shown in page.numbers), "sums are of all"


def test_the_readme_names_what_a_page_holds() -> None:
    text = (Path(cosim.__file__).parent / "trace" / "README.md").read_text(encoding="utf-8")
    assert f"Up to {WHOLE_TRANSFERS:,} transmissions" in text
    assert (
        f"beyond {MOST_TRANSFERS:,} transmissions, {MOST_ROUNDS:,} rounds of devices or "
        f"{MOST_PLACES:,} places" in text
    )


def unpacked(packed: str, index: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns as the page's script reads them."""
    raw, columns, start = gzip.decompress(base64.b64decode(packed)), {}, 0
    for entry in index:
        kind = np.dtype("<" + entry["kind"])
        length = entry["length"] * kind.itemsize
        planes = np.frombuffer(raw, np.uint8, length, start).reshape(kind.itemsize, -1)
        values = np.ascontiguousarray(planes.T).view(kind).reshape(-1)
        if entry["rising"]:
            values = np.cumsum(values.astype(np.int64))
        columns[entry["name"]] = values * entry["unit"]
        start += length
    assert start == len(raw)
    return columns


def test_a_short_run_is_packed_to_the_last_digit(networked: Run) -> None:
    moved = motion(networked)
    assert moved is not None
    known, packed = moved
    columns = unpacked(packed, known["index"])
    for table in ("transfers", "rounds"):
        frame = getattr(networked, table).iloc[columns[f"{table}.row"].astype(int)]
        assert len(frame) == len(getattr(networked, table))
        for name in known["columns"][table]:
            expected = frame[name]
            if words := known["words"].get(name) if table == "transfers" else None:
                assert [words[int(code)] for code in columns[f"{table}.{name}"]] == list(expected)
            else:
                found = columns[f"{table}.{name}"]
                assert np.array_equal(found, expected.to_numpy(float, na_value=np.nan), True), name
        assert set(known["columns"][table]) == set(frame.columns)


def test_a_long_run_is_packed_to_four_digits(tmp_path: Path) -> None:
    run = many_devices(tmp_path, devices=100, rounds=20, peers=4)
    moved = motion(run)
    assert moved is not None
    columns = unpacked(moved[1], moved[0]["index"])
    for name in ("start_s", "end_s", "deadline_at_s"):
        assert np.allclose(columns[f"transfers.{name}"], run.transfers[name], rtol=0, atol=1e-5)
    for name in ("mean_snr_db", "distance_m", "sent_bits"):
        assert np.allclose(columns[f"transfers.{name}"], run.transfers[name], rtol=5e-5), name


def test_a_run_that_crashed_is_reported_as_far_as_it_came(
    report: Report, tmp_path: Path, written: Callable[..., Run]
) -> None:
    _, page = report(written(crashed_rows()))
    assert "verify not run: the run's status is failed" in page.text
    assert "did not arrive in time" in page.text
    assert "Transmissions on the air when the traces end, which are not drawn: 1." in page.text
    _, page = report(written([], name="empty", status="running"))
    assert "nothing was scored" in page.text


def test_what_verify_finds_is_a_warning(report: Report, networked: Run, tmp_path: Path) -> None:
    copy = tmp_path / "broken"
    shutil.copytree(networked.directory, copy)
    (copy / "events.parquet").write_bytes(b"PAR1")
    write_manifest(copy, {**networked.manifest, "results_sha256": "0" * 64})
    shutil.copy(networked.directory / "events.parquet", copy)
    _, page = report(read_run(copy))
    assert "1 of 13 checks failed: hash" in page.text
    warnings = [a for _, a in page.elements if a.get("class") == "warning"]
    assert len(warnings) == 1 + len(networked.manifest["warnings"])


@pytest.mark.slow
def test_the_command_and_where_it_writes(
    learnt: Run, networked: Run, tmp_path: Path, call: Callable[..., tuple[int, list[str], str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    single, several = networked.directory / "report.html", Path("report.html")
    assert call("report", networked.directory) == (0, [str(single)], "")
    assert call("verify", networked.directory)[0] == 0, "a report is no part of a run"
    single.unlink()
    assert call("report", networked.directory, learnt.directory, "--no-verify") == (
        0, [str(several)], "",
    )  # fmt: skip
    assert several.exists()
    out = tmp_path / "deep" / "page.html"
    assert call("report", learnt.directory, "--no-verify", "--out", out) == (0, [str(out)], "")
    (tmp_path / "folder.html").mkdir()
    taken = call("report", learnt.directory, "--no-verify", "--out", tmp_path / "folder.html")
    assert (taken[0], "cannot be written" in taken[2]) == (2, True)
    assert call("report", tmp_path / "nothing")[0] == 2


@pytest.mark.slow
def test_from_python_it_is_one_call(learnt: Run, networked: Run, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert cosim.report([learnt, networked], out) == out
    assert cosim.report(learnt, str(out)) == out
    assert "<title>learnt: cosim report</title>" in out.read_text(encoding="utf-8")


def test_no_run_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(ViewError, match=r"There is no run to report on\."):
        write_report([], tmp_path / "page.html")


def test_a_page_goes_to_standard_output_or_to_a_page_s_name(
    call: Callable[..., tuple[int, list[str], str]], networked: Run, tmp_path: Path
) -> None:
    code, lines, err = call("report", networked.directory, "--no-verify", "--out", "-")
    assert (code, err) == (0, "")
    assert lines[0].lower() == "<!doctype html>"
    assert not Path("-").exists()
    code, _, err = call("report", networked.directory, "--out", tmp_path / "x.pdf")
    assert code == 2
    assert "its name ends with none of .html, .htm" in err
    assert not (tmp_path / "x.pdf").exists()
