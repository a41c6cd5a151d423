"""A page in a real browser: it fetches nothing, complains of nothing, and answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosim.comparison.figures import evaluated_rounds
from cosim.trace.reader import Run
from cosim.trace.schema import EventRow, PositionRow, TransferRow
from tests.reporting.browser import Browser
from tests.reporting.conftest import Page
from tests.views.conftest import crashed_rows

Report = Callable[..., tuple[Path, Page]]
pytestmark = pytest.mark.slow  # a browser is started
# Left of the timeline's bars stand the devices' numbers.
LABELS = 34


@pytest.fixture(scope="module")
def pages(
    learnt: Run, networked: Run, learnt_by_lora: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A page of a run that learnt, of one that did not, and of two."""
    from cosim.reporting.write import write_report

    folder = tmp_path_factory.mktemp("pages")
    runs = {"learnt": [learnt], "networked": [networked], "two": [learnt_by_lora, learnt]}
    return {
        name: write_report(those, folder / f"{name}.html", verified=False)
        for name, those in runs.items()
    }


def set_value(browser: Browser, selector: str, value: object, event: str = "input") -> None:
    """What a hand does to a slider, a number or a list."""
    browser.value(
        f"""(() => {{
          const one = document.querySelector({selector!r});
          one.value = {str(value)!r};
          one.dispatchEvent(new Event({event!r}, {{ bubbles: true }}));
        }})()"""
    )


def text(browser: Browser, selector: str) -> str:
    words: str = browser.value(f"document.querySelector({selector!r}).innerText")
    return words


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("name", ["learnt", "networked", "two"])
def test_it_opens_without_a_network_and_without_a_complaint(
    browser: Browser, pages: dict[str, Path], name: str, width: int, dark: bool, tmp_path: Path
) -> None:
    browser.show(pages[name], width, dark=dark)
    assert browser.requests == [pages[name].as_uri()]
    assert browser.complaints == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    background = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") != dark
    browser.photograph(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_the_sliders_answer_from_what_was_measured(
    browser: Browser, pages: dict[str, Path], learnt: Run
) -> None:
    browser.show(pages["learnt"])
    points = evaluated_rounds(learnt)
    for axis, column in (("s", "time_s"), ("j", "energy_j"), ("mbit", "mbit")):
        set_value(browser, f"input[value={axis}]", axis, "change")
        markers = browser.value("document.querySelectorAll('#course-chart circle').length")
        assert markers == 3 * len(points), "of the mean and of two tasks"
        between = (points[column].iloc[1] + points[column].iloc[2]) / 2
        set_value(browser, "#budget-number", between)
        told = text(browser, "#budget-answer")
        assert f"accuracy {points['accuracy'].iloc[1]:.3f}, measured at" in told
        assert "(round 1)" in told
        set_value(
            browser, "#budget-slider", browser.value("document.querySelector('#budget-slider').max")
        )
        assert f"accuracy {points['accuracy'].iloc[-1]:.3f}" in text(browser, "#budget-answer")
    best = points["accuracy"].max()
    first = points[points["accuracy"] == best].iloc[0]
    set_value(browser, "#target-number", best)
    assert f"measured in round {first['round']:.0f})" in text(browser, "#target-answer")
    set_value(browser, "#target-slider", 1)
    assert f"not reached; best {best:.3f}" in text(browser, "#target-answer")


def test_a_click_on_a_bar_shows_its_row(
    browser: Browser, pages: dict[str, Path], networked: Run
) -> None:
    browser.show(pages["networked"])
    set_value(browser, ".windowing select", "all", "change")
    end_s = max(networked.rounds["end_s"].max(), networked.events["time_s"].max())
    boxes = [timeline_box(browser)]
    for row in (3, len(networked.transfers) - 2):
        wanted = networked.transfers.iloc[row]
        middle_s = (wanted["start_s"] + wanted["end_s"]) / 2
        left, top, width, height = timeline_box(browser)
        x = left + LABELS + middle_s / end_s * (width - LABELS)
        browser.click(x, top + (wanted["src"] + 0.7) * height / len(networked.devices))
        boxes.append(timeline_box(browser))
        shown = browser.value(
            """Object.fromEntries(Array.from(document.querySelectorAll(".row td[data-column]"),
                 (cell) => [cell.dataset.column, cell.innerText]))"""
        )
        found = networked.transfers.set_index("number").loc[int(number(shown["number"]))]
        assert found["src"] == wanted["src"]
        assert found["start_s"] - 0.01 * end_s <= middle_s <= found["end_s"] + 0.01 * end_s
        assert set(shown) == set(networked.transfers.columns)
        for name in ("outcome", "cause", "kind"):
            assert shown[name] == found[name]
        for name, unit in (("energy_tx_j", " J"), ("distance_m", " m"), ("start_s", " s")):
            assert number(shown[name].removesuffix(unit)) == pytest.approx(found[name], rel=1e-5)
    for box in boxes[1:]:  # to less than a pixel, of which a page is scrolled by whole ones
        assert box == pytest.approx(boxes[0], abs=1.0), "a row that appears moves no bar away"
    browser.click(left + LABELS + 0.3 * (width - LABELS), top + 2)
    assert "rounds.parquet" in text(browser, ".row")


def timeline_box(browser: Browser) -> list[float]:
    """Left, top, width and height of the timeline, once it is in sight."""
    box: list[float] = browser.value(
        """(() => {
          const canvas = document.querySelector(".rows canvas");
          canvas.scrollIntoView({ block: "center" });
          const box = canvas.getBoundingClientRect();
          return [box.left, box.top, box.width, box.height];
        })()"""
    )
    return box


def number(words: str) -> float:
    return float(words.replace("\u202f", "").replace("−", "-"))


def test_the_moment_moves_the_map_and_the_cursor(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["networked"])

    def seen() -> list[Any]:
        found: list[Any] = browser.value(
            """[document.querySelector(".map canvas").toDataURL(),
                document.querySelector(".cursor").style.left,
                document.querySelector(".clock").value]"""
        )
        return found

    before = seen()
    set_value(browser, ".moment", 5)
    after = seen()
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert after[2].startswith("5.00 of ")
    drawn = browser.value("document.querySelector('.rows canvas').toDataURL()")
    browser.value("document.querySelector('[aria-label=closer]').click()")
    assert browser.value("document.querySelector('.rows canvas').toDataURL()") != drawn
    browser.value("document.querySelector('[aria-label=play]').click()")
    browser.value("new Promise((done) => setTimeout(done, 400))")
    browser.value("document.querySelector('[aria-label=play]').click()")
    assert seen()[2] != after[2]
    assert browser.complaints == []


def test_one_of_several_runs_is_looked_at(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["two"])
    assert browser.value("document.querySelectorAll('#course-legend span').length") == 2
    shown = "[...document.querySelectorAll('article')].map((one) => one.offsetHeight > 0)"
    assert browser.value(shown) == [True, False]
    set_value(browser, "#chooser", "1", "change")
    browser.value("new Promise((done) => setTimeout(done, 500))")
    assert browser.value(shown) == [False, True]
    assert browser.value("document.querySelectorAll('article')[1].dataset.open") == "drawn"


def test_it_can_be_printed(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["learnt"], dark=True)
    assert len(browser.call("Page.printToPDF")["data"]) > 50_000
    assert browser.value("document.documentElement.className") == ""
    assert browser.complaints == []


def test_a_run_that_crashed_is_drawn_as_far_as_it_came(
    browser: Browser, report: Report, written: Callable[..., Run]
) -> None:
    rows = crashed_rows()
    parts = {
        "crashed": rows,
        "planned": [row for row in rows if isinstance(row, EventRow) and row.time_s == 0.0],
        "on the air": [row for row in rows if isinstance(row, TransferRow | PositionRow)],
        "nothing": [],
    }
    for name, those in parts.items():
        path, _ = report(written(those, name=name))
        browser.show(path)
        assert browser.complaints == [], name
        drawn = browser.value("document.querySelectorAll('.timeline canvas').length")
        assert drawn == (2 if name in ("crashed", "on the air") else 0), name


def test_a_thousand_devices_are_drawn(browser: Browser, report: Report, crowd: Run) -> None:
    path, _ = report(crowd, verified=False)
    browser.show(path)
    assert browser.complaints == []
    rows = browser.value("document.querySelector('.rows canvas').getBoundingClientRect().height")
    assert rows >= 1000
