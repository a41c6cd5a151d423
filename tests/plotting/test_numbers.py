"""The numbers of figures: those of the comparison, and those of a page of algebra."""

import math
from collections.abc import Callable

import pytest

import cosim
from cosim.comparison.budgets import read_budgets
from cosim.comparison.group import Group
from cosim.comparison.groups import compare
from cosim.errors import UsageError
from cosim.plotting.ticks import _crowded
from cosim.trace.reader import Run
from tests.plotting.conftest import ENDS

# t(0.975) with one degree of freedom, which is a Cauchy variable; times s/√2 = |a − b|/2.
T1 = math.tan(0.475 * math.pi)


def at(runs: list[Run], probability: float) -> list[Run]:
    return [run for run in runs if f"probability: {probability}" in run.scenario_text]


def test_accuracy_over_costs_by_hand(swept: list[Run]) -> None:
    table = cosim.plot(at(swept, 0.5), "accuracy").table
    assert table["label"].tolist() == ["lora"] * 3 + ["decaf"] * 3
    lora = table[table["label"] == "lora"].set_index("round")
    assert lora["time_s"].tolist() == [0, 10, 20]
    assert lora["energy_j"].tolist() == pytest.approx([0, 100, 200])
    assert lora["accuracy"].tolist() == pytest.approx([0.1, 0.3, 0.65])
    assert lora["n"].tolist() == [2, 2, 2]
    assert lora.loc[1, ["low", "high"]].tolist() == pytest.approx([0.3, 0.3])
    assert lora.loc[2, ["low", "high"]].tolist() == pytest.approx([0.65 - 0.05 * T1, 1.0])


def test_the_interval_is_students_and_stays_a_rate(swept: list[Run]) -> None:
    table = cosim.plot(swept, "final", over="method.topology.probability").table
    rows = table.set_index(["label", "method.topology.probability"])
    for (method, probability), (first, second) in ENDS.items():
        row = rows.loc[(method, probability)]
        half = T1 * abs(first - second) / 2
        mean = (first + second) / 2
        assert row["accuracy"] == pytest.approx(mean)
        assert row["low"] == pytest.approx(max(0.0, mean - half))
        assert row["high"] == pytest.approx(min(1.0, mean + half))


def test_differences_are_the_comparisons(swept: list[Run]) -> None:
    table = cosim.plot(swept, "final", over="probability", against="lora").table
    groups = {group.label: group for group in compare(swept).groups}

    def named(method: str, probability: float) -> Group:
        return groups[f"{method} probability={probability:g}"]

    for row in table.to_dict("records"):
        at_value = row["method.topology.probability"]
        found = named(row["label"], at_value).difference(named("lora", at_value), "accuracy")
        assert found is not None
        if row["label"] == "lora":
            assert math.isnan(row["difference"])
            continue
        low, high = found.interval(-1.0, 1.0)
        told = [row["difference"], row["difference_low"], row["difference_high"], row["pairs"]]
        assert told == pytest.approx([found.mean, low, high, 2])


@pytest.mark.parametrize("key", ["method.topology.probability", "probability", "method.topology"])
def test_a_key_in_a_mapping_is_an_axis(swept: list[Run], key: str) -> None:
    table = cosim.plot(swept, "final", over=key).table
    assert table["method.topology.probability"].tolist() == [0.05, 0.5, 0.05, 0.5]
    assert table["label"].tolist() == ["lora", "lora", "decaf", "decaf"]


def test_several_keys_of_a_mapping_are_words(by_hand: Callable[..., Run]) -> None:
    graphs = ("ring", "erdos_renyi, probability: 0.05")
    runs = [by_hand([0.1, 0.5], graph=g, name=str(k)) for k, g in enumerate(graphs)]
    drawing = cosim.plot(runs, "final", over="method.topology")
    assert drawing.table["method.topology"].tolist() == ["ring", "erdos_renyi 0.05"]
    panel = drawing.figure.subfigs[0].axes[0]
    assert {line.get_linestyle() for line in panel.lines} == {"None"}, "no order, no line"


def test_what_changes_with_an_axis_tells_no_curves_apart(by_hand: Callable[..., Run]) -> None:
    runs = [
        by_hand([0.1, 0.5], method=method, graph=graph, bandwidth_hz=hertz, name=f"{method}{hertz}")
        for method in ("lora", "decaf")
        for graph, hertz in (("ring", 1e6), ("complete", 5e6))
    ]
    drawing = cosim.plot(runs, "final", over="radio.bandwidth_hz")
    assert drawing.table["label"].tolist() == ["lora", "lora", "decaf", "decaf"]
    told = "changes together with radio.bandwidth_hz: method.topology.graph"
    assert drawing.notes == [told]


def test_a_latency_that_never_came_is_no_latency(by_hand: Callable[..., Run]) -> None:
    run = by_hand([0.1, 0.4, 0.7, 0.6])
    # In each of three rounds one message arrives, one is late, and a beacon does not count.
    run.transfers["end_s"] = [0.3, 9.0, 0.1, 0.1, 9.0, 0.1, 0.3, 9.0, 0.1]
    table = cosim.plot(run, "latency").table
    assert table["latency_s"].tolist() == [0.1, 0.3]
    assert table["share"].tolist() == pytest.approx([1 / 6, 3 / 6])
    assert set(table["n"]) == {6}


def test_who_has_nothing_to_draw_is_told(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0.1, 0.4]), by_hand([], method="local")]
    for kind in ("accuracy", "latency", "rounds"):
        drawing = cosim.plot(runs, kind)
        assert drawing.table["label"].unique().tolist() == ["lora"]
        (note,) = drawing.notes
        assert note.startswith(
            "not drawn, as nothing was sent" if kind == "latency" else "not drawn, no "
        )
        assert note.endswith(": local")
        assert f"Incomplete: {note}." in drawing.figure.get_supxlabel()


def test_an_axis_says_what_was_missed(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0.1, 0.4]), by_hand([0.1, 0.4], method="local")]
    drawing = cosim.plot(runs, "final", measure="missed", against="lora")
    titles = [" ".join(panel.get_xlabel().split()) for panel in drawing.figure.axes]
    assert titles[0] == "share of transmissions not in time"
    assert titles[1] == f"{titles[0]}, difference to lora"


def test_energy_of_rounds_by_hand(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0.1, 0.4], seed=seed, joules=joules) for seed, joules in ((1, 80), (2, 100))]
    table = cosim.plot(runs, "energy").table
    assert table["energy_j"].tolist() == [40.0, 50.0]
    assert table["share"].tolist() == [0.5, 1.0]
    parts = cosim.plot(runs, "rounds").table.set_index("part")
    assert parts.loc["energy_compute_j", "mean"] == pytest.approx(0.75 * 45)
    assert parts.loc["energy_idle_j", "mean"] == pytest.approx(0.25 * 45)
    total = parts.loc["total_j", ["mean", "low", "high"]].tolist()
    assert total == pytest.approx([45, 0, 45 + T1 * 5])


def test_budgets_are_the_comparisons(swept: list[Run]) -> None:
    words = "15s,1kJ"
    drawing = cosim.plot(at(swept, 0.5), "budgets", budget=words, target=0.62)
    groups = compare(at(swept, 0.5), 0.62, budgets=read_budgets(words)).groups
    for row in drawing.table.to_dict("records"):
        (group,) = (group for group in groups if group.label == row["label"])
        found = group.estimate(row["figure"])
        assert found is not None
        assert (row["mean"], row["n"]) == (found.mean, found.n)
    told = drawing.table.set_index(["label", "figure"])["mean"]
    assert told["lora", "accuracy_at_15s"] == pytest.approx(0.3)
    assert ("lora", "to_target_s") not in told, "one of its seeds did not reach it"
    assert told["decaf", "to_target_s"] == 20
    assert "Accuracy 0.62 was reached in" in drawing.figure.get_supxlabel()


def test_a_target_that_only_some_runs_reach_is_in_the_figure(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0, 0.5]), by_hand([0, 0.7], seed=2)]
    drawing = cosim.plot(runs, "budgets", budget="15s", target=0.6)
    words = " ".join(drawing.figure.get_supxlabel().split())
    assert "Accuracy 0.6 was reached in 1 of 2 runs. k of n:" in words
    panel = drawing.figure.subfigs[0].axes[0]
    texts = [text.get_text() for text in panel.texts]
    assert "s to 0.6" in texts
    assert texts.count("1 of 2") == 3
    out_of_reach = cosim.plot(runs, "budgets", budget="15s", target=0.9)
    words = " ".join(out_of_reach.figure.get_supxlabel().split())
    assert "Accuracy 0.9 was reached in no run." in words


def test_evaluations_that_a_seed_lacks_are_told(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0.1, 0.4, 0.5][:n], seed=n) for n in (2, 3)]
    drawing = cosim.plot(runs, "accuracy")
    assert drawing.table["round"].tolist() == [0, 1]
    assert drawing.notes == ["evaluations that not every seed has, left out: 1 of lora"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"over": "method.topology.probabilty"}, "did you mean 'method.topology.probability'?"),
        ({"over": "radio.bandwidth_hz"}, "same in all completed runs; they differ in method.name"),
        ({"over": "method"}, "methods are the curves"),
        ({"over": "probability", "against": "lorra"}, "did you mean 'lora'?"),
        ({"against": "lora"}, "lora is several here: lora probability=0.05, lora"),
        ({"measure": "acuracy"}, "did you mean 'accuracy'?"),
        ({"budget": "20s"}, "--budget belongs to budgets; final does not take it"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    swept: list[Run], given: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError, match=told.replace("?", r"\?")):
        cosim.plot(swept, "final", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.02, 0.05, 0.5], True),  # 6 % of a linear axis
        ([0.1, 0.2, 0.5], False),
        ([0.05, 0.5], False),
        ([1.0, 9.8, 10.0], False),  # a logarithmic axis would bring them closer still
    ],
)
def test_an_axis_whose_ticks_would_run_into_each_other_is_logarithmic(
    values: list[float], expected: bool
) -> None:
    assert _crowded(values) == expected
