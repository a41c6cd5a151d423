"""A page about many runs: means over seeds that `compare` has too, few curves, few runs whole."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import t

from cosim.comparison.budgets import read_budgets
from cosim.comparison.groups import Comparison, compare
from cosim.comparison.table import tables
from cosim.reporting import articles
from cosim.reporting.articles import MOST_ARTICLES
from cosim.reporting.course import student_t
from cosim.trace.reader import Run
from tests.comparison.by_hand import write_run
from tests.reporting.browser import Browser
from tests.reporting.conftest import Page

Report = Callable[..., tuple[Path, Page]]
METHODS = ("lora", "local", "lori", "rolora", "tad_lora", "decaf", "ef_hc", "ffa_lora", "dec_lora")
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Nine methods under three seeds, a seed of all before the next; read-only."""
    folder = tmp_path_factory.mktemp("many")
    return [
        write_run(
            folder,
            [0.2, 0.4 + 0.01 * place, 0.5 + 0.02 * place + 0.03 * seed + (place == 0) * 0.3],
            seed=seed,
            method=method,
            joules=100.0 + 10 * place,
        )
        for seed in SEEDS
        for place, method in enumerate(METHODS)
    ]


def chosen(page: Page) -> list[str]:
    """What may be looked at by itself."""
    names = re.search(r"One of them: (.*?)All \d+ runs", page.text)
    assert names is not None
    return re.findall(r"\w+, seed \d", names[1])


def test_each_method_is_told_of_once_before_any_twice(report: Report, many: list[Run]) -> None:
    _, page = report(*many[::-1])  # the last seed of all first
    shown = [attributes for name, attributes in page.elements if name == "article"]
    assert len(shown) == MOST_ARTICLES < len(many)
    assert ["hidden" in attributes for attributes in shown] == [False] + [True] * 23
    assert [one["data-run"] for one in shown] == [str(place) for place in range(24)]
    told = f"All 27 runs are in the tables and curves. Map, timeline and devices are told of {24}"
    assert told in page.text
    names = chosen(page)
    assert [name[-1] for name in names] == ["3"] * 9 + ["2"] * 9 + ["1"] * 6


def test_long_runs_are_fewer(
    report: Report, many: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(articles, "MOST_LETTERS", 1)
    _, page = report(*many)
    assert sum(name == "article" for name, _ in page.elements) == 1
    assert "told of 1, one of each group first" in page.text


def test_runs_that_have_not_ended_are_in_nobodys_mean(report: Report, tmp_path: Path) -> None:
    runs = [write_run(tmp_path, [0.5, 0.6])]
    runs += [write_run(tmp_path, [0.1], seed=n, status="interrupted", name=f"{n}") for n in (2, 3)]
    path, _ = report(*runs)
    text = path.read_text("utf-8")
    groups = re.findall(r'"label":"([^"]*)","name":"([^"]*)","group":(\d)', text)
    assert [int(group) for _, _, group in groups] == [0, 1, 2]
    for run, (label, name, _) in zip(runs[1:], groups[1:], strict=True):
        assert label == name == f"left out above: {run.directory}"


def test_students_factor() -> None:
    factors = student_t(4)
    assert factors[:2] == [None, None]
    assert factors[2:] == pytest.approx([t.ppf(0.975, n) for n in (1, 2, 3)])
    assert student_t(1) == [None, None]


def cells(comparison: Comparison, head: str) -> dict[str, str]:
    """A column of the first table, by group."""
    table = tables(comparison)[0]
    place = list(table.heads).index(head)
    return {row[0].text: row[place].text for row in table.rows}


@pytest.mark.slow  # a browser is started
def test_curves_of_means_answer_as_compare_does(
    browser: Browser, report: Report, many: list[Run]
) -> None:
    path, _ = report(*many, verified=False)
    browser.show(path)
    assert browser.complaints == []
    keys = "[...document.querySelectorAll('#course-legend button')]"
    pressed = f"{keys}.map((one) => one.getAttribute('aria-pressed'))"
    assert browser.value(pressed) == ["true"] * 6 + ["false"] * 3
    circles = "document.querySelectorAll('#course-chart circle').length"
    assert browser.value(circles) == 6 * 3
    # The first evaluation is the same for all seeds, and its interval a point.
    assert browser.value("document.querySelectorAll('#course-chart .sure').length") == 6 * 3

    def answers(name: str) -> list[str]:
        lines = f"[...document.querySelectorAll('#{name}-answer p')].map((one) => one.innerText)"
        found: list[str] = browser.value(lines)
        return [line.replace("\u202f", "") for line in found]

    for axis, word in (("s", "15s"), ("s", "20s"), ("j", "230J")):
        (budget,) = read_budgets(word)
        wanted = cells(compare(many, budgets=[budget]), f"accuracy at {word}")
        ask(browser, axis, "budget", budget.most)
        for line in answers("budget"):
            name, words = line.split(": accuracy ")
            told = words.split(", measured in round ")[0]
            ends = [float(number) for number in re.findall(r"[0-9.]+", told)]
            assert ends == pytest.approx(
                [float(number) for number in re.findall(r"[0-9.]+", wanted[name])], abs=1.001e-3
            )
    ask(browser, "s", "target", 0.57)
    found = answers("target")
    assert found[0] == "lora: reached by 3 of 3 seeds, after 20 s, 200 J, 0 Mbit in the mean"
    assert found[1].startswith("local: reached by 2 of 3 seeds, after 20 s, 220 J, 0 Mbit in the")
    ask(browser, "s", "target", 0.2)
    assert answers("target")[2].endswith("in the mean; by 3 of them before any training")
    ask(browser, "s", "target", 0.99)
    assert "local: reached by 0 of 3 seeds; best 0.610" in answers("target")


def ask(browser: Browser, axis: str, slider: str, value: float) -> None:
    """Chooses an axis and writes a number beside a slider."""
    browser.value(
        f"""(() => {{
          const radio = document.querySelector("input[value={axis}]");
          radio.checked = true;
          radio.dispatchEvent(new Event("change", {{ bubbles: true }}));
          const number = document.querySelector("#{slider}-number");
          number.value = {value};
          number.dispatchEvent(new Event("input", {{ bubbles: true }}));
        }})()"""
    )


@pytest.mark.slow  # a browser is started
def test_a_key_shows_and_hides_its_curve(
    browser: Browser, report: Report, many: list[Run], tmp_path: Path
) -> None:
    path, _ = report(*many, verified=False)
    browser.show(path)

    def press(place: int) -> None:
        browser.value(f"document.querySelectorAll('#course-legend button')[{place}].click()")

    def state() -> tuple[int, list[bool]]:
        buttons = "[...document.querySelectorAll('#course-legend button')]"
        curves = browser.value("document.querySelectorAll('#course-chart .line').length")
        return curves, browser.value(f"{buttons}.map((one) => one.disabled)")

    press(6)
    press(7)
    assert state() == (8, [False] * 8 + [True])
    colours = "new Set([...document.querySelectorAll('.line')].map((one) => one.style.stroke)).size"
    assert browser.value(colours) == 8
    press(0)
    assert state() == (7, [False] * 9)
    press(8)
    assert state() == (8, [True] + [False] * 8)
    assert browser.value(colours) == 8
    for place in range(1, 9):
        press(place)
    assert state() == (0, [False] * 9)
    assert browser.complaints == []
    press(2)
    assert state()[0] == 1
    assert len(browser.call("Page.printToPDF")["data"]) > 20_000
