"""`layerwise_mean`: three weightings, block by block, and what a message says of its blocks."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from cosim.methods import LORA, METHODS
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.layerwise_mean import LayerwiseMean, Weighting, layerwise_mean
from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.slot import Mixing, Speaking
from cosim.methods.composition.single import Single
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.message import Heard, Message, Turn, payload_bits
from cosim.methods.projection.trained import Trained
from cosim.methods.state import DeviceState

WEIGHTINGS: list[Weighting] = ["paper", "released", "inverse_probability"]
LAYOUT = Layout(tuple(AdaptedModule(f"{n}", n // 2, 5, 7) for n in range(6)), 2)
BLOCKS = 3
AT = Speaking(LAYOUT, LAYOUT.expansion_sizes, Trained(), Single())


def adapter(seed: int, round_: int = 1) -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    B = torch.randn(LAYOUT.expansion_size, generator=generator)
    return Adapter(B, None, torch.randn(LAYOUT.projection_size, generator=generator), {}, round_)


def trained(part: LayerwiseMean, seed: int, *depths: int | None) -> DeviceState:
    """A device after fine-tunings that came so deep, each but the last from the state before."""
    state = DeviceState(adapter(1000, 0), 1.0)
    for number, depth in enumerate(depths):
        after = DeviceState(adapter(seed + number, number + 1), 1.0, memory=state.memory)
        state = part.learnt(state, after, depth, LAYOUT)
    return state


def mixture(part: Mean, states: list[DeviceState], device: int = 0) -> DeviceState:
    """What a device makes of what all of them say."""
    heard = [
        Heard(Message(number, 1, part.says(state, AT), 1.0)) for number, state in enumerate(states)
    ]
    weights = [1.0, 2.0, 0.5, 0.5][: len(states)]
    at = Mixing(LAYOUT, device, Turn(1), weights, sum(weights), 32)
    return part.mix(states[device], heard, at)


def blocks(flat: Tensor, sizes: list[int]) -> list[Tensor]:
    """A flat factor by block."""
    parts = flat.split(sizes)
    return [torch.cat(parts[2 * block : 2 * block + 2]) for block in range(BLOCKS)]


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_where_nobody_was_stopped_it_is_the_mean_to_the_bit(weighting: Weighting) -> None:
    part = LayerwiseMean(weighting=weighting)
    states = [trained(part, 10 * n, None, None) for n in range(3)]
    content = part.says(states[0], AT)
    assert [said.name for said in content] == ["B", "A"]
    assert payload_bits(content, (), 16) == 16 * (LAYOUT.expansion_size + LAYOUT.projection_size)
    found, mean = mixture(part, states).adapter, mixture(Mean(), states).adapter
    assert torch.equal(found.values, mean.values)
    assert torch.equal(found.projection, mean.projection)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("depth", range(BLOCKS + 1))
def test_bits_are_those_of_the_blocks_and_what_names_them(weighting: Weighting, depth: int) -> None:
    part = LayerwiseMean(weighting=weighting)
    content = part.says(trained(part, 1, None, depth), AT)
    values = depth * 2 * (5 * 2 + 2 * 7)
    names = 0 if depth == BLOCKS else 2 + (0 if weighting == "released" else 16 * BLOCKS)
    assert payload_bits(content, (), 16) == 16 * values + names
    sent: Any = {said.name: said for said in content}["B"]
    assert torch.equal(sent.values, adapter(2).values[LAYOUT.expansion_size - depth * 20 :])


def test_how_often_a_block_was_reached_is_told_of_the_rounds_with_something_to_say() -> None:
    part = LayerwiseMean()
    state = trained(part, 1, 3, 1, 0, 2, None)
    reach: Any = {said.name: said for said in part.says(state, AT)}["q"]
    torch.testing.assert_close(reach.values, torch.tensor([2 / 4, 3 / 4, 4 / 4]))


def test_a_block_that_nobody_reached_stays_and_of_the_others_there_is_a_mean() -> None:
    part = LayerwiseMean()
    states = [trained(part, 1, 1), trained(part, 20, 2), trained(part, 30, 1)]
    mixed = mixture(part, states, device=2).adapter
    for flat, old, of_device, sizes in (
        (mixed.values, adapter(1000).values, [s.adapter.values for s in states], [10] * 6),
        (
            mixed.projection,
            adapter(1000).projection,
            [s.adapter.projection for s in states],
            [14] * 6,
        ),
    ):
        found, before = blocks(flat, sizes), blocks(old, sizes)
        after = [blocks(vector, sizes) for vector in of_device]
        assert torch.equal(found[0], before[0])
        assert torch.equal(found[1], after[1][1])
        expected = (after[0][2] * 1.0 + after[1][2] * 2.0 + after[2][2] * 0.5) / 3.5
        torch.testing.assert_close(found[2], expected)


def test_a_device_that_reached_nothing_takes_what_others_reached() -> None:
    part = LayerwiseMean()
    states = [trained(part, 1, 0), trained(part, 20, BLOCKS)]
    mixed = mixture(part, states).adapter
    assert torch.equal(mixed.values, states[1].adapter.values)
    assert torch.equal(mixed.projection, states[1].adapter.projection)


@pytest.mark.parametrize("weighting", ["paper", "inverse_probability"])
def test_who_was_dropped_takes_the_mean_of_the_others_and_is_not_in_it(
    weighting: Weighting,
) -> None:
    part = LayerwiseMean(weighting=weighting, cut="drop")
    assert not part.by_block
    states = [trained(part, 1, 0), trained(part, 20, None), trained(part, 40, None)]
    expected = (2.0 * states[1].adapter.values + 0.5 * states[2].adapter.values) / 2.5
    for device in range(3):
        mixed = mixture(part, states, device).adapter
        torch.testing.assert_close(mixed.values, expected)
    counted = mixture(Mean(), states).adapter.values
    torch.testing.assert_close(counted, (1.0 * states[0].adapter.values + 2.5 * expected) / 3.5)


def test_what_was_mixed_is_the_old_of_the_next_round() -> None:
    part = LayerwiseMean()
    states = [trained(part, 1, 1), trained(part, 20, 2)]
    mixed = mixture(part, states)
    again = part.learnt(mixed, DeviceState(adapter(50, 2), 1.0, memory=mixed.memory), 1, LAYOUT)
    last = mixture(part, [again, trained(part, 60, 1)])
    assert torch.equal(
        blocks(last.adapter.values, [10] * 6)[0], blocks(mixed.adapter.values, [10] * 6)[0]
    )


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_nobody_is_the_old_value_and_everybody_the_mean(weighting: Weighting) -> None:
    old, values = torch.ones(4), {0: torch.full((4,), 3.0), 1: torch.full((4,), 9.0)}
    shares, always = {0: 0.25, 1: 0.75}, {0: 1.0, 1: 1.0}
    assert torch.equal(layerwise_mean(old, {}, shares, always, weighting), old)
    assert torch.equal(
        layerwise_mean(old, values, shares, always, weighting), torch.full((4,), 7.5)
    )


def drawn_means(reach: list[float], weighting: Weighting, draws: int = 20_000) -> Tensor:
    """(draws,) new values over the true mean, of devices that reach a block by their q."""
    random = np.random.default_rng(5)
    there = random.random((draws, len(reach))) < reach
    values = {device: torch.tensor([float(device + 1)]) for device in range(len(reach))}
    shares = dict.fromkeys(values, 1 / len(reach))
    q = dict(enumerate(reach))
    old = torch.zeros(1)
    found = [
        layerwise_mean(old, {u: values[u] for u in values if row[u]}, shares, q, weighting)
        for row in there
    ]
    return torch.cat(found).double() / (sum(range(1, len(reach) + 1)) / len(reach))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reach", "weighting", "expected"),
    [
        ([1 / 6] * 5, "paper", 1.0),
        ([1 / 6] * 5, "released", 1 / 6),
        ([1 / 6] * 5, "inverse_probability", 1.0),
        ([0.9, 0.7, 0.5, 0.3, 0.1], "inverse_probability", 1.0),
    ],
)
def test_over_draws_of_depth_the_mean_is_the_true_one(
    reach: list[float], weighting: Weighting, expected: float
) -> None:
    """The first of six layers, five devices of uniform depth; four standard errors."""
    found = drawn_means(reach, weighting)
    error = float(found.std()) / len(found) ** 0.5
    assert float(found.mean()) == pytest.approx(expected, abs=4 * error)
    assert 4 * error < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 4, 16])
def test_a_q_that_is_counted_leaves_something_of_the_mean_out_at_first(rounds: int) -> None:
    """1 − (1 − q)ᴿ of it after R rounds, this one included; four standard errors."""
    q, devices, draws = 1 / 6, 5, 10_000
    there = np.random.default_rng(7).random((draws, rounds, devices)) < q
    shares, old = dict.fromkeys(range(devices), 1 / devices), torch.zeros(1)
    found = []
    for row in there:
        counted = dict(enumerate((row.sum(0) / rounds).tolist()))
        updates = {u: torch.tensor([u + 1.0]) for u in range(devices) if row[-1, u]}
        found.append(layerwise_mean(old, updates, shares, counted, "inverse_probability"))
    ratio = torch.cat(found).double() / 3.0
    error = float(ratio.std()) / draws**0.5
    assert float(ratio.mean()) == pytest.approx(1 - (1 - q) ** rounds, abs=4 * error)
    assert 4 * error < 0.1


def test_the_papers_weighting_is_biased_where_devices_are_unequal() -> None:
    found = drawn_means([0.9, 0.7, 0.5, 0.3, 0.1], "paper")
    error = float(found.std()) / len(found) ** 0.5
    assert float(found.mean()) < 1 - 20 * error


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expansion": "gradient_mask"}, "use expansion 'dense'"),
        ({"expansion": "every_parameter", "projection": "none"}, "use expansion 'dense'"),
        ({"schedule": "asynchronous"}, "use schedule 'synchronous' or 'cluster'"),
        ({"schedule": {"name": "synchronous", "mixings": 2}}, "use mixings: 1"),
        ({"weights": "as_printed"}, "do not sum to 1"),
        ({"projection": "frozen"}, "another A"),
        ({"projection": {"name": "alternating", "factors": "active"}}, "reads both"),
    ],
)
def test_what_has_no_blocks_or_no_common_deadline_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        METHODS["salf"].with_(**changes)


def test_only_it_takes_a_part_of_a_round() -> None:
    assert METHODS["salf"].aggregation.by_block
    assert not LayerwiseMean(cut="drop").by_block
    assert not LORA.aggregation.by_block
