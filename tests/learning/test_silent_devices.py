"""What devices hold that speak only when they have moved, against devices that always speak, and
against devices that never hear anybody."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import ModelLearner
from cosim.learning.learner_state import take
from cosim.learning.state_tree import bytes_of
from cosim.methods import METHODS
from cosim.methods.message import Message, Turn
from cosim.methods.method import Method
from cosim.methods.sending.on_drift import OnDrift
from tests.learning.small_learners import small_learner, small_pools, tuning

# A ring of four, in which nobody hears everybody, and weights are powers of two but for 1/3.
DEVICES = ["sums"] * 4
RING = {device: ((device - 1) % 4, (device + 1) % 4) for device in range(4)}
ALWAYS = METHODS["event_gossip"].with_(sending="every_turn", aggregation="mean")
CURRENT = {"name": "snapshots", "own": "current"}
NEVER = 1e30


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    return functools.partial(small_learner, tiny_llama, pools, devices=DEVICES)


def with_threshold(name: str, threshold: float, by: str = "same", **parts: Any) -> Method:
    sending = METHODS[name].sending
    assert isinstance(sending, OnDrift)
    changes = {"threshold": threshold, "decay": "constant", "by": by}
    return METHODS[name].with_(sending=sending.model_copy(update=changes), **parts)


def exchanged(
    learner: ModelLearner, round_: int, arrives: Callable[[int, int], bool] = lambda src, dst: True
) -> set[int]:
    """What the network does in a round, with everything that arrives in time; who spoke."""
    turn = Turn(round_)
    said = {device: learner.messages(device, turn, RING[device]) for device in RING}
    inboxes: dict[int, dict[int, Message]] = {device: {} for device in RING}
    for device, outgoing in said.items():
        if outgoing is None:
            continue
        for receiver in RING[device]:
            if arrives(device, receiver):
                inboxes[receiver][device] = outgoing.content
    if learner.method.sending.answers:
        answering = turn._replace(answer=True)
        for device in (device for device, outgoing in said.items() if outgoing is None):
            heard = [sender for sender in inboxes[device] if said[sender] is not None]
            if heard:
                answer = learner.messages(device, answering, heard)
                assert answer is not None
                for receiver in heard:
                    inboxes[receiver][device] = answer.content
    for device, inbox in inboxes.items():
        for message in inbox.values():
            learner.hear(device, message)
        learner.mix(device, inbox, dict.fromkeys(inbox, 0), turn, RING).result()
    return {device for device, outgoing in said.items() if outgoing is not None}


def played(learner: ModelLearner, rounds: int = 3, **network: Any) -> list[set[int]]:
    spoke = []
    for number in range(1, rounds + 1):
        for job in [tuning(learner, device, number) for device in RING]:
            job.result()
        spoke.append(exchanged(learner, number, **network))
    return spoke


def held(learner: ModelLearner) -> list[Tensor]:
    """[B; A] of every device."""
    return [torch.cat([a.values, a.projection]) for a in learner.fleet.adapters]


def same(first: ModelLearner, second: ModelLearner) -> bool:
    return all(map(torch.equal, held(first), held(second)))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize(
    "recipe",
    [with_threshold("event_gossip", 0, aggregation=CURRENT), with_threshold("ef_hc", 0)],
    ids=["event_gossip", "ef_hc"],
)
def test_without_a_threshold_it_is_gossip_in_every_round_to_the_bit(
    make: Callable[..., ModelLearner], recipe: Method, bits: int
) -> None:
    triggered, always = (make(one, bits_per_value=bits) for one in (recipe, ALWAYS))
    assert played(triggered) == played(always) == [set(RING)] * 3
    assert same(triggered, always)


def test_the_form_that_keeps_the_mean_is_the_same_to_rounding(
    make: Callable[..., ModelLearner],
) -> None:
    triggered = make(with_threshold("event_gossip", 0), bits_per_value=32)
    always = make(ALWAYS, bits_per_value=32)
    played(triggered)
    played(always)
    for one, other in zip(held(triggered), held(always), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["event_gossip", "ef_hc"])
def test_with_a_threshold_that_nobody_reaches_every_device_is_alone(
    make: Callable[..., ModelLearner], name: str
) -> None:
    silent, alone = make(with_threshold(name, NEVER)), make(METHODS["local"])
    assert played(silent) == [set()] * 3
    for number in (1, 2, 3):
        for job in [tuning(alone, device, number) for device in RING]:
            job.result()
    assert same(silent, alone)


def test_the_present_state_among_snapshots_is_pulled_to_the_start_for_ever(
    make: Callable[..., ModelLearner],
) -> None:
    """What `own: current` is warned of."""
    silent = make(with_threshold("event_gossip", NEVER, aggregation=CURRENT), bits_per_value=32)
    alone = make(METHODS["local"], bits_per_value=32)
    for learner in (silent, alone):
        for job in [tuning(learner, device, 1) for device in RING]:
            job.result()
    exchanged(silent, 1)
    # 1/3 of what it is and 2/3 of B = 0.
    for one, other in zip(silent.fleet.adapters, alone.fleet.adapters, strict=True):
        torch.testing.assert_close(one.values, other.values / 3)


@pytest.mark.parametrize("name", ["event_gossip", "ef_hc"])
def test_what_is_said_to_nobody_has_not_been_said(
    make: Callable[..., ModelLearner], name: str
) -> None:
    """A device that moves out of range drifts on, and speaks when it has neighbours again."""
    learner = make(with_threshold(name, 1e-6))
    tuning(learner, 0, 1).result()
    remembered = learner.fleet.states[0].memory
    learner.messages(0, Turn(1), ())
    assert learner.fleet.states[0].memory == remembered
    outgoing = learner.messages(0, Turn(2), RING[0])
    assert outgoing is not None
    assert set(outgoing.bits) == set(RING[0])


@pytest.mark.parametrize("name", ["event_gossip", "ef_hc"])
def test_mixing_keeps_the_mean_whoever_is_silent(
    make: Callable[..., ModelLearner], name: str
) -> None:
    learner = make(with_threshold(name, 0.02, by="rate"), bits_per_value=32)
    for device, rate in enumerate((4.0, 0.4, 1.0, 0.4)):
        learner.inform(device, float("inf"), rate)
    spoke = []
    for number in range(1, 5):
        for job in [tuning(learner, device, number) for device in RING]:
            job.result()
        before = torch.stack(held(learner)).double().mean(0)
        spoke.append(exchanged(learner, number))
        after = torch.stack(held(learner)).double().mean(0)
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-7)
    assert spoke[0] == {0}, "the device of the fastest links is the first to speak"
    assert {0, 2} <= set.union(*spoke)


def test_a_lost_message_moves_the_mean_of_snapshots(make: Callable[..., ModelLearner]) -> None:
    """The sender takes it for heard; the receiver has the one before."""
    learner = make(with_threshold("event_gossip", 0), bits_per_value=32)
    for job in [tuning(learner, device, 1) for device in RING]:
        job.result()
    before = torch.stack(held(learner)).double().mean(0)
    exchanged(learner, 1, arrives=lambda src, dst: (src, dst) != (0, 1))
    after = torch.stack(held(learner)).double().mean(0)
    # Device 1 took B = 0 and the common A for what device 0 has become: a third of the difference.
    lost = held(make(METHODS["local"]))[0].double()
    told = learner.fleet.states[0].memory["aggregation"]["own"]
    x0 = torch.cat([told.values, told.projection]).double()
    torch.testing.assert_close(after - before, (lost - x0) / 3 / 4, rtol=1e-3, atol=1e-7)


def test_a_receiver_remembers_the_newest_of_each_and_mixes_it_again(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(with_threshold("event_gossip", 0))
    played(learner, 1)
    first = learner.fleet.states[1].memory["aggregation"]["heard"]
    assert sorted(first) == [0, 2]
    # All who heard a message hold the one object, and so its tensors once.
    assert first[0] is learner.fleet.states[3].memory["aggregation"]["heard"][0]
    for job in [tuning(learner, device, 2) for device in RING]:
        job.result()
    exchanged(learner, 2, arrives=lambda src, dst: src != 0)
    second = learner.fleet.states[1].memory["aggregation"]["heard"]
    assert second[0] is first[0]
    assert second[2].round == 2
    # One that comes late and is older than what it has changes nothing.
    late = {2: first[2]}
    learner.mix(1, late, {2: 1}, Turn(3), RING).result()
    assert learner.fleet.states[1].memory["aggregation"]["heard"][2] is second[2]


def test_what_is_remembered_is_mixed_at_its_price(make: Callable[..., ModelLearner]) -> None:
    learner = make(with_threshold("event_gossip", NEVER))
    played(learner, 1)
    values = learner.layout.expansion_size + learner.layout.projection_size
    assert learner.mix(0, {}, {}, Turn(2), RING).work.flop == 2 * 3 * values
    assert learner.mix(0, {}, {}, Turn(2), {0: ()}).work.idle


def test_an_answer_is_what_a_device_holds_and_no_snapshot(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(with_threshold("ef_hc", NEVER))
    tuning(learner, 0, 1).result()
    state = learner.fleet.states[0]
    assert learner.messages(0, Turn(1), [1]) is None
    answer = learner.messages(0, Turn(1, 0, answer=True), [1])
    assert answer is not None
    assert torch.equal(answer.content.values, state.adapter.values.half().float())
    assert answer.bits[1] == 16 * (learner.layout.expansion_size + learner.layout.projection_size)
    last = learner.fleet.states[0].memory["sending"]["last"]
    assert not last["B"].any(), "it has moved from the start as before"


def test_what_is_remembered_takes_the_memory_that_is_foreseen(
    make: Callable[..., ModelLearner],
) -> None:
    """Two copies a device of what it trains, and one of what all begin with."""
    recipe = with_threshold("event_gossip", 0)
    assert sum(part.copies for part in recipe.parts()) == 2
    learner = make(recipe)
    played(learner, 2)
    states = learner.fleet.states
    bare = [replace(state, memory={}) for state in states]
    values = learner.layout.expansion_size + learner.layout.projection_size
    assert bytes_of(states) - bytes_of(bare) == 4 * values * (2 * len(states) + 1)
    _, tensors = take(learner, {}, {})
    stored = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    assert stored == bytes_of(states), "a checkpoint has every tensor once"
