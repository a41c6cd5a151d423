"""Devices of unequal ranks, played whole: verified, resumed, foreseen, exported; and the contract
of methods holds for them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.contract.contract import CHECKS
from cosim.contract.subject import on_trial
from cosim.export.device_adapters import export_device
from cosim.learning.forecast import forecast
from cosim.learning.prepare import prepare
from cosim.lifecycle.play import play
from cosim.preflight.explain import explain
from cosim.scenario.model import Scenario
from cosim.trace.manifest import read_manifest
from cosim.trace.reader import read_run
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to

ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"
CODED = "lora, codec: {name: top_k, share: 0.2}"
PLAYED = [
    *((method, "synchronous") for method in ("lora", "decaf", "rolora", "ffa_lora", CODED)),
    ("lori_dense", "synchronous"),
    *((method, "asynchronous") for method in ("decaf", CODED)),
]
CONTRACTS = ["decaf", "rolora", "lori_dense"]


def of_ranks(chosen: Scenario, *ranks: int | None, **adapter: Any) -> Scenario:
    """The scenario with these ranks by group."""
    parts = chosen.model_dump(mode="json")
    for group, rank in zip(parts["devices"], ranks, strict=True):
        group["rank"] = rank
    parts["adapter"] |= adapter
    return Scenario.model_validate(parts)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "schedule"), PLAYED)
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    chosen: Any, snapshots: list[Path], tmp_path: Path, method: str, schedule: str
) -> None:
    with_faults = chosen(
        method, schedule, rounds=3, availability=ON_OFF, late="stale", diagnostics="true"
    )
    asked = of_ranks(with_faults, 1, None, rank=3)
    run = play(asked, out=tmp_path / "whole", spacing=0).directory
    assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
    transfers = pd.read_parquet(run / "transfers.parquet")
    assert (transfers["outcome"] == "delivered").any()
    resumes_to([snapshots[len(snapshots) // 2], snapshots[-2]], everything(run))


def test_equal_ranks_declared_by_group_are_the_same_run(chosen: Any, tmp_path: Path) -> None:
    plain = chosen("lora")
    runs = {
        name: play(asked, out=tmp_path / name).directory
        for name, asked in (("plain", plain), ("declared", of_ranks(plain, 2, 2)))
    }
    hashes = {name: read_manifest(run)["results_sha256"] for name, run in runs.items()}
    assert hashes["plain"] == hashes["declared"]
    assert everything(runs["plain"])["adapters"] == everything(runs["declared"])["adapters"]


def test_traces_tell_each_devices_rank_and_bits(chosen: Any, tmp_path: Path) -> None:
    asked = of_ranks(chosen("lora"), 1, None, rank=3)
    run = play(asked, out=tmp_path / "run").directory
    read = read_run(run)
    assert read.devices["rank"].tolist() == [1, 1, 3, 3]
    expected = forecast(asked)
    by_rank = {own.rank: own for own in expected.ranks}
    assert [(own.rank, own.devices) for own in expected.ranks] == [(3, 2), (1, 2)]
    assert by_rank[3].first_bits == 3 * by_rank[1].first_bits == expected.first_bits
    assert by_rank[3].trained == 3 * by_rank[1].trained == expected.trained
    updates = read.transfers[read.transfers["kind"] == "update"]
    sizes = updates.groupby("src")["bits"].unique()
    assert {src: of.tolist() for src, of in sizes.items()} == {
        device: [by_rank[rank].first_bits] for device, rank in enumerate((1, 1, 3, 3))
    }
    learner = prepare(asked)
    for device, work in enumerate(expected.work):
        job = learner.submit(device, 1)
        assert job is not None
        assert work.trained == job.work.trained
        assert work.flop == pytest.approx(job.work.flop, rel=0.2)
    words = {fact.name: fact.value for fact in explain(asked).facts}
    assert words["trained"] == f"{expected.trained:,} values a device at most"
    assert f"2 devices train {by_rank[1].trained:,} values" in words["rank 1"]


def test_a_device_exports_its_own_rank(chosen: Any, tmp_path: Path) -> None:
    import json

    asked = of_ranks(chosen("lora", rounds=1), 1, None, rank=3)
    run = read_run(play(asked, out=tmp_path / "run").directory)
    for device, rank in ((0, 1), (3, 3)):
        (folder,) = export_device(run, device, tmp_path / f"peft-{device}").folders
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        assert (config["r"], config["lora_alpha"]) == (rank, 2 * rank), "the scale is 6/3"


def test_experts_are_exported_each_at_its_owners_rank(chosen: Any, tmp_path: Path) -> None:
    import json

    asked = of_ranks(chosen("lori_dense", rounds=2), 1, None, rank=3)
    run = read_run(play(asked, out=tmp_path / "run").directory)
    assert [line for check in verify(run.directory) if not check.ok for line in check.lines()] == []
    folders = export_device(run, 0, tmp_path / "peft").folders
    ranks = {
        int(folder.name.split("-")[1]): json.loads(
            (folder / "adapter_config.json").read_text(encoding="utf-8")
        )["r"]
        for folder in folders
    }
    assert len(ranks) > 1
    assert ranks == {owner: asked.ranks[owner] for owner in ranks}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_holds_for_unequal_ranks(name: str) -> None:
    with on_trial(name) as subject:
        for word, check in CHECKS.items():
            # One that fails raises, with the sentence.
            assert check(replace(subject, ranks=(1, 2, 2))), word
