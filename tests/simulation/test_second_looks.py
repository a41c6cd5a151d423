"""Warnings before a run: what a network alone does without, and batteries that cannot last."""

from typing import Any

import pytest

from cosim.scenario.model import Scenario
from cosim.simulation.setup import build
from cosim.simulation.setup.network_alone import unasked
from cosim.simulation.setup.warnings import world_warnings
from tests.simulation.small_networks import PROFILE, scenario


def payload_bits(chosen: Scenario) -> int:
    assert chosen.learning.model == "none"
    return chosen.learning.payload_bits


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "event_gossip"}, "'on_drift' decides by: all speak in every turn"),
        ({"method": {"name": "lora", "codec": "top_k"}}, "whatever 'top_k' would make of it"),
        ({"method": {"name": "lora", "codec": "rounded"}}, "whatever 'rounded' would make"),
        ({"tasks": {"sums": {"dataset": "chain_sum"}}}, "nobody learns or answers them"),
        (
            {"learning": {"model": "none", "payload_bits": 5}},
            "take less than 0.001 bit/s/Hz",
        ),
    ],
)
def test_a_network_alone_says_what_nobody_asks(changes: dict[str, Any], words: str) -> None:
    chosen = scenario(**changes)
    bits = payload_bits(chosen)
    (sentence,) = unasked(chosen, bits)
    assert words in sentence
    assert sentence in world_warnings(chosen, build.build_devices(chosen), bits=bits)


@pytest.mark.parametrize("method", ["lora", "flexatc", "ring"])
def test_and_nothing_of_what_it_plays(method: str) -> None:
    parts = {"name": "lora", "topology": "ring"} if method == "ring" else method
    chosen = scenario(method=parts)
    assert list(unasked(chosen, payload_bits(chosen))) == []


@pytest.mark.parametrize(("battery_j", "short"), [(99.0, True), (101.0, False), (None, False)])
def test_a_battery_that_computing_empties(battery_j: float | None, short: bool) -> None:
    """Two seconds a round at 5 W, ten rounds: 100 J."""
    profile: dict[str, Any] = PROFILE | {"battery_j": battery_j}
    chosen: Scenario = scenario(rounds=10, devices=[{"count": 2, "profile": profile}])
    devices = build.build_devices(chosen)
    work = [build.given_work(chosen)] * 2
    sentence = (
        "batteries of 2 of 2 devices are empty before the last round ends, by computing alone: "
        "device 0 has 99 J, and 10 rounds take 100 J"
    )
    assert (sentence in world_warnings(chosen, devices, work)) == short
    assert short or not any("batteries" in line for line in world_warnings(chosen, devices, work))
