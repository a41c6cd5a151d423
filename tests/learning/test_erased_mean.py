"""What stands in for lost values: the oracles of D-FL over imperfect channels, by value."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cosim.learning.federation.hearing import Hearing
from cosim.methods import METHODS
from cosim.methods.aggregation.erased_mean import ErasedMean
from cosim.methods.aggregation.mean import Mean
from cosim.methods.arrival import arrived_of, packets_of
from cosim.methods.message import Common, Flight, Heard, Message, Seed, Turn, Values
from cosim.methods.topology.ring import Ring
from cosim.methods.weights.metropolis import Metropolis
from cosim.randomness import stream
from cosim.topology.mixing import contraction
from tests.learning.flat_factors import LAYOUT, factors, heard, held, mixing, of

MISSING = ["zero", "own", "renormalise", "inverse_probability"]
WEIGHTS = [0.5, 0.25, 0.25]
PAIRS = [factors(seed) for seed in range(3)]
SIZES = {"B": LAYOUT.expansion_size, "A": LAYOUT.projection_size}


def erased(said: list[Heard], arrives: Any, delivery: float | None = None) -> list[Heard]:
    """Messages of all but device 0 of whose values those arrived that `arrives` tells of a name."""
    return said[:1] + [
        Heard(
            part.message,
            arrived={name: arrives(part.message.device, name) for name in SIZES},
            delivery=delivery,
        )
        for part in said[1:]
    ]


def drawn(epsilon: float, number: int = 0) -> Any:
    def arrives(device: int, name: str) -> Tensor:
        random = stream(3, "test", number, device, name)
        return torch.from_numpy(random.random(SIZES[name]) >= epsilon)

    return arrives


def nothing(device: int, name: str) -> Tensor:
    return torch.zeros(SIZES[name], dtype=torch.bool)


def everything(device: int, name: str) -> Tensor:
    return ~nothing(device, name)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("weights", [WEIGHTS, [7.0, 3.0, 11.0]])
def test_without_losses_it_is_the_mean_to_the_bit(missing: Any, weights: list[float]) -> None:
    said = heard(*PAIRS)
    mean = of(Mean().mix(held(PAIRS[0]), said, mixing(weights)))
    for parts in (said, erased(said, everything, 1.0)):
        found = of(ErasedMean(missing=missing).mix(held(PAIRS[0]), parts, mixing(weights)))
        for one, other in zip(found, mean, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("missing", ["own", "renormalise"])
def test_where_nothing_arrives_a_device_keeps_what_it_has(missing: Any) -> None:
    own = held(factors(9))  # not what it said, which was rounded
    state = ErasedMean(missing=missing).mix(own, erased(heard(*PAIRS), nothing), mixing([3, 1, 1]))
    assert torch.equal(of(state)[0], of(own)[0])
    assert torch.equal(of(state)[1], of(own)[1])


def test_zero_and_the_inverse_probability_leave_the_own_share_where_nothing_arrives() -> None:
    for missing in ("zero", "inverse_probability"):
        said = erased(heard(*PAIRS), nothing, 0.5)
        state = ErasedMean(missing=missing).mix(held(PAIRS[0]), said, mixing(WEIGHTS))
        for found, mine in zip(of(state), PAIRS[0], strict=True):
            assert torch.equal(found, 0.5 * mine)


@pytest.mark.parametrize("missing", MISSING)
def test_every_value_by_its_formula(missing: Any) -> None:
    said, delivery = erased(heard(*PAIRS), drawn(0.4), 0.6), 0.6
    state = ErasedMean(missing=missing).mix(held(PAIRS[0]), said, mixing(WEIGHTS))
    for at, (name, found) in enumerate(zip("BA", of(state), strict=True)):
        x = [pair[at].double() for pair in PAIRS]
        E = [torch.ones_like(x[0])]
        for part in said[1:]:
            assert part.arrived is not None
            E.append(part.arrived[name].double())
        w = [weight * e for weight, e in zip(WEIGHTS, E, strict=True)]
        arrived = sum(a * b for a, b in zip(w, x, strict=True))
        expected = {
            "zero": arrived,
            "own": arrived + (1 - sum(w)) * x[0],
            "renormalise": arrived / sum(w),
            "inverse_probability": w[0] * x[0] + (arrived - w[0] * x[0]) / delivery,
        }[missing]
        assert 0.2 < 1 - float(E[1].mean()) < 0.6
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("arrives", [drawn(0.4), nothing], ids=["some", "none"])
@pytest.mark.parametrize("total", [1.0, 2.0])
def test_the_effective_shares_are_those_of_the_mixture(
    missing: Any, arrives: Any, total: float
) -> None:
    """Each sender's is a mixture's mean where it has ones and others zeros; 2: `as_printed`."""
    aggregation, at = ErasedMean(missing=missing), replace(mixing(WEIGHTS), total=total)
    weighed = [weight / total for weight in WEIGHTS]
    shares = aggregation.effective_shares(weighed, erased(heard(*PAIRS), arrives, 0.6), 0)
    for sender, share in enumerate(shares):
        ones = [
            (torch.full_like(B, float(d == sender)), torch.full_like(A, float(d == sender)))
            for d, (B, A) in enumerate(PAIRS)
        ]
        said = erased(heard(*ones), arrives, 0.6)
        mixed = torch.cat(of(aggregation.mix(held(ones[0]), said, at)))
        assert share == pytest.approx(float(mixed.mean()), abs=1e-6)


def test_a_value_of_two_packets_needs_both_and_is_divided_by_both_probabilities() -> None:
    """40 bits a packet and 16 a value: the third of every five values lies in two. Losses are of
    packets; the mean over draws is the value, to 4.5 standard errors."""
    size, delivery, draws = 40, 0.7, 1000
    ones = tuple(torch.ones(SIZES[name]) for name in "BA")
    said = heard((ones[0], ones[1]), (ones[0], ones[1]))
    content = said[1].message.content
    counts = packets_of(content, 16, Flight(size, ()))
    assert counts is not None
    assert counts["B"][:10].tolist() == [1, 1, 2, 1, 1, 1, 1, 2, 1, 1]
    assert counts["A"][0] == (2 if SIZES["B"] % 5 == 2 else 1)
    assert packets_of(content, 16, Flight(32, ())) is None
    generator, part = np.random.default_rng(5), ErasedMean(missing="inverse_probability")
    packets = -(-16 * (SIZES["B"] + SIZES["A"]) // size)
    total = torch.zeros(SIZES["B"], dtype=torch.float64)
    for _ in range(draws):
        lost = np.flatnonzero(generator.random(packets) >= delivery)
        arrived = arrived_of(content, 16, Flight(size, tuple(lost.tolist())))
        other = replace(said[1], arrived=arrived, delivery=delivery, packets=counts)
        state = part.mix(held((ones[0], ones[1])), [said[0], other], mixing([0.5, 0.5]))
        total += of(state)[0]
    chance = delivery ** counts["B"].double()
    error = 0.5 * ((1 - chance) / chance / draws).sqrt()
    assert ((total / draws - 1.0).abs() < 4.5 * error).all()


@pytest.mark.parametrize("independent", [True, False])
def test_a_hearing_knows_in_how_many_packets_a_value_lies_where_they_are_independent(
    independent: bool,
) -> None:
    message = heard(PAIRS[0])[0].message
    flight = Flight(40, (0,), 0.7, independent)
    hearing = Hearing({0: message}, {0: 0}, Turn(1), {}, {0: flight})
    (part,) = hearing.heard(0.0, 16)
    assert part.arrived is not None
    assert part.arrived["B"][:4].tolist() == [False, False, False, True]
    if independent:
        assert part.packets is not None
        assert part.packets["B"][:4].tolist() == [1, 1, 2, 1]
    else:
        assert part.packets is None


def test_the_inverse_probability_is_unbiased_over_draws_and_zero_is_not() -> None:
    """The mean of n mixtures is the mixture without losses, to 4.5 standard errors a value, of
    which each has the variance Σ_j w_j²·x_j²·ε/(1 − ε); `zero` keeps (1 − ε) of what others say."""
    draws, epsilon = 400, 0.3
    exact = of(Mean().mix(held(PAIRS[0]), heard(*PAIRS), mixing(WEIGHTS)))[0].double()
    means = {}
    for missing in ("inverse_probability", "zero"):
        part, total = ErasedMean(missing=missing), torch.zeros_like(exact)
        for number in range(draws):
            said = erased(heard(*PAIRS), drawn(epsilon, number), 1 - epsilon)
            total += of(part.mix(held(PAIRS[0]), said, mixing(WEIGHTS)))[0].double()
        means[missing] = total / draws
    x = torch.stack([PAIRS[1][0], PAIRS[2][0]]).double()
    error = (x.square().sum(0) * 0.25**2 * epsilon / (1 - epsilon) / draws).sqrt()
    assert ((means["inverse_probability"] - exact).abs() < 4.5 * error).all()
    shrunk = 0.5 * PAIRS[0][0].double() + (1 - epsilon) * 0.25 * x.sum(0)
    assert ((means["zero"] - shrunk).abs() < 4.5 * error * (1 - epsilon)).all()
    assert ((means["zero"] - exact).abs() > 4.5 * error).float().mean() > 0.5


def test_the_own_share_may_be_nothing() -> None:
    """Where only messages without weight arrived, a device keeps what it has: no 0/0."""
    said = erased(heard(*PAIRS), nothing)
    for missing in ("own", "renormalise"):
        state = ErasedMean(missing=missing).mix(held(PAIRS[0]), said, mixing([0.0, 0.5, 0.5]))
        assert torch.equal(of(state)[0], PAIRS[0][0])


def test_a_factor_that_only_some_sent_is_mixed_among_those() -> None:
    """Half messages: B of 0 and 1, A of 2, of which half is lost and the receiver's own stands."""
    (B0, A0), (B1, _), (_, A2) = PAIRS
    said = [
        Heard(Message(0, 1, (Values("B", B0),), 1.0)),
        Heard(Message(1, 1, (Values("B", B1),), 1.0)),
        Heard(
            Message(2, 1, (Values("A", A2),), 1.0), arrived={"A": torch.arange(SIZES["A"]) % 2 == 0}
        ),
    ]
    B, A = of(ErasedMean(missing="own").mix(held(PAIRS[0]), said, mixing([1, 1, 1])))
    assert torch.allclose(B, (B0 + B1) / 2)
    expected = torch.where(torch.arange(SIZES["A"]) % 2 == 0, (A0 + A2) / 2, A0)
    assert torch.allclose(A, expected)


def test_a_packet_loses_the_values_of_which_it_has_a_bit() -> None:
    """Packets of 40 bits over values of 16: packet 1 has bits 40 to 80, of values 2, 3 and 4."""
    content = (
        Values("B", torch.zeros(4)),
        Common("C", torch.zeros(9)),
        Values("A", torch.zeros(3)),
    )
    arrived = arrived_of(content, 16, Flight(40, (1,)))
    assert arrived["B"].tolist() == [True, True, False, False]
    assert arrived["A"].tolist() == [False, True, True]
    assert all(arrived_of(content, 16, Flight(40, ()))[name].all() for name in "BA")
    last = arrived_of(content, 16, Flight(40, (2,)))
    assert last["B"].all()
    assert last["A"].tolist() == [True, False, False]
    with pytest.raises(ValueError, match="tells 'A' once"):
        arrived_of((Seed("A", torch.zeros(3)),), 16, Flight(40, (0,)))


@pytest.mark.parametrize("size", [1, 7, 16, 33, 200, 10_000])
def test_values_arrive_as_bits_do(size: int) -> None:
    content = (Values("B", torch.zeros(29)), Values("A", torch.zeros(13)))
    packets = math.ceil(42 * 16 / size)
    lost = np.flatnonzero(stream(1, "test", size).random(packets) < 0.3)
    bits = np.isin(np.arange(42 * 16) // size, lost).reshape(42, 16)
    arrived = arrived_of(content, 16, Flight(size, tuple(lost.tolist())))
    found = torch.cat([arrived["B"], arrived["A"]])
    assert found.tolist() == (~bits.any(axis=1)).tolist()


def test_what_must_arrive_whole_is_refused() -> None:
    parts = {"aggregation": "erased_mean"}
    for changed, said in (
        ({"expansion": "gradient_mask"}, "without the mask's positions nobody knows which"),
        ({"projection": "frozen"}, "every device has another A"),
        ({"projection": {"name": "frozen", "seed": "shared", "refined": True}}, "another A"),
        ({"composition": "gate"}, "told once what others must not lose"),
    ):
        with pytest.raises(ValueError, match=said):
            METHODS["lora"].with_(**parts, **changed)
    for fits in ({"projection": {"name": "frozen", "seed": "shared"}}, {"sending": "every_turn"}):
        METHODS["lora"].with_(**parts, **fits)


RING = Ring().neighbours(range(8), stream(1, "topology"))


def mixings(J: int, missing: Any, epsilon: float, *, alike: bool = False) -> tuple[Any, Any]:
    """J mixings in a ring of eight devices by the part itself: what B they begin and end with
    (M, n), all with the same where they begin `alike`."""
    part = ErasedMean(missing=missing)
    start = states = [held(factors(20 + (0 if alike else device))) for device in RING]
    for number in range(J):
        said = [heard(of(state))[0] for state in states]
        after = []
        for device, state in enumerate(states):
            parts = []
            for sender in sorted((device, *RING[device])):
                message = Message(sender, 1, said[sender].message.content, 1.0)
                arrives = {
                    name: drawn(epsilon, number * 97 + device)(sender, name) for name in "BA"
                }
                lossy = sender != device and epsilon > 0
                chance = Heard(message, arrived=arrives, delivery=1 - epsilon)
                parts.append(chance if lossy else Heard(message))
            weights = Metropolis().within(device, parts, RING)
            after.append(part.mix(state, parts, mixing(weights, device)))
        states = after
    rows = [torch.stack([of(state)[0].double() for state in held_]) for held_ in (start, states)]
    return rows[0], rows[1]


def spread(rows: Tensor) -> float:
    return float((rows - rows.mean(0)).square().sum())


def test_twice_the_mixings_contract_as_much_again() -> None:
    """Without losses J mixings are W^J: the spread around the mean, which stays, falls by ρ a
    mixing at most, and many of them are consensus."""
    W = np.zeros((8, 8))
    for device, others in RING.items():
        W[device, [device, *others]] = 1 / 3
    rho = contraction([W])
    last = math.inf
    for J in (1, 2, 4, 8):
        before, after = mixings(J, "zero", 0.0)
        expected = torch.from_numpy(np.linalg.matrix_power(W, J)) @ before
        torch.testing.assert_close(after, expected, rtol=0, atol=2e-6)
        torch.testing.assert_close(after.mean(0), before.mean(0), rtol=0, atol=1e-6)
        assert spread(after) <= rho**J * spread(before) * (1 + 1e-5)
        assert spread(after) < last
        last = spread(after)
    before, after = mixings(120, "zero", 0.0)
    torch.testing.assert_close(after, before.mean(0).expand_as(after), rtol=0, atol=1e-5)


def test_zeros_add_up_over_mixings_and_the_others_do_not() -> None:
    """With ε = 0.1 a mixing keeps 1/3 + 2/3·(1 − ε) = 14/15 of what all have in common; what a
    device takes of its own or of those that arrived keeps all of it."""
    for J, missing in itertools.product((1, 3, 10), MISSING):
        before, after = mixings(J, missing, 0.1, alike=True)
        kept = float((after * before).sum() / before.square().sum())
        if missing in ("own", "renormalise"):
            assert kept == pytest.approx(1.0, abs=1e-6)
            continue
        # One mixing scatters a value's 2/3 by √(2·ε·(1 − ε))/3 at most; J of them by √J times that.
        error = 0.15 * math.sqrt(J / before.numel()) * 4.5
        expected = (14 / 15) ** J if missing == "zero" else 1.0
        assert kept == pytest.approx(expected, abs=error), (J, missing)
