"""What the air adds up and devices make of it: the oracles of AirFedAvg, by value."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.methods import METHODS
from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.slot import Speaking
from cosim.methods.aggregation.superposed_mean import SuperposedMean, added_noise, scale
from cosim.methods.composition.single import Single
from cosim.methods.message import Heard, Superposed, Values
from cosim.methods.state import DeviceState
from cosim.methods.weights.uniform import Uniform
from cosim.randomness import stream
from tests.learning.flat_factors import LAYOUT, drawn, factors, heard, held, mixing, of

MODEL, DIFFERENCE = SuperposedMean(sends="model"), SuperposedMean()
PAIRS = [factors(seed) for seed in range(4)]
SIZES = {"B": LAYOUT.expansion_sizes, "A": LAYOUT.projection_sizes}
QUIET = Superposed(1e-9, 0.0)


def on_the_air(said: Sequence[Heard], superposed: Superposed) -> list[Heard]:
    """Messages of which all but device 0's came as a sum."""
    return [
        part if part.message.device == 0 else replace(part, superposed=superposed) for part in said
    ]


def noisy(number: int = 0, **said: Any) -> Any:
    def draw(purpose: str) -> Any:
        return stream(7, "test", purpose, number)

    return mixing([1.0] * 4, draw=draw, **said)


def dyadic(seed: int) -> tuple[Tensor, Tensor]:
    """Factors whose sums of a few are exact."""
    B, A = factors(seed)
    return (B * 8).round() / 8, (A * 8).round() / 8


def says(part: SuperposedMean, state: DeviceState) -> dict[str, Tensor]:
    at = Speaking(LAYOUT, LAYOUT.expansion_sizes, METHODS["lora"].projection, Single())
    return {said.name: said.values for said in part.says(state, at) if isinstance(said, Values)}


@pytest.mark.parametrize("superposed", [None, QUIET])
def test_without_noise_it_is_the_uniform_mean_to_the_bit(superposed: Superposed | None) -> None:
    said = heard(*PAIRS)
    mean = of(Mean().mix(held(PAIRS[0]), said, mixing([1.0] * 4)))
    parts = said if superposed is None else on_the_air(said, superposed)
    for one, other in zip(of(MODEL.mix(held(PAIRS[0]), parts, noisy())), mean, strict=True):
        assert torch.equal(one, other)


def test_differences_to_a_common_beginning_leave_the_uniform_mean() -> None:
    """To the bit where sums are exact, and to a rounding where they are not."""
    for make, exact in ((dyadic, True), (factors, False)):
        before, pairs = held(make(9), 1), [make(seed) for seed in range(4)]
        states = [DIFFERENCE.learnt(before, held(pair), None, LAYOUT) for pair in pairs]
        said = [
            Heard(replace(part.message, content=tuple(Values(k, v) for k, v in changed.items())))
            for part, changed in zip(
                heard(*pairs), (says(DIFFERENCE, state) for state in states), strict=True
            )
        ]
        found = of(DIFFERENCE.mix(states[0], on_the_air(said, QUIET), noisy()))
        mean = of(Mean().mix(held(pairs[0]), heard(*pairs), mixing([1.0] * 4)))
        for one, other in zip(found, mean, strict=True):
            assert torch.equal(one, other) if exact else torch.allclose(one, other, atol=2e-6)


def test_who_has_mixed_says_only_what_changed_since() -> None:
    states = [DIFFERENCE.learnt(held(factors(9), 1), held(pair), None, LAYOUT) for pair in PAIRS]
    mixed = DIFFERENCE.mix(states[0], on_the_air(heard(*PAIRS), QUIET), noisy())
    assert not any(values.any() for values in says(DIFFERENCE, mixed).values())
    trained = replace(mixed, adapter=held(PAIRS[3]).adapter)
    changed = says(DIFFERENCE, DIFFERENCE.learnt(mixed, trained, None, LAYOUT))
    assert torch.equal(changed["B"], PAIRS[3][0] - of(mixed)[0])
    assert torch.equal(changed["A"], PAIRS[3][1] - of(mixed)[1])


def test_what_was_learnt_before_a_device_mixed_is_still_said() -> None:
    """Where it met nobody in a round, or nobody spoke in it."""
    begun = DIFFERENCE.learnt(held(factors(9), 1), held(PAIRS[0]), None, LAYOUT)
    trained = replace(begun, adapter=held(PAIRS[1]).adapter)
    changed = says(DIFFERENCE, DIFFERENCE.learnt(begun, trained, None, LAYOUT))
    assert torch.equal(changed["B"], PAIRS[1][0] - factors(9)[0])


@pytest.mark.parametrize("part", [MODEL, DIFFERENCE])
def test_all_equal_and_no_noise_changes_nothing(part: SuperposedMean) -> None:
    same = dyadic(3)
    states = [part.learnt(held(dyadic(9), 1), held(same), None, LAYOUT)] * 4
    said = [
        replace(one, message=replace(one.message, content=tuple(Values(*each) for each in of_one)))
        for one, of_one in zip(
            heard(*[same] * 4), (says(part, state).items() for state in states), strict=True
        )
    ]
    for one, other in zip(
        of(part.mix(states[0], on_the_air(said, QUIET), noisy())), same, strict=True
    ):
        assert torch.equal(one, other)


def test_the_error_of_the_estimate_is_the_formula_within_5_percent() -> None:
    """σ²·σ_z²/(η·n²) by module and factor, times the square of the share that the sum has."""
    superposed = Superposed(2e-9, 5e-10)
    said = on_the_air(heard(*PAIRS), superposed)
    exact = of(MODEL.mix(held(PAIRS[0]), on_the_air(said, QUIET), noisy()))
    errors: dict[str, list[Tensor]] = {"B": [], "A": []}
    for number in range(300):
        found = of(MODEL.mix(held(PAIRS[0]), said, noisy(number)))
        for name, one, other in zip("BA", found, exact, strict=True):
            errors[name].append(one - other)
    for name, k in (("B", 0), ("A", 1)):
        by_module = torch.stack(errors[name]).split(SIZES[name], dim=1)
        modules = zip(*(pair[k].split(SIZES[name]) for pair in PAIRS[1:]), strict=True)
        for error, module in zip(by_module, modules, strict=True):
            expected = scale(module) ** 2 * 0.25 / 9 * (3 / 4) ** 2
            assert float(error.square().mean()) == pytest.approx(expected, rel=0.05)


def test_nobody_sends_above_the_power_that_eta_stands_for() -> None:
    """(x_k − μ)/σ has unit power at most, and one sender has it."""
    signals = [drawn(500, seed=k) * 3**k + k for k in range(4)]
    mean, sigma = torch.stack(signals).mean(), scale(signals)
    powers = [float(((signal - mean) / sigma).square().mean()) for signal in signals]
    assert max(powers) == pytest.approx(1.0)
    assert max(powers) <= 1.0 + 1e-12


def test_the_chain_of_standardised_signals_is_the_same_estimate() -> None:
    """μ + σ·y/(√η·n) with the same noise: the standardisation falls out of the sum."""
    superposed, n = Superposed(2e-9, 5e-10), 3
    signals = [pair[0] for pair in PAIRS[1:]]
    noise = added_noise(signals, LAYOUT.expansion_sizes, superposed, stream(1, "chain"))
    random, found = stream(1, "chain"), []
    for module in zip(*(signal.split(LAYOUT.expansion_sizes) for signal in signals), strict=True):
        x = torch.stack(module).double()
        mu, sigma = x.mean(), scale(module)
        z = torch.from_numpy(random.standard_normal(x.shape[1])) * superposed.noise_w**0.5
        y = superposed.eta_w**0.5 * ((x - mu) / sigma).sum(dim=0) + z
        found.append(mu + sigma * y / (superposed.eta_w**0.5 * n))
    mean = torch.stack(signals).double().mean(dim=0)
    assert torch.allclose(torch.cat(found), mean + noise.double(), atol=1e-6)


def test_the_same_names_draw_the_same_noise() -> None:
    said = on_the_air(heard(*PAIRS), Superposed(2e-9, 5e-10))
    once, again, other = (of(MODEL.mix(held(PAIRS[0]), said, noisy(k)))[0] for k in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_it_averages_what_is_alike_and_dense_alone() -> None:
    air = METHODS["air_fedavg"]
    assert air.weighing == Uniform()
    for parts, word in (
        ({"weights": "by_rows"}, "all senders count alike"),
        ({"weights": "metropolis"}, "all senders count alike"),
        ({"weights": {"name": "uniform", "absent": "keep_own"}}, "all senders count alike"),
        ({"expansion": "magnitude_mask"}, "each device's own"),
        ({"projection": {"name": "frozen", "seed": "own"}}, "another A"),
        ({"composition": "gate"}, "hears their sum"),
        ({"codec": "top_k"}, "says what changed"),
    ):
        with pytest.raises(ValueError, match=word):
            air.with_(**parts)
    assert air.with_(projection={"name": "frozen", "seed": "shared"}).aggregation == DIFFERENCE
