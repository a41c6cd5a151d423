"""Methods whose devices may keep silent, played whole: with devices that come and go and messages
that are late, cut off and resumed, and verified."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.lifecycle.play import play
from cosim.verification.bits import check_bits
from cosim.verification.subject import open_run
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to

ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"
METHODS = [
    "event_gossip, sending: {name: on_drift, threshold: 0.06}",
    "ef_hc, sending: {name: on_drift, threshold: 0.06, by: rate, edge: either}",
]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["synchronous", "cluster"])
@pytest.mark.parametrize("method", METHODS)
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    chosen: Any, snapshots: list[Path], tmp_path: Path, method: str, schedule: str
) -> None:
    asked = chosen(
        method, schedule, rounds=4, availability=ON_OFF, late="stale", diagnostics="true"
    )
    run = play(asked, out=tmp_path / "whole", spacing=0).directory
    assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
    transfers = pd.read_parquet(run / "transfers.parquet")
    assert {"update", "beacon"} <= set(transfers["kind"])
    assert {"cut_off", "leave"} & set(pd.read_parquet(run / "events.parquet")["kind"])
    resumes_to([snapshots[len(snapshots) // 2], snapshots[-2]], everything(run))


@pytest.mark.slow
def test_without_a_threshold_a_run_is_one_in_which_all_speak_to_the_bit(
    chosen: Any, tmp_path: Path
) -> None:
    """An edge that is used both ways is used in every round; late messages are late in both."""
    runs = {}
    for name, sending in {
        "never silent": "{name: on_drift, threshold: 0, by: rate, edge: either}",
        "every turn": "every_turn",
    }.items():
        asked = chosen(f"ef_hc, sending: {sending}", rounds=2, late="stale")
        runs[name] = everything(play(asked, out=tmp_path / name).directory)
    assert runs["never silent"] == runs["every turn"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["event_gossip", "ef_hc"])
def test_whoever_never_speaks_is_alone_and_its_radio_draws_nothing(
    chosen: Any, tmp_path: Path, method: str
) -> None:
    edge = ", by: rate, edge: either" if method == "ef_hc" else ""
    sending = f"{{name: on_drift, threshold: 1.0e+30, beacon_bits: 0{edge}}}"
    silent, alone = (
        play(chosen(asked, rounds=2), out=tmp_path / asked[:5]).directory
        for asked in (f"{method}, sending: {sending}", "local")
    )
    rounds = pd.read_parquet(silent / "rounds.parquet")
    assert (rounds[["energy_tx_j", "energy_rx_j", "bits_sent"]] == 0).all(axis=None)
    assert (rounds["silent"] > 0).all()
    ours, theirs = everything(silent)["adapters"], everything(alone)["adapters"]
    weights = {name for name in ours if name.endswith(".safetensors")}
    assert weights
    assert {name: ours[name] for name in weights} == {name: theirs[name] for name in weights}


@pytest.mark.slow
def test_silence_that_no_beacon_told_is_found(chosen: Any, tmp_path: Path) -> None:
    run = play(chosen(METHODS[0], rounds=1), out=tmp_path / "run").directory
    subject = open_run(run)
    assert check_bits(subject).ok
    rounds = subject.tables["rounds"]
    more = rounds.assign(silent=rounds["silent"] + 1)
    told = replace(subject, tables={**subject.tables, "rounds": more})
    found = [str(finding) for finding in check_bits(told).findings]
    assert any("sum of silent" in line and "the beacons to it" in line for line in found)
