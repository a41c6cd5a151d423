"""Devices on clocks of their own mix what they hold now, whoever mixed something alike before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.hearing import Hearing
from cosim.learning.federation.messages import Messages
from cosim.methods import METHODS
from cosim.methods.calibration import Calibration
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.message import Message, Turn
from cosim.methods.projection.frozen import Frozen
from cosim.methods.projection.trained import Trained

ONE = Layout((AdaptedModule("only", 0, 1, 1),), 1)
SHARED = Frozen(seed="shared")


def messages_of(values: Sequence[float], method: str = "lora", **parts: Any) -> Messages:
    """The messages of a fleet of adapters of one number each, as `lora` mixes them."""
    chosen = METHODS[method].with_(**{"projection": SHARED, **parts})
    count = len(values)
    fleet = Fleet(ONE, chosen, ["sums"] * count, 1, [1.0] * count, bits_per_value=32)
    for device, value in enumerate(values):
        change(fleet, device, values=torch.tensor([value]))
    return Messages(fleet, [1.0] * count, (1, 3))


def change(fleet: Fleet, device: int, **parts: Any) -> None:
    fleet.states[device] = fleet.states[device].with_adapter(**parts)


def train(messages: Messages, device: int, round_: int, value: float) -> Message:
    """A device's training of a round ends with this value."""
    change(messages.fleet, device, values=torch.tensor([value]), round=round_)
    return messages.message(device, round_)


def mix(
    messages: Messages, device: int, inbox: Mapping[int, Message], ages: Mapping[int, int]
) -> None:
    messages.mix(device, Hearing(inbox, ages, Turn(1), {}))


def held(messages: Messages, device: int) -> float:
    return float(messages.fleet.adapters[device].values)


def test_a_later_round_of_ones_own_is_not_an_earlier_one() -> None:
    messages = messages_of([0.0, 0.0])
    mine = train(messages, 0, 2, 2.0)
    theirs = train(messages, 1, 2, 200.0)
    mix(messages, 1, {0: mine}, {0: 0})
    assert held(messages, 1) == 101.0
    # Device 0 has trained once more before device 1's update of round 2 arrives.
    train(messages, 0, 3, 52.0)
    mix(messages, 0, {1: theirs}, {1: 0})
    assert held(messages, 0) == 126.0


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_stale_update_alone_is_mixed_with_what_is_held_now(exponent: float) -> None:
    messages = messages_of([0.0, 0.0], staleness_exponent=exponent)
    train(messages, 0, 1, 2.0)
    late = train(messages, 1, 1, 200.0)
    mix(messages, 1, {0: messages.message(0, 1)}, {0: 0})
    train(messages, 0, 2, 10.0)
    mix(messages, 0, {1: late}, {1: 1})
    weight = 2.0**-exponent
    expected = (10.0 + weight * 200.0) / (1 + weight)
    assert held(messages, 0) == pytest.approx(expected, rel=1e-6)


def test_a_second_mixing_in_one_round_is_of_what_the_first_left() -> None:
    """Gossip: (0 + 4)/2 = 2 and (2 + 4)/2 = 3; a device that mixes the same shares neither."""
    messages = messages_of([0.0, 4.0, 0.0])
    train(messages, 0, 1, 0.0)
    theirs = train(messages, 1, 1, 4.0)
    mix(messages, 0, {1: theirs}, {1: 0})
    assert held(messages, 0) == 2.0
    mix(messages, 0, {1: theirs}, {1: 0})
    assert held(messages, 0) == 3.0


def test_who_mixes_the_same_messages_shares_one_result() -> None:
    messages = messages_of([0.0, 0.0])
    updates = {device: train(messages, device, 1, float(device)) for device in (0, 1)}
    for device in (0, 1):
        mix(messages, device, {1 - device: updates[1 - device]}, {1 - device: 0})
    first, second = (messages.fleet.adapters[device].values for device in (0, 1))
    assert first is second


def test_an_update_is_read_with_the_projection_that_it_was_made_with() -> None:
    """The sender's A has become another by the time at which its update is read."""
    messages = messages_of([0.0, 0.0], aggregation="support_normalised")
    theirs = train(messages, 1, 1, 4.0)
    made_with = messages.fleet.adapters[1].projection
    change(messages.fleet, 1, projection=torch.ones(1))
    mix(messages, 0, {1: theirs}, {1: 0})
    experts = messages.fleet.banks[0]
    assert experts[1].projection is made_with
    assert experts[0].projection is messages.fleet.adapters[0].projection


@pytest.fixture
def introducing() -> Messages:
    """What is told once is h alone, three numbers of 32 bits; B is one."""
    messages = messages_of([0.0] * 3, "proposed_single_cluster", expansion="dense")
    for device, state in enumerate(messages.fleet.states):
        known = Calibration(features=torch.ones(1, 3))
        messages.fleet.states[device] = replace(state, calibration=known)
    return messages


def test_what_has_arrived_need_not_be_sent_again_before_it_is_mixed(introducing: Messages) -> None:
    update = train(introducing, 0, 1, 1.0)
    assert introducing.payload_bits(update, 1) == 128
    introducing.hear(1, update)
    later = train(introducing, 0, 2, 2.0)
    assert introducing.payload_bits(later, 1) == 32
    assert introducing.payload_bits(later, 2) == 128


def test_a_mask_that_was_not_mixed_is_lost_with_its_update(introducing: Messages) -> None:
    first, second = train(introducing, 0, 1, 1.0), train(introducing, 2, 1, 1.0)
    introducing.hear(1, first)
    mix(introducing, 1, {0: first}, {0: 0})
    later = train(introducing, 0, 2, 2.0)
    introducing.hear(1, later)
    introducing.hear(1, second)
    introducing.lose(1)
    # What was mixed stays known, whatever of the same sender is lost later.
    assert introducing.payload_bits(later, 1) == 32
    assert introducing.payload_bits(second, 1) == 128
    introducing.hear(1, second)
    mix(introducing, 1, {0: later}, {0: 0})
    introducing.lose(1)
    # What was heard and is not among what was mixed is lost too.
    assert introducing.payload_bits(second, 1) == 128
    introducing.hear(1, second)
    mix(introducing, 1, {2: second}, {2: 0})
    introducing.lose(1)
    assert introducing.payload_bits(second, 1) == 32


def test_bits_are_those_of_the_message_whatever_its_sender_holds_now(introducing: Messages) -> None:
    update = train(introducing, 0, 1, 1.0)
    change(introducing.fleet, 0, values=torch.zeros(7))
    assert introducing.payload_bits(update, 1) == 128


def test_mixing_takes_two_operations_a_value(introducing: Messages) -> None:
    updates = {device: train(introducing, device, 1, 1.0) for device in (0, 1)}
    assert introducing.mixing_work(2, {}, {}).idle
    assert introducing.mixing_work(2, updates, {}).flop == 2 * 3
    trained = messages_of([0.0] * 3, projection=Trained())
    updates = {device: train(trained, device, 1, 1.0) for device in (0, 1)}
    assert trained.mixing_work(2, updates, {}).flop == 2 * 6, "of A as well"
    stacked = messages_of([0.0] * 3, aggregation="stacked", composition="uniform")
    updates = {device: train(stacked, device, 1, 1.0) for device in (0, 1)}
    assert stacked.mixing_work(2, updates, {}).idle


def test_a_device_without_a_calibration_has_nothing_of_its_own_to_mix(
    introducing: Messages,
) -> None:
    update = train(introducing, 0, 1, 1.0)
    state = introducing.fleet.states[1]
    introducing.fleet.states[1] = replace(state, calibration=None)
    assert introducing.mixing_work(1, {0: update}, {}).flop == 2
    mix(introducing, 1, {0: update}, {0: 0})
    assert held(introducing, 1) == 1.0
    assert sorted(introducing.fleet.banks[1]) == [0]
