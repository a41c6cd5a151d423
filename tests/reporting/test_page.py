"""What a page says is what the traces say, counted here once more from the parquet rows."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cosim.reporting.adapters import adapters_section, clusters_by_round
from cosim.reporting.batteries import Charge, batteries_section, run_down
from cosim.reporting.costs import device_costs
from cosim.reporting.deadlines import counted_by_use
from cosim.reporting.devices import most_missed
from cosim.reporting.quantity import rounded
from cosim.trace.reader import Run, read_run
from tests.reporting.conftest import Page

Report = Callable[..., tuple[Path, Page]]
EMPTY = "battery_empty"
ENERGIES = ("energy_compute_j", "energy_tx_j", "energy_rx_j", "energy_idle_j")


def rows(run: Run, table: str) -> list[dict[str, Any]]:
    return list(pq.read_table(run.directory / f"{table}.parquet").to_pylist())


def accuracies(run: Run) -> dict[int, float]:
    """By round: the mean over tasks of the mean over devices."""
    scores: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(run, "evaluations"):
        if row["metric"] in ("acc", "exact_match"):
            scores[row["round"]][row["task"]].append(row["value"])
    return {number: fmean(map(fmean, tasks.values())) for number, tasks in scores.items()}


def facts(page: Page) -> dict[str, Any]:
    (text,) = (text for attributes, text in page.scripts if attributes.get("id") == "facts")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.slow
def test_the_four_numbers_are_the_traces(report: Report, learnt: Run) -> None:
    _, page = report(learnt)
    reached = accuracies(learnt)
    assert page.numbers[:4] == pytest.approx(
        [
            reached[max(reached)],
            max(row["end_s"] for row in rows(learnt, "rounds")),
            sum(row[name] for row in rows(learnt, "rounds") for name in ENERGIES),
            sum(row["sent_bits"] for row in rows(learnt, "transfers")) / 1e6,
        ],
        rel=1e-12,
    )
    assert f"final accuracy {reached[max(reached)]:.3f}" in page.text


def test_the_curve_is_of_the_measurements_alone(report: Report, learnt: Run) -> None:
    _, page = report(learnt)
    (course,) = facts(page)["courses"]
    reached = accuracies(learnt)
    assert course["round"] == sorted(reached)
    assert course["accuracy"] == pytest.approx([reached[n] for n in sorted(reached)])
    assert set(course["tasks"]) == {"sums", "letters"}
    spent: dict[int, float] = defaultdict(float)
    sent: dict[int, float] = defaultdict(float)
    for row in rows(learnt, "rounds"):
        spent[row["round"]] += sum(row[name] for name in ENERGIES)
        sent[row["round"]] += row["bits_sent"] / 1e6
    assert course["j"] == pytest.approx([0, *accumulate(spent[n] for n in sorted(spent))])
    assert course["mbit"] == pytest.approx([0, *accumulate(sent[n] for n in sorted(sent))])
    assert course["s"][0] == 0
    assert course["s"] == sorted(course["s"])


@pytest.mark.slow
def test_which_device_missed_most_and_what_that_cost(report: Report, networked: Run) -> None:
    _, page = report(networked)
    missed = [row for row in rows(networked, "transfers") if row["outcome"] != "delivered"]
    by_sender: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in missed:
        by_sender[row["src"]].append(row)

    def cost(device: int) -> float:
        return float(sum(row["energy_tx_j"] + row["energy_rx_j"] for row in by_sender[device]))

    def overdue(device: int) -> list[dict[str, Any]]:
        return [row for row in by_sender[device] if row["outcome"] != "cancelled"]

    def overdue_j(device: int) -> float:
        return float(sum(row["energy_tx_j"] + row["energy_rx_j"] for row in overdue(device)))

    worst = max(by_sender, key=lambda device: (len(overdue(device)), overdue_j(device)))
    sent = sum(row["src"] == worst for row in rows(networked, "transfers"))
    assert f"Device {worst} missed most deadlines" in page.text
    assert f"{len(overdue(worst))} of its {sent} transmissions did not arrive" in page.text
    assert f"took {rounded(overdue_j(worst))} J" in page.text
    cancelled = sum(row["outcome"] == "cancelled" for row in missed)
    assert f"{cancelled} of {len(rows(networked, 'transfers'))} transmissions were can" in page.text
    timely = [row for row in rows(networked, "transfers") if row["outcome"] == "delivered"]
    for some in (overdue(worst), timely):
        metres, decibels = (
            median(row[name] for row in some) for name in ("distance_m", "mean_snr_db")
        )
        assert f"{rounded(metres)} m and {rounded(decibels)} dB" in page.text
    costs = device_costs(networked).set_index("device")
    for device in costs.index:
        assert costs["missed_j"][device] == pytest.approx(cost(device))
        assert costs["missed"][device] == len(by_sender[device])
        for name in ENERGIES:
            own = [row[name] for row in rows(networked, "rounds") if row["device"] == device]
            assert costs[name][device] == pytest.approx(sum(own))
    for number in (cost(worst), sum(map(cost, by_sender))):
        assert any(number == pytest.approx(shown, rel=1e-12) for shown in page.numbers)


def test_who_sends_to_nobody_misses_no_deadline(networked: Run) -> None:
    run = read_run(networked.directory)
    lost = run.transfers["outcome"] != "delivered"
    run.transfers.loc[lost, ["outcome", "cause"]] = ["cancelled", "unreachable"]
    run.transfers.loc[lost, "mean_snr_db"] = -math.inf
    told = most_missed(run, device_costs(run))
    assert told.startswith(f"No deadline was missed. {lost.sum()} of {len(lost)} transmissions ")
    assert f"({lost.sum()} with the receiver away from the start)" in told
    run.transfers.loc[lost, ["outcome", "cause"]] = ["outage", "infeasible_power"]
    told = most_missed(run, device_costs(run))
    assert "missed most deadlines" in told
    assert "(medians); those of all that arrived" in told
    assert "∞" not in told
    assert "dB" not in told


def test_a_mean_round_is_told(report: Report, networked: Run) -> None:
    _, page = report(networked)
    there = rows(networked, "rounds")
    seconds = fmean(row["compute_s"] for row in there)
    joules = fmean(sum(row[name] for name in ENERGIES) for row in there)
    assert f"A mean round of a device: computing {seconds:.3g} s" in page.text
    assert f"; {joules:.3g} J." in page.text


def test_the_histogram_holds_every_transmission_once(networked: Run) -> None:
    counts = counted_by_use(networked.transfers)
    for outcome, columns in counts.items():
        assert sum(columns) == (networked.transfers["outcome"] == outcome).sum()
    beyond = [
        row
        for row in rows(networked, "transfers")
        if row["outcome"] == "late" and row["end_s"] > row["deadline_at_s"] + 1e-6
    ]
    assert beyond, "kept on the air beyond the deadline"
    assert counts["late"][-1] == len(beyond)
    assert counts["delivered"][-1] == 0


def test_heat_map_clusters_masks_and_overlaps(report: Report, learnt: Run) -> None:
    _, page = report(learnt)
    last = max(row["round"] for row in rows(learnt, "evaluations"))
    for row in rows(learnt, "evaluations"):
        if row["round"] == last and row["metric"] == "acc":
            assert row["value"] in page.numbers
    for row in rows(learnt, "topology"):
        assert clusters_by_round(learnt)[row["round"]][row["device"]] == row["cluster"]
    layers = rows(learnt, "layers")
    kept = sum(row["active"] for row in layers) / sum(row["parameters"] for row in layers)
    assert f"{100 * kept:.3g} % of the parameters" in page.text
    assert "Cluster of each device" in page.text
    overlaps = [
        r for r in rows(learnt, "diagnostics") if r["quantity"] == "projection_overlap_mean"
    ]
    assert all(row["value"] in page.numbers for row in overlaps if row["round"] == last)


def test_what_has_neither_clusters_nor_masks_is_told_who_exchanged(
    learnt: Run, learnt_by_lora: Run
) -> None:
    run = read_run(learnt_by_lora.directory)
    run.topology["cluster"] = run.topology["device"] // 2  # as if the four had met in pairs
    run.topology["cluster_size"] = 2
    text = str(adapters_section(run))
    assert "<h2>Groups that exchanged" in text
    assert "Group of each device, by round" in text
    assert "luster of" not in text
    assert "asks collide" not in text
    text = str(adapters_section(learnt))
    assert "<h2>Clusters, masks and overlaps" in text
    assert "Masks collide at" in text


def test_batteries_are_told_where_they_run_down(report: Report, networked: Run) -> None:
    _, page = report(networked)
    drained = {row["device"] for row in rows(networked, "rounds") if row["battery_j"] == 0.0}
    ends = {r["device"]: r["time_s"] for r in rows(networked, "events") if r["cause"] == EMPTY}
    assert set(ends) == drained
    first = min(ends, key=ends.__getitem__)
    said = f"2 of 6 batteries ran out, the first, device {first}'s, at {rounded(ends[first])} s"
    assert said in page.text
    assert re.search(r"Of the others, device [0-3] has least left: \d", page.text)


def test_what_is_full_in_three_digits_is_told_by_what_is_gone(crowd: Run) -> None:
    shares = np.array([1.0, 0.9998])
    charge = Charge(4, np.array([0.0, 1.0]), shares)
    assert run_down(crowd, [charge]) == "Device 4 has used most: 0.02 % of its charge."


def test_many_batteries_are_told_apart_and_which_lasted(crowd: Run) -> None:
    text = str(batteries_section(crowd))
    assert "Device 0 has least left: 98.1 % of its charge." in text
    run = read_run(crowd.directory)
    run.rounds["battery_j"] = 1e4 / run.rounds["round"] - run.rounds["device"]
    run.events.loc[[5, 3], ["kind", "cause"]] = ["leave", EMPTY]
    text = str(batteries_section(run))
    assert "2 of 1000 batteries ran out" in text
    looks = re.findall(r'<path[^>]*style="([^"]*)"', text)
    assert len(looks) == len(set(looks)) == 40
    keys = re.findall(r'<i style="([^"]*)"></i>device', text)
    assert len(keys) == len(set(keys)) == 40
    assert "40 of 1000 batteries, the emptiest." in text


def test_the_head_says_how_to_repeat_it_and_what_verify_found(report: Report, learnt: Run) -> None:
    _, page = report(learnt)
    assert str(learnt.manifest["results_sha256"]) in page.text
    assert f"cosim run {learnt.directory / 'scenario.yaml'}" in page.text
    assert "13 of 13 checks made, nothing wrong" in page.text
    assert " ".join(learnt.scenario_text.split()) in page.text
    _, page = report(learnt, verified=False)
    assert "verify not run" in page.text


@pytest.mark.slow
def test_differences_are_those_of_compare(report: Report, learnt: Run, learnt_by_lora: Run) -> None:
    _, page = report(learnt_by_lora, learnt)
    assert "Difference to lora, paired by seed" in page.text
    ours, theirs = accuracies(learnt), accuracies(learnt_by_lora)
    bits = [sum(r["sent_bits"] for r in rows(run, "transfers")) for run in (learnt, learnt_by_lora)]
    for difference in (ours[3] - theirs[3], (bits[0] - bits[1]) / 1e6):
        assert any(difference == pytest.approx(shown, abs=1e-12) for shown in page.numbers)
    points = f"{100 * (ours[3] - theirs[3]):.1f}".replace("-", "−")
    assert f"proposed minus lora: {points} points, 95 % from" in page.text
    assert [course["label"] for course in facts(page)["courses"]] == [
        "lora, seed 1",
        "proposed, seed 1",
    ]
    hidden = [attributes for name, attributes in page.elements if name == "article"]
    assert ["hidden" in attributes for attributes in hidden] == [False, True]
