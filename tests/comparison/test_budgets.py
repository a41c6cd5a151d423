"""Accuracy at a budget, the cost of a target, and the drop against a clean twin, by hand."""

from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from cosim.comparison.budgets import read_budgets
from cosim.comparison.figures import figures_of
from cosim.comparison.groups import compare
from cosim.errors import UsageError
from cosim.trace.reader import Run


def at(run: Run, budget: str) -> float | None:
    (read,) = read_budgets(budget)
    return figures_of(run, None, [read]).at_budgets[read.name]


def accuracy_within(run: Run, column: str, most: float) -> float | None:
    """From the raw tables: the mean of what the last round within the budget scored."""
    scores = pq.read_table(run.directory / "evaluations.parquet").to_pylist()
    rounds = pq.read_table(run.directory / "rounds.parquet").to_pylist()
    found = None
    for number in sorted({row["round"] for row in scores}):
        before = [row for row in rounds if row["round"] <= number]
        spent = {
            "s": max((row["end_s"] for row in before), default=0.0),
            "J": sum(row[key] for row in before for key in row if key.startswith("energy_")),
        }[column]
        values = [
            row["value"]
            for row in scores
            if row["round"] == number and row["metric"] == "exact_match"
        ]
        if spent <= most:
            found = sum(values) / len(values)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 9.9, 10, 25, 30, 1000])
def test_the_last_measured_at_or_before_counts(by_hand: Callable[..., Run], most: float) -> None:
    run = by_hand([0.1, 0.4, 0.7, 0.6])
    assert at(run, f"{most}s") == pytest.approx(accuracy_within(run, "s", most))
    assert at(run, f"{10 * most}J") == pytest.approx(accuracy_within(run, "J", 10 * most))
    assert at(run, f"{most / 100}kJ") == pytest.approx(accuracy_within(run, "J", 10 * most))


def test_bits_have_prefixes(by_hand: Callable[..., Run]) -> None:
    run = by_hand([0.1, 0.4, 0.7])
    # by_hand's rounds put nothing on the air: all points lie at 0 bit.
    assert at(run, "0.5Mbit") == at(run, "0bit") == pytest.approx(0.7)
    bits = [read_budgets(word)[0].most for word in ("2e6bit", "2000kbit", "2Mbit", "0.002 Gbit")]
    assert bits == pytest.approx([2.0] * 4)


def test_what_nothing_was_scored_for_has_no_accuracy(by_hand: Callable[..., Run]) -> None:
    assert at(by_hand([]), "10s") is None


def test_budgets_are_a_list(by_hand: Callable[..., Run]) -> None:
    budgets = read_budgets("15s, 1kJ,15s")
    assert [budget.name for budget in budgets] == ["accuracy_at_15s", "accuracy_at_1kJ"]
    comparison = compare([by_hand([0.1, 0.4, 0.7])], budgets=budgets)
    heads = [measure.head for measure in comparison.measures]
    assert "accuracy at 15s" in heads
    assert comparison.rows()[0]["accuracy_at_15s"] == pytest.approx(0.4)
    # Twenty seconds and 200 J were spent in all.
    assert comparison.notes == ["ended before 1kJ were spent, 1 of 1 runs: lora"]


@pytest.mark.parametrize("text", ["", "100", "10h", "s", "1..2s", "4 k", "10s,", "-3s", "nans"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--budget: '.*' is no budget; expected seconds"):
        read_budgets(text)


def test_a_target_costs_bits_too(by_hand: Callable[..., Run]) -> None:
    run = by_hand([0.1, 0.4, 0.7])
    run.rounds["bits_sent"] = 1e6 * run.rounds["round"]
    figures = figures_of(run, 0.65)
    assert figures.to_target_mbit == pytest.approx(2 * 1 + 2 * 2)
    assert figures_of(run, 0.9).to_target_mbit is None


@pytest.mark.slow
def test_a_twin_is_of_the_same_method_and_nearest(by_hand: Callable[..., Run]) -> None:
    disturbed = [
        by_hand([0, 0.4 + 0.1 * seed], seed=seed, method=method, bandwidth_hz=1e6)
        for method in ("lora", "local")
        for seed in (1, 2)
    ]
    clean = [by_hand([0, 0.6 + 0.05 * seed], seed=seed) for seed in (1, 2)]
    farther = [by_hand([0, 0.9], seed=1, graph="complete", name="other")]
    first, second = compare(disturbed, against=[*clean, *farther]).groups
    assert first.twin is not None
    assert list(first.twin.runs) == [1, 2]
    drop = first.difference(first.twin, "accuracy")
    assert drop is not None
    assert drop.mean == pytest.approx(((0.5 - 0.65) + (0.6 - 0.7)) / 2)
    assert second.twin is None
    notes = compare(disturbed, against=[*clean, *farther]).notes
    assert notes == ["no twin, or several as near: local"]


def test_who_is_its_own_twin_has_none(by_hand: Callable[..., Run]) -> None:
    clean, late = by_hand([0, 0.6]), by_hand([0, 0.4], bandwidth_hz=1e6)
    comparison = compare([clean, late], against=[clean])
    assert comparison.groups[0].twin is None
    assert comparison.groups[1].twin is not None
    assert comparison.notes == []
