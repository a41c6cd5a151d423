"""D-FL over imperfect channels played whole: packets lost, devices that come and go, runs that were
cut off between two mixings, and all of it verified."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.lifecycle.play import play
from cosim.scenario.model import Scenario
from cosim.verification.verify import verify
from tests.lifecycle.runs_cut_off import everything, resumes_to

ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"
MEAN = {"policy": "lemma1", "channel_knowledge": "mean", "margin_db": 6.0}


def over(asked: Scenario, missing: str, **packets: Any) -> Scenario:
    """The scenario with packets that are sent once."""
    radio = asked.radio.model_dump() | {"power": MEAN}
    radio["packets"] = {"model": "one_shot", "packet_bits": 2000, **packets}
    method = asked.method.with_(aggregation={"name": "erased_mean", "missing": missing})
    data = asked.model_dump() | {"radio": radio, "method": method}
    return Scenario.model_validate(data)


def complaints(run: Path) -> list[str]:
    return [line for check in verify(run) if not check.ok for line in check.lines()]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["zero", "own", "renormalise", "inverse_probability"])
def test_it_is_verified_and_ends_as_if_it_had_not_been_cut_off(
    chosen: Any, snapshots: list[Path], tmp_path: Path, missing: str
) -> None:
    asked = chosen(
        "dfl_imperfect", "{name: synchronous, mixings: 3}", availability=ON_OFF, diagnostics="true"
    )
    run = play(over(asked, missing), out=tmp_path / "whole", spacing=0).directory
    assert complaints(run) == []
    transfers = pd.read_parquet(run / "transfers.parquet")
    lost = transfers["packets_lost"].dropna()
    assert (lost > 0).any()
    assert set(transfers["mixing"]) == {0, 1, 2}
    events = pd.read_parquet(run / "events.parquet")
    assert (events["kind"] == "cut_off").any()
    # A checkpoint is stored whenever a device has mixed: most of them lie between two mixings.
    mixed = (events["kind"] == "aggregate").sum()
    assert len(snapshots) >= mixed
    resumes_to(snapshots[1::9], everything(run))


@pytest.mark.slow
def test_without_losses_it_is_the_mean_to_the_bit(chosen: Any, tmp_path: Path) -> None:
    """The same run but for its aggregation, all of whose traces and adapters are the same."""
    found = []
    for number, aggregation in enumerate(("erased_mean", "mean")):
        asked = chosen("dfl_imperfect", "synchronous")
        asked = asked.model_copy(update={"method": asked.method.with_(aggregation=aggregation)})
        run = play(asked, out=tmp_path / str(number)).directory
        found.append(everything(run))
    assert found[0] == found[1]


@pytest.mark.slow
def test_packets_none_of_which_is_lost_leave_the_same_adapters(chosen: Any, tmp_path: Path) -> None:
    """ε = 0: what is learnt is what it is where nothing can be lost and everything arrives."""
    asked = chosen("dfl_imperfect", "synchronous")
    calm = asked.model_copy(
        update={"radio": asked.radio.model_copy(update={"deadline_s": 20.0, "p_max_dbm": 60.0})}
    )
    adapters = []
    for number, each in enumerate((calm, over(calm, "zero", erasure=0.0))):
        run = play(each, out=tmp_path / str(number)).directory
        outcomes = Counter(pd.read_parquet(run / "transfers.parquet")["outcome"])
        assert set(outcomes) == {"delivered"}
        adapters.append(everything(run)["adapters"])
    assert adapters[0] == adapters[1]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["own", "renormalise"])
def test_if_nothing_arrives_it_is_local(chosen: Any, tmp_path: Path, missing: str) -> None:
    asked = chosen("dfl_imperfect", "synchronous")
    alone = chosen("local", "synchronous")
    adapters = []
    for number, each in enumerate((over(asked, missing, erasure=1.0), alone)):
        run = play(each, out=tmp_path / str(number)).directory
        folder = run / "adapters"
        adapters.append(
            {
                path.name: path.read_bytes()
                for path in folder.iterdir()
                if path.suffix == ".safetensors"
            }
        )
    assert adapters[0]
    assert adapters[0] == adapters[1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["event_gossip", "ef_hc", "tad_lora, topology: ring"])
def test_other_methods_mix_several_times_too(
    chosen: Any, snapshots: list[Path], tmp_path: Path, method: str
) -> None:
    """Those whose devices keep silent, answer, alternate or send some blocks alone."""
    asked = chosen(method, "{name: synchronous, mixings: 2}", availability=ON_OFF)
    run = play(asked, out=tmp_path / "whole", spacing=0).directory
    assert complaints(run) == []
    assert set(pd.read_parquet(run / "transfers.parquet")["mixing"]) == {0, 1}
    resumes_to(snapshots[1::9], everything(run))
