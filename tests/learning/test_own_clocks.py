"""Devices on clocks of their own mix what they hold now, whoever mixed something alike before."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cosim.learning.adapters.adapter import Adapter
from cosim.learning.federation.aggregation import Update
from cosim.learning.federation.exchange import Exchange
from cosim.methods import METHODS


def exchange_of(values: Sequence[float]) -> Exchange:
    """An exchange over adapters of one number each, as `lora` mixes them."""
    fleet: Any = SimpleNamespace(
        recipe=METHODS["lora"].model_copy(update={"projection": "frozen_shared_seed"}),
        bits_per_value=32,
        layout=SimpleNamespace(expansion_size=1, expansion_sizes=[1], projection_size=1),
        adapters=[Adapter(torch.tensor([value]), None, torch.zeros(1)) for value in values],
        hold=lambda *_: None,
    )
    return Exchange(fleet, [1.0] * len(values))


def train(exchange: Exchange, device: int, round_: int, value: float) -> Update:
    """A device's training of a round ends with this value."""
    adapter = exchange.fleet.adapters[device]
    exchange.fleet.adapters[device] = Adapter(torch.tensor([value]), None, adapter.projection)
    return exchange.update(device, round_)


def held(exchange: Exchange, device: int) -> float:
    return float(exchange.fleet.adapters[device].values)


def test_a_later_round_of_ones_own_is_not_an_earlier_one() -> None:
    exchange = exchange_of([0.0, 0.0])
    mine = train(exchange, 0, 2, 2.0)
    theirs = train(exchange, 1, 2, 200.0)
    exchange.aggregate(1, {0: mine}, {0: 0})
    assert held(exchange, 1) == 101.0
    # Device 0 has trained once more before device 1's update of round 2 arrives.
    train(exchange, 0, 3, 52.0)
    exchange.aggregate(0, {1: theirs}, {1: 0})
    assert held(exchange, 0) == 126.0


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_stale_update_alone_is_mixed_with_what_is_held_now(exponent: float) -> None:
    exchange = exchange_of([0.0, 0.0])
    recipe = exchange.recipe.model_copy(update={"staleness_exponent": exponent})
    exchange.recipe = exchange.fleet.recipe = recipe
    train(exchange, 0, 1, 2.0)
    late = train(exchange, 1, 1, 200.0)
    exchange.aggregate(1, {0: exchange.update(0, 1)}, {0: 0})
    train(exchange, 0, 2, 10.0)
    exchange.aggregate(0, {1: late}, {1: 1})
    weight = 2.0**-exponent
    expected = (10.0 + weight * 200.0) / (1 + weight)
    assert held(exchange, 0) == pytest.approx(expected, rel=1e-6)


def test_a_second_mixing_in_one_round_is_of_what_the_first_left() -> None:
    """Gossip: (0 + 4)/2 = 2 and (2 + 4)/2 = 3; a device that mixes the same shares neither."""
    exchange = exchange_of([0.0, 4.0, 0.0])
    train(exchange, 0, 1, 0.0)
    theirs = train(exchange, 1, 1, 4.0)
    exchange.aggregate(0, {1: theirs}, {1: 0})
    assert held(exchange, 0) == 2.0
    exchange.aggregate(0, {1: theirs}, {1: 0})
    assert held(exchange, 0) == 3.0


def test_who_mixes_the_same_messages_shares_one_result() -> None:
    exchange = exchange_of([0.0, 0.0])
    updates = {device: train(exchange, device, 1, float(device)) for device in (0, 1)}
    for device in (0, 1):
        exchange.aggregate(device, {1 - device: updates[1 - device]}, {1 - device: 0})
    first, second = (exchange.fleet.adapters[device].values for device in (0, 1))
    assert first is second


def test_an_update_is_read_with_the_projection_that_it_was_made_with() -> None:
    """The sender's A has become another by the time at which its update is read."""
    exchange = exchange_of([0.0, 0.0])
    experts = {}
    fleet: Any = exchange.fleet
    fleet.hold = lambda device, owner, expert: experts.update({owner: expert})
    recipe = exchange.recipe.model_copy(update={"aggregation": "support_normalised"})
    exchange.recipe = exchange.fleet.recipe = recipe
    theirs = train(exchange, 1, 1, 4.0)
    made_with = exchange.fleet.adapters[1].projection
    exchange.fleet.adapters[1] = Adapter(torch.tensor([4.0]), None, torch.ones(1))
    exchange.aggregate(0, {1: theirs}, {1: 0})
    assert experts[1].projection is made_with
    assert experts[0].projection is exchange.fleet.adapters[0].projection


@pytest.fixture
def introducing() -> Exchange:
    """An exchange in which an introduction is h alone, of 100 bits; values are 32."""
    exchange = exchange_of([0.0] * 3)
    exchange.told_bits = 100
    return exchange


def test_what_has_arrived_need_not_be_sent_again_before_it_is_mixed(introducing: Exchange) -> None:
    update = train(introducing, 0, 1, 1.0)
    assert introducing.payload_bits(update, 1) == 132
    introducing.hear(1, update)
    later = train(introducing, 0, 2, 2.0)
    assert introducing.payload_bits(later, 1) == 32
    assert introducing.payload_bits(later, 2) == 132


def test_a_mask_that_was_not_mixed_is_lost_with_its_update(introducing: Exchange) -> None:
    first, second = train(introducing, 0, 1, 1.0), train(introducing, 2, 1, 1.0)
    introducing.hear(1, first)
    introducing.aggregate(1, {0: first}, {0: 0})
    later = train(introducing, 0, 2, 2.0)
    introducing.hear(1, later)
    introducing.hear(1, second)
    introducing.lose(1)
    # What was mixed stays known, whatever of the same sender is lost later.
    assert introducing.payload_bits(later, 1) == 32
    assert introducing.payload_bits(second, 1) == 132
    introducing.hear(1, second)
    introducing.aggregate(1, {0: later}, {0: 0})
    introducing.lose(1)
    # What was heard and is not among what was mixed is lost too.
    assert introducing.payload_bits(second, 1) == 132
    introducing.hear(1, second)
    introducing.aggregate(1, {2: second}, {2: 0})
    introducing.lose(1)
    assert introducing.payload_bits(second, 1) == 32


def test_bits_are_those_of_the_message_whatever_its_sender_holds_now(introducing: Exchange) -> None:
    update = train(introducing, 0, 1, 1.0)
    introducing.fleet.adapters[0] = Adapter(torch.zeros(7), None, torch.zeros(1))
    assert introducing.payload_bits(update, 1) == 132


def test_mixing_takes_two_operations_a_value(introducing: Exchange) -> None:
    updates = {device: train(introducing, device, 1, 1.0) for device in (0, 1)}
    assert introducing.mixing_work(2, {}) is None
    assert introducing.mixing_work(2, updates).flop == 2 * 3
