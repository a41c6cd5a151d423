"""Tables in every form: what stands out, what fits, and what other programs read."""

import json
from collections.abc import Callable

import pytest

from cosim.comparison.budgets import read_budgets
from cosim.comparison.formats import Format, written
from cosim.comparison.groups import Comparison, compare
from cosim.comparison.table import tables
from cosim.trace.reader import Run

Write = Callable[..., Run]


@pytest.fixture
def comparison(by_hand: Write) -> Comparison:
    """`proposed` is better for sure, `local` perhaps better than `lora`."""
    accuracies = {
        "lora": (0.50, 0.52, 0.51),
        "local": (0.56, 0.50, 0.54),
        "proposed": (0.80, 0.84, 0.82),
    }
    runs = [
        by_hand([0.1, 0.3, last], seed=seed, method=method)
        for method, of_seeds in accuracies.items()
        for seed, last in enumerate(of_seeds, 1)
    ]
    return compare(runs, 0.5, budgets=read_budgets("10s"))


def test_only_what_is_better_for_sure_is_bold(comparison: Comparison) -> None:
    markdown = written(comparison, Format.MARKDOWN)
    bold = [cell for line in markdown.splitlines() for cell in line.split(" | ") if "**" in cell]
    assert [cell.strip("|* ") for cell in bold] == ["0.820 ±0.050"] * 2, "accuracy and best"
    assert written(comparison, Format.LATEX).count(r"\textbf{0.820 $\pm$0.050}") == 2


def test_one_seed_makes_nothing_bold(by_hand: Write) -> None:
    runs = [by_hand([0, 0.1]), by_hand([0, 0.9], method="local")]
    assert "**" not in written(compare(runs), Format.MARKDOWN)


def test_rates_stay_between_0_and_1(by_hand: Write) -> None:
    runs = [by_hand([0.5, last], seed=seed) for seed, last in ((1, 0.99), (2, 0.90))]
    (table,) = tables(compare(runs))
    cell = table.rows[0][table.heads.index("accuracy")].text
    # 0.945 ± 12.7062 · 0.0636 / √2
    assert cell == "0.945 (0.373 to 1.000)"
    told = json.loads(written(compare(runs), Format.JSON))["groups"][0]["figures"]["accuracy"]
    assert told == {
        "mean": pytest.approx(0.945),
        "low": pytest.approx(0.373, abs=1e-3),
        "high": 1.0,
        "n": 2,
    }


def test_small_numbers_keep_three_digits(by_hand: Write) -> None:
    (table,) = tables(compare([by_hand([0, 0.5], joules=0.0298)]))
    assert table.rows[0][table.heads.index("energy J")].text == "0.0298"


@pytest.mark.slow
@pytest.mark.parametrize("width", [36, 60, 80, 130, 200])
def test_a_table_is_as_wide_as_its_terminal(comparison: Comparison, width: int) -> None:
    whole = written(comparison, Format.TABLE)
    text = written(comparison, Format.TABLE, width)
    table_lines = text.partition("±: half")[0].splitlines()
    assert max(len(line) for line in table_lines if not line.startswith("difference")) <= width
    for table in tables(comparison):
        for head in table.heads[2:]:
            assert head in text
        for row in table.rows:
            for cell in row:
                assert cell.text in text, "nothing is cut"
    assert (text == whole) == (width == 200)


def test_json_has_every_number_and_its_runs(comparison: Comparison) -> None:
    told = json.loads(written(comparison, Format.JSON))
    assert [group["label"] for group in told["groups"]] == ["lora", "local", "proposed"]
    proposed = told["groups"][2]
    assert [run["accuracy"] for run in proposed["runs"]] == pytest.approx([0.80, 0.84, 0.82])
    assert proposed["figures"]["accuracy_at_10s"]["mean"] == pytest.approx(0.3)
    assert proposed["figures"]["to_target_s"]["mean"] == 20.0
    difference = told["differences"][1]
    assert (difference["label"], difference["to"], difference["pairs"]) == ("proposed", "lora", 3)
    found = difference["figures"]["accuracy"]
    # 0.30, 0.32, 0.31: s = 0.01, n = 3, t(0.975; 2) = 4.3027
    assert found["mean"] == pytest.approx(0.31)
    assert found["low"] == pytest.approx(0.31 - 4.30265 * 0.01 / 3**0.5, abs=1e-6)
    assert difference["answers"] is None
    assert told["twins"] == []


def test_words_of_latex_and_of_markdown_are_escaped(by_hand: Write) -> None:
    runs = [by_hand([0, 0.5], method="my_own|method"), by_hand([0, 0.5], bandwidth_hz=1e6)]
    assert r"my\_own|method bandwidth\_hz=5e6" in written(compare(runs), Format.LATEX)
    assert r"my_own\|method bandwidth_hz=5e6" in written(compare(runs), Format.MARKDOWN)
