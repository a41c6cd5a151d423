"""Devices on clocks of their own mix what they hold now, whoever mixed something alike before."""

from types import SimpleNamespace

import pytest
import torch

from cosim.learning.adapter import Adapter
from cosim.learning.exchange import Exchange
from cosim.methods import METHODS


def exchange_of(values):
    """An exchange over adapters of one number each, as `lora` mixes them."""
    fleet = SimpleNamespace(
        recipe=METHODS["lora"].model_copy(update={"projection": "frozen_shared_seed"}),
        bits_per_value=32,
        layout=SimpleNamespace(expansion_size=1),
        adapters=[Adapter(torch.tensor([value]), None, torch.zeros(1)) for value in values],
        hold=lambda *_: None,
    )
    return Exchange(fleet, [1.0] * len(values))


def train(exchange, device, round_, value):
    """A device's training of a round ends with this value."""
    adapter = exchange.fleet.adapters[device]
    exchange.fleet.adapters[device] = Adapter(torch.tensor([value]), None, adapter.projection)
    return exchange.update(device, round_)


def held(exchange, device):
    return float(exchange.fleet.adapters[device].values)


def test_a_later_round_of_ones_own_is_not_an_earlier_one():
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
def test_a_stale_update_alone_is_mixed_with_what_is_held_now(exponent):
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
