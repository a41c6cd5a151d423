"""The network alone has the masks that its method would have, and no others."""

from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.methods import METHODS
from cosim.simulation.setup.build import build_learner
from cosim.simulation.setup.warnings import closing_warnings
from cosim.trace.schema import RoundRow, TopologyRow, TransferRow
from tests.simulation.small_networks import (
    MemoryTrace,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)


@pytest.mark.parametrize("name", METHODS)
def test_only_a_method_with_masks_predicts_collisions(name: str) -> None:
    chosen = scenario(method=name, devices=[{"count": 3}])
    described = build_learner(chosen).describe([0, 1])
    densities, sizes = described.densities, described.sizes
    assert densities.shape == ((2, 1) if METHODS[name].expansion.masked else (2, 0))
    assert sizes.size == densities.shape[1]
    rows = [row for row in simulate(chosen).rows if isinstance(row, TopologyRow)]
    assert rows
    for row in rows:
        assert (row.collision_predicted is None) != METHODS[name].expansion.masked


@pytest.mark.parametrize("name", ["lora", "salf"])
def test_whoever_is_stopped_has_no_blocks_to_send(name: str) -> None:
    """It has done, and drawn power for, the FLOP of the time until the deadline."""
    profile = {"peak_flop_s": 1e12, "utilisation": 0.5, "compute_w": 3.0, "idle_w": 0.0}
    radio = {"pa_efficiency": 0.35, "transmit_circuit_w": 0.5, "receive_w": 0.6}
    chosen = scenario(
        method={"name": name, "topology": "complete"},
        learning={"model": "none", "flop": 1.0e12, "payload_bits": 1000},
        training={"compute_deadline_s": 1.5},
        devices=[
            {"count": 2, "profile": profile | radio | {"peak_flop_s": 4e12}},
            {"count": 1, "profile": profile | radio},
        ],
    )
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    play_to_the_end(world)
    slow = [row for row in trace.rows if isinstance(row, RoundRow) and row.device == 2]
    assert slow
    for row in slow:
        assert (row.flop, row.compute_s) == (0.75e12, 1.5)
        assert row.energy_compute_j == pytest.approx(4.5)
        assert row.bits_sent == row.missed == 0
        assert row.received == 2
    sent = [row for row in trace.rows if isinstance(row, TransferRow)]
    assert {row.src for row in sent} == {0, 1}
    told = [sentence for sentence in world.warnings if "compute_deadline_s" in sentence]
    assert len(told) == 1
    assert told[0].startswith("training.compute_deadline_s stops 1 of 3 devices")
    assert told[0].endswith("device 2")
    assert closing_warnings(world) == [
        "training.compute_deadline_s stopped every round of device 2: nothing that they computed "
        "was kept"
    ]


def test_clusters_of_the_network_alone_know_no_codec(tmp_path: Path) -> None:
    """All updates have the payload's bits, and clusters form by these."""
    tables: list[Any] = []
    for codec in ("floating", {"name": "rounded", "bits": 4}):
        scenario = {
            "rounds": 1,
            "learning": {"model": "none", "payload_bits": 80_000_000},
            "method": {"name": "proposed", "codec": codec},
            "devices": [{"count": 10, "mobility": "static"}],
            "radio": {"fading": "none"},
        }
        run = cosim.run(scenario, out=tmp_path / f"run-{len(tables)}")
        tables.append(run.topology)
    assert tables[0]["cluster"].nunique() > 1
    assert tables[0].equals(tables[1])
