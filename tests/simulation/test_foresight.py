"""What is solved ahead, with others, is what would be solved when it is sent, by itself: looking
ahead changes no row of a run, whatever comes otherwise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cosim.methods.message import Turn
from cosim.mobility.availability import Spell
from cosim.randomness import stream
from cosim.scenario.model import Scenario
from cosim.simulation import medium as medium_room
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.foresight import Foresight
from cosim.simulation.links.reception import forecast
from cosim.simulation.links.start import drafts, start
from cosim.simulation.links.transmission import Transmission
from cosim.simulation.medium import Medium
from cosim.simulation.message import AddressedMessage
from cosim.trace.schema import Cause, Row, TransferOutcome
from tests.simulation.random_scenarios import scenarios
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    RecordingLearner,
    play_to_the_end,
    scenario,
    world_at,
    world_of,
)

WALK = {"model": "random_waypoint", "speed_m_s": [1.5, 1.5]}
PACKETS: dict[str, Any] = {
    "fluid": {},
    "dynamic": {"share": "dynamic"},
    "late": {"share": "dynamic", "late": "stale", "deadline_s": 0.3},
    "blocks": {"packets": {"model": "blocks", "block_bits": 50_000}},
    "codeword": {"packets": "codeword"},
    "one_shot": {"packets": {"model": "one_shot", "packet_bits": 50_000}},
}


def unequal(radio: dict[str, Any], **sections: Any) -> Scenario:
    """Devices of many speeds, so that hardly any two send at the same moment."""
    data: dict[str, Any] = {
        "rounds": 4,
        "learning": NO_LEARNING,
        "devices": [
            {"count": 12, "profile": PROFILE, "speed_sigma": 0.3, "mobility": WALK},
        ],
        "area": {"radius_m": 60.0},
        "method": {
            "name": "proposed_single_cluster",
            "topology": {"graph": "random", "degree": 3, "range_m": None},
        },
        "radio": radio,
    }
    return scenario(**(data | sections))


class UnequalLearner(RecordingLearner):
    """No two messages are equally long, not even those of one device."""

    def payload_bits(self, said: tuple[int, int], receiver: int) -> int:
        """Some bits of each."""
        return self._bits + 1009 * said[0] + 7919 * said[1] + 31 * receiver


def rows(chosen: Scenario, *, ahead: bool, learner: Any = None, spells: Any = None) -> list[Row]:
    """All rows of a run; without `ahead`, of one that solves what is sent, when it is sent."""
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    if learner is not None or spells is not None:
        paths = [station.device.trajectory for station in world.stations]
        world = world_at(chosen, trace, paths, learner=learner, spells=spells)
    with pytest.MonkeyPatch.context() as patch:
        if not ahead:
            patch.setattr(Medium, "expect", lambda *_: None)
            patch.setattr(medium_room, "foresee", lambda *_: None)
        play_to_the_end(world)
    return trace.rows


@pytest.mark.slow
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios)
def test_a_random_scenario_has_the_same_rows(chosen: Scenario) -> None:
    event(chosen.radio.share)
    assert rows(chosen, ahead=True) == rows(chosen, ahead=False)


@pytest.mark.slow
@pytest.mark.parametrize("radio", PACKETS.values(), ids=PACKETS)
def test_almost_everything_is_sent_as_expected(
    monkeypatch: pytest.MonkeyPatch, radio: dict[str, Any]
) -> None:
    """Devices that stay and messages of one length are guessed, but for the first of all."""
    chosen, taken = unequal(radio), []
    really = Foresight.drafted

    def drafted(self: Foresight, *of: Any) -> list[Transmission]:
        burst = really(self, *of)
        taken.append(bool(burst))
        return burst

    monkeypatch.setattr(Foresight, "drafted", drafted)
    found = rows(chosen, ahead=True)
    assert len(taken) == 4 * 12
    assert sum(taken) == len(taken)
    assert found == rows(chosen, ahead=False)


@pytest.mark.slow
@pytest.mark.parametrize("radio", PACKETS.values(), ids=PACKETS)
def test_a_wrong_guess_changes_nothing(radio: dict[str, Any]) -> None:
    """Messages that are longer than the last ones, and devices that come, go, and miss others."""
    chosen = unequal(radio)
    spells: dict[int, list[Spell]] = {
        device: [(0.0, 2.0 + 0.4 * device), (5.0 + 0.1 * device, 1e3)] for device in range(0, 12, 2)
    }
    met = [
        rows(chosen, ahead=ahead, learner=UnequalLearner(chosen), spells=spells)
        for ahead in (True, False)
    ]
    assert met[0] == met[1]
    assert any(getattr(row, "outcome", None) is TransferOutcome.CANCELLED for row in met[0])


@pytest.mark.parametrize("share", ["fixed", "dynamic"])
def test_what_ends_before_it_begins_leaves_its_share(share: str) -> None:
    """A receiver that is gone in the very instant of sending: the others are solved without it."""

    def played(*, ahead: bool) -> list[Row]:
        trace = MemoryTrace()
        chosen = scenario(
            devices=[{"count": 4, "profile": PROFILE}],
            radio={"share": share, "fading": {"model": "clarke"}},
        )
        world = world_at(chosen, trace, [(0.0, 0.0), (50.0, 0.0), (0.0, 90.0), (40.0, 40.0)])
        sender = world.stations[0]
        messages = [AddressedMessage(to, 4_000_000, None) for to in (1, 2, 3)]
        for turn in (Turn(1), Turn(2)):  # of the second one it is known how long it is
            if ahead:
                world.medium.expect(sender, [1, 2, 3], turn, 1.0)
            world.env.run(until=world.env.now + 1.0)
            world.medium.send(sender, messages, turn)
            world.medium.cancel(world.stations[2], Cause.AVAILABILITY)
            world.env.run()
        return trace.rows

    assert played(ahead=True) == played(ahead=False)
    outcomes = [getattr(row, "outcome", None) for row in played(ahead=True)]
    assert outcomes.count(TransferOutcome.DELIVERED) == 4
    assert outcomes.count(TransferOutcome.CANCELLED) == 2


def bursts_of(channel: Channel, seed: int, many: int) -> list[list[Transmission]]:
    """Bursts that begin whenever."""
    random, devices = stream(seed, "bursts"), len(channel.trajectories)
    found = []
    for _ in range(many):
        sender, *receivers = random.permutation(devices)[: random.integers(2, 5)].tolist()
        messages = [
            AddressedMessage(to, int(random.integers(10**4, 10**7)), None) for to in receivers
        ]
        turn, start_s = Turn(int(random.integers(1, 4))), float(random.uniform(0.0, 200.0))
        found.append(drafts(channel.radio, sender, messages, turn, start_s))
    return found


def solved(channel: Channel, bursts: Sequence[Sequence[Transmission]]) -> list[tuple[object, ...]]:
    """What is found of transmissions that are started and forecast together."""
    everything = [transmission for burst in bursts for transmission in burst]
    start(channel, bursts)
    forecast(channel, everything)
    return [
        (each.power_w, each.distance_m, each.known_gain, each.cause, each.grid.slots, each.forecast)
        for each in everything
    ]


@pytest.mark.slow
@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["fluid", "blocks", "codeword"]),
    fading=st.sampled_from(["none", "block", "clarke"]),
    shadowing=st.sampled_from([{}, {"sigma_db": 7.0, "decorrelation_m": 10.0}]),
    path_loss=st.sampled_from(["d2d_outdoor", "log_distance"]),
)
def test_together_they_are_what_each_is_alone(
    seed: int, kind: str, fading: str, shadowing: Any, path_loss: str
) -> None:
    """Whenever each begins, also where its device turns, stops or passes by another: to the last
    bit."""
    walk = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0], "pause_s": [0.0, 2.0]}
    chosen = scenario(
        seed=seed,
        devices=[{"count": 9, "profile": PROFILE, "mobility": walk}],
        area={"radius_m": 40.0},
        radio={
            "fading": {"model": fading},
            "shadowing": shadowing,
            "path_loss": {"model": path_loss},
            **PACKETS[kind],
        },
    )
    channel, alone = (world_of(chosen, MemoryTrace()).medium.channel for _ in range(2))
    together = solved(channel, bursts_of(channel, seed, 12))
    singly = [solved(alone, [burst]) for burst in bursts_of(alone, seed, 12)[::-1]]
    assert together == [found for burst in singly[::-1] for found in burst]
    assert np.unique([found[0] for found in together]).size > 1
