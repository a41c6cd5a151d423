"""Methods whose mixtures are in another basis, played whole on one schedule or two, with devices
that come and go and messages that are late, cut off and resumed, and verified."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.lifecycle.play import play
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to

ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"
BY_SENDER = "{name: rotated_mean, reference: own_previous, strength: 1}"
METHODS = ["decaf", "fedrot_lora", f"fedrot_lora, aggregation: {BY_SENDER}", "sum_product"]
PLAYED = [
    *((method, "synchronous") for method in METHODS),
    ("decaf", "cluster"),
    ("fedrot_lora", "asynchronous"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "schedule"), PLAYED)
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    chosen: Any, snapshots: list[Path], tmp_path: Path, method: str, schedule: str
) -> None:
    asked = chosen(
        method, schedule, rounds=3, availability=ON_OFF, late="stale", diagnostics="true"
    )
    run = play(asked, out=tmp_path / "whole", spacing=0).directory
    assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
    transfers = pd.read_parquet(run / "transfers.parquet")
    assert (transfers["outcome"] == "delivered").any()
    found = pd.read_parquet(run / "diagnostics.parquet")
    agreement = {"cross_term", "aggregation_error", "broadcast_error"}
    assert agreement <= set(found["quantity"])
    assert found[found["quantity"] == "broadcast_error"]["value"].between(0, 1).all()
    resumes_to([snapshots[len(snapshots) // 2], snapshots[-2]], everything(run))
