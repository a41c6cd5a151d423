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
from cosim.trace.reader import Run, read_run
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
    names = re.search(r"One of them: (.*?)Map, timeline and devices of", page.text)
    assert names is not None
    return re.findall(r"\w+, seed \d", names[1])


def test_each_method_is_told_of_once_before_any_twice(report: Report, many: list[Run]) -> None:
    _, page = report(*many[::-1])  # the last seed of all first
    shown = [attributes for name, attributes in page.elements if name == "article"]
    assert len(shown) == MOST_ARTICLES < len(many)
    assert ["hidden" in attributes for attributes in shown] == [False] + [True] * 23
    assert [one["data-run"] for one in shown] == [str(place) for place in range(24)]
    assert "Map, timeline and devices of 24 of 27 runs follow, spread over the groups" in page.text
    assert "were verified: nothing wrong" not in page.text, "the rows by hand are no run's"
    assert page.text.count("were verified: what is wrong with them:") == 1
    names = chosen(page)
    assert [name[-1] for name in names] == ["3"] * 9 + ["2"] * 9 + ["1"] * 6


def test_long_runs_are_fewer(
    report: Report, many: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(articles, "MOST_LETTERS", 1)
    _, page = report(*many)
    assert sum(name == "article" for name, _ in page.elements) == 1
    assert "Map, timeline and devices of 1 of 27 runs follow" in page.text


def test_runs_that_have_not_ended_are_in_nobodys_mean(report: Report, tmp_path: Path) -> None:
    cut = [write_run(tmp_path, [0.1], seed=n, status="interrupted", name=f"{n}") for n in (2, 3)]
    whole = write_run(tmp_path, [0.5, 0.6])
    again = read_run(whole.directory)
    assert places(report(*cut, whole, again)[0]) == [
        *((f"left out above: {run.directory}", n) for n, run in enumerate(cut, start=1)),
        ("lora", 0),
        (f"left out above: {whole.directory}", 4),
    ]


def test_groups_of_one_name_are_two(report: Report, tmp_path: Path) -> None:
    """A long value is told by its beginning."""
    runs = [write_run(tmp_path, [0.5, 0.6], seed=n, name=f"{n}") for n in (1, 2)]
    for run in runs:
        scenario, long = run.directory / "scenario.yaml", "a" * 60 + run.directory.name
        words = scenario.read_text("utf-8") + f"base_model: {{source: {long}}}\n"
        scenario.write_text(words, "utf-8")
    named = places(report(*(read_run(run.directory) for run in runs))[0])
    assert named[0][0] == named[1][0]
    assert [number for _, number in named] == [0, 1]


def places(page: Path) -> list[tuple[str, int]]:
    """The name and number of each run's group, in the order of the runs."""
    found = re.findall(r'"name":"([^"]*)","group":(\d)', page.read_text("utf-8"))
    return [(name, int(number)) for name, number in found]


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
        assert len(answers("budget")) == 6
        for line in answers("budget"):
            name, words = line.split(": accuracy ")
            told = words.split(", measured in round ")[0]
            ends = [float(number) for number in re.findall(r"[0-9.]+", told)]
            assert ends == pytest.approx(
                [float(number) for number in re.findall(r"[0-9.]+", wanted[name])], abs=1.001e-3
            )
    ask(browser, "s", "target", 0.57)
    found = answers("target")
    assert found[0] == ("lora: reached by 3 of 3 seeds, after 20 ± 0 s, 200 ± 0 J, 0 ± 0 Mbit")
    assert found[1] == "local: reached by 2 of 3 seeds", "a mean would be of the lucky ones"
    ask(browser, "s", "target", 0.2)
    assert answers("target")[2].endswith("; by 3 of them before any training")
    ask(browser, "s", "budget", 500)
    assert all(line.endswith("; all had ended") for line in answers("budget"))
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
    ask(browser, "s", "budget", 12.3456)
    for place in range(1, 9):
        press(place)
    assert state() == (0, [False] * 9)
    assert browser.complaints == []
    asked = "[document.querySelector('#budget-number').value, document.activeElement.innerText]"
    press(2)
    assert state()[0] == 1
    assert browser.value(asked) == ["12.3456", "lori, 3 seeds"], "and the key keeps the focus"
    press(2)
    ask(browser, "mbit", "target", 0.5)
    press(3)
    assert state()[0] == 1
    assert len(browser.call("Page.printToPDF")["data"]) > 20_000


@pytest.mark.slow  # a browser is started
def test_what_a_curve_lacks_is_told_at_its_key(
    browser: Browser, report: Report, tmp_path: Path
) -> None:
    alike = [write_run(tmp_path, [0.3, 1.0], seed=n, method="decaf") for n in (1, 2, 3)]
    unscored = [write_run(tmp_path, [0.3, 0.5] if n > 1 else [], seed=n) for n in (1, 2, 3)]
    path, _ = report(*alike, *unscored, verified=False)
    browser.show(path)
    assert text_of(browser, "#course-legend") == ["decaf, 3 seeds", "lora, 2 of 3 seeds scored"]
    titles = (
        "[...document.querySelectorAll('#course-chart circle title')].map((t) => t.textContent)"
    )
    assert browser.value(titles)[1] == "decaf, 3 seeds: 1.000 ± 0.000 at 10 s (round 1)"
    assert browser.complaints == []


def text_of(browser: Browser, selector: str) -> list[str]:
    """The words of each child."""
    words = f"[...document.querySelector('{selector}').children].map((one) => one.innerText)"
    found: list[str] = browser.value(words)
    return found
