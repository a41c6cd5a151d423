"""Figures by hand, groups by seed, paired differences, and what is told instead of counted."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import cosim
from cosim.comparison.estimate import estimate
from cosim.comparison.figures import figures_of, forgetting
from cosim.comparison.groups import compare
from cosim.comparison.table import tables
from cosim.errors import RunDirectoryError
from cosim.trace.reader import Run


def test_figures_by_hand(by_hand: Callable[..., Run]) -> None:
    figures = figures_of(by_hand([0.1, 0.4, 0.7, 0.6]), target=0.65)
    assert figures.accuracy == pytest.approx(0.6)
    assert figures.best == pytest.approx(0.7)
    assert figures.forgotten == pytest.approx(0.1)
    assert figures.simulated_s == 30.0
    assert figures.energy_j == pytest.approx(300.0)
    assert figures.mbit == 6.0 + 3 * 64e-6
    assert figures.missed == 0.5, "beacons left out"
    assert figures.to_target_s == 20.0
    assert figures.to_target_j == pytest.approx(200.0)


def test_no_two_groups_are_called_alike(by_hand: Callable[..., Run]) -> None:
    """A sweep may give a value the name that another group has of itself."""
    runs = [by_hand([0.1, 0.4], method="lora"), by_hand([0.1, 0.5], method="local")]
    named = compare(runs, called={runs[1].directory: "lora"})
    assert [group.label for group in named.groups] == ["lora", "lora: local"]


def test_forgetting_by_hand(by_hand: Callable[..., Run]) -> None:
    rows = forgetting(by_hand([0.1, 0.4, 0.2, 0.7, 0.6]))
    assert list(rows.columns) == ["round", "device", "task", "accuracy", "forgotten"]
    assert len(rows) == 5 * 2 * 2
    for _, own in rows.groupby(["device", "task"]):
        assert own["round"].tolist() == [0, 1, 2, 3, 4]
        assert own["forgotten"].tolist() == pytest.approx([0, 0, 0.2, 0, 0.1], abs=1e-12)
    assert rows["accuracy"].mean() == pytest.approx(0.4)


def test_what_one_task_forgets_another_does_not_make_up_for(
    by_hand: Callable[..., Run], tmp_path: Path
) -> None:
    run = by_hand([0.5, 0.5])
    scores = run.evaluations
    hard = (scores["task"] == "hard") & (scores["round"] == 1)
    scores.loc[hard, "value"] -= 0.2
    scores.loc[~hard & (scores["round"] == 1), "value"] += 0.2
    found = figures_of(run, None)
    assert found.accuracy == pytest.approx(0.5)
    assert found.forgotten == pytest.approx(0.1)


def test_a_target_of_the_untrained_model_costs_nothing(by_hand: Callable[..., Run]) -> None:
    run = by_hand([0.5, 0.6])
    assert (figures_of(run, 0.5).to_target_s, figures_of(run, 0.5).to_target_j) == (0.0, 0.0)
    assert figures_of(run, 0.9).to_target_s is None
    assert figures_of(run, None).to_target_s is None


def test_a_run_that_learns_nothing_has_no_accuracy(by_hand: Callable[..., Run]) -> None:
    figures = figures_of(by_hand([]), 0.5)
    assert (figures.accuracy, figures.forgotten, figures.missed) == (None, None, None)
    assert figures.simulated_s is None
    assert (figures.energy_j, figures.mbit) == (0.0, 0.0)


def test_runs_that_differ_in_their_seed_alone_are_one_group(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0, 0.5 + 0.1 * seed], seed=seed) for seed in (1, 2, 3)]
    (group,) = compare(runs).groups
    assert group.label == "lora"
    found = group.estimate("accuracy")
    assert found is not None
    assert found.mean == pytest.approx(0.7)
    # s = 0.1, n = 3, t(0.975; 2) = 4.3027
    assert found.half_width == pytest.approx(4.30265 * 0.1 / math.sqrt(3), rel=1e-5)


def test_a_key_that_an_earlier_version_lacked_counts_as_its_default(
    by_hand: Callable[..., Run],
) -> None:
    """Γ of 2 s is the default, and one of 3 s is another setting."""

    def run(seed: int, deadline_s: str) -> Run:
        made = by_hand([0, 0.5], seed=seed)
        file = made.directory / "scenario.yaml"
        text = file.read_text(encoding="utf-8").replace("radio: {", f"radio: {{{deadline_s}")
        file.write_text(text, encoding="utf-8")
        return cosim.read_run(made.directory)

    runs = [run(1, ""), run(2, "deadline_s: 2.0, "), run(3, "deadline_s: 3.0, ")]
    default, other = compare(runs).groups
    assert (sorted(default.runs), sorted(other.runs)) == ([1, 2], [3])
    assert default.setting["radio.deadline_s"] == 2.0


def test_a_setting_that_a_part_lacked_counts_as_its_default(by_hand: Callable[..., Run]) -> None:
    """A random graph has a degree, 2 by default, and a ring has none."""

    def run(seed: int, graph: str) -> Run:
        return by_hand([0, 0.5], seed=seed, graph=graph)

    runs = [run(1, "random"), run(2, "random, degree: 2"), run(3, "ring")]
    random, ring = compare(runs).groups
    assert sorted(random.runs) == [1, 2]
    assert "method.topology.degree" not in ring.setting


def test_differences_are_paired_over_the_seeds_of_both(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0, 0.5 + 0.1 * seed], seed=seed) for seed in (1, 2, 3)]
    runs += [by_hand([0, 0.55 + 0.1 * seed], seed=seed, method="proposed") for seed in (2, 3, 4)]
    comparison = compare(runs)
    first, second = comparison.groups
    found = second.difference(first, "accuracy")
    assert found is not None
    assert found.n == 2
    assert found.mean == pytest.approx(0.05)
    assert found.half_width == pytest.approx(0.0, abs=1e-12)
    assert comparison.notes == ["missing seed 4: lora", "missing seed 1: proposed"]


def test_labels_tell_what_tells_groups_apart(by_hand: Callable[..., Run]) -> None:
    runs = [
        by_hand([0, 0.5]),
        by_hand([0, 0.5], graph="complete"),
        by_hand([0, 0.5], method="local", graph="none"),
    ]
    labels = [group.label for group in compare(runs).groups]
    assert labels == ["lora graph=ring", "lora graph=complete", "local"]
    runs.append(by_hand([0, 0.5], bandwidth_hz=20e6))
    labels = [group.label for group in compare(runs).groups]
    assert labels == [
        "lora graph=ring bandwidth_hz=5e6",
        "lora graph=complete bandwidth_hz=5e6",
        "local bandwidth_hz=5e6",
        "lora graph=ring bandwidth_hz=2e7",
    ]


def test_what_is_not_completed_is_left_out_and_told(by_hand: Callable[..., Run]) -> None:
    whole, cut = by_hand([0, 0.5]), by_hand([0, 0.9], seed=2, status="interrupted")
    comparison = compare([whole, cut])
    assert [list(group.runs) for group in comparison.groups] == [[1]]
    assert comparison.notes == [f"left out, interrupted: {cut.directory}"]
    with pytest.raises(RunDirectoryError, match="no completed run"):
        compare([cut])


def test_a_seed_that_is_given_twice_counts_once(by_hand: Callable[..., Run]) -> None:
    one = by_hand([0, 0.5])
    same, other = by_hand([0, 0.5], name="same"), by_hand([0, 0.6], name="other")
    comparison = compare([one, same, other])
    assert [list(group.runs) for group in comparison.groups] == [[1]]
    assert "with the same results" in comparison.notes[0]
    assert "WITH OTHER RESULTS" in comparison.notes[1]


def test_a_target_that_needs_no_training_is_told(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0.5, 0.7]), by_hand([0.3, 0.7], seed=2)]
    words = "the untrained model reaches 0.45 in 1 of 2 runs: lora"
    assert words in compare(runs, target=0.45).notes
    assert not any("untrained" in note for note in compare(runs, target=0.6).notes)


def test_a_target_that_some_seeds_miss_has_no_mean(by_hand: Callable[..., Run]) -> None:
    runs = [by_hand([0, 0.5]), by_hand([0, 0.7], seed=2)]
    comparison = compare(runs, target=0.6)
    assert comparison.groups[0].estimate("to_target_s") is None
    assert comparison.notes == ["reached 0.6 in 1 of 2 runs: lora"]
    (table,) = tables(comparison)
    cells = dict(zip(table.heads, (cell.text for cell in table.rows[0]), strict=True))
    assert [cells[f"{unit} to 0.6"] for unit in ("s", "J", "Mbit")] == ["1 of 2"] * 3
    (table,) = tables(compare(runs, target=0.9))
    assert not [head for head in table.heads if "0.9" in head]


def test_who_is_not_scored_reaches_no_target(by_hand: Callable[..., Run]) -> None:
    assert compare([by_hand([])], target=0.6).notes == [
        "nothing was scored, so there is no accuracy to reach 0.6: lora"
    ]


def test_an_estimate_needs_every_value() -> None:
    assert estimate([]) is None
    assert estimate([1.0, None]) is None
    assert estimate([1.0]) == (1.0, None, 1)


def test_scenarios_with_little_in_common_go_by_their_names(tmp_path: Path) -> None:
    runs = []
    for name, count, model in (("walkers", 3, "random_waypoint"), ("posts", 2, "static")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"name: {name}\nrounds: {count}\nlearning: {{model: none, payload_bits: {count}000}}\n"
            f"method: lora\ndevices: [{{count: {count}, mobility: {{model: {model}}}}}]\n"
            f"radio: {{bandwidth_hz: {count}.0e6, deadline_s: {count}, p_max_dbm: 2{count}}}\n",
            encoding="utf-8",
        )
        runs.append(cosim.run(path, out=tmp_path / name))
    comparison = compare(runs)
    assert [group.label for group in comparison.groups] == ["walkers: lora", "posts: lora"]
    (note,) = comparison.notes
    assert note.startswith("walkers and posts are different scenarios: they differ in ")
    assert note.endswith(" keys, rounds, learning.payload_bits, devices.0.count among them")


def test_one_scenario_with_another_method_or_setting_is_no_other(tmp_path: Path) -> None:
    text = (
        "name: {name}\nrounds: 1\nlearning: {{model: none, payload_bits: 1000}}\n"
        "method: {method}\ndevices: [{{count: 2}}]\nradio: {{deadline_s: {gamma}}}\n"
    )
    runs = []
    for name, method, gamma in (("a", "lora", 1), ("a", "lori", 2), ("b", "rolora", 3)):
        path = tmp_path / "scenario.yaml"
        path.write_text(text.format(name=name, method=method, gamma=gamma), encoding="utf-8")
        runs.append(cosim.run(path, out=tmp_path / f"{name}-{method}"))
    assert not any("different scenarios" in note for note in compare(runs).notes)


def test_methods_that_differ_in_what_is_learnt_are_said_to_be_alike_where_nothing_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "alone.yaml"
    path.write_text("learning: none\nrounds: 1\ndevices: [{count: 2}]\n", encoding="utf-8")
    methods = ("lora", "full_finetune")
    runs = [cosim.run(path, set={"method": method}, out=tmp_path / method) for method in methods]
    (note,) = compare(runs).notes
    assert note.endswith("lora, full_finetune differ in who hears whom and when alone")
    assert compare(runs[:1]).notes == []


def test_a_word_is_the_mapping_that_it_stands_for(by_hand: Callable[..., Run]) -> None:
    """As a version wrote it whose part had no settings yet."""
    earlier = by_hand([0.5], seed=1, method="lora, weights: uniform")
    later = "lora, weights: {name: uniform, absent: renormalise}"
    (group,) = compare([earlier, by_hand([0.5], seed=2, method=later)]).groups
    assert list(group.runs) == [1, 2]
    kept = by_hand([0.5], seed=2, method="lora, weights: {name: uniform, absent: keep_own}")
    assert len(compare([earlier, kept]).groups) == 2
