"""Factors by turns: what a round leaves alone, what is on the air, and what agreement costs."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.federation.hearing import Hearing
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.message import Graph, Turn
from cosim.methods.method import Method
from cosim.methods.projection.alternating import Alternating
from cosim.methods.topology.complete import Complete
from cosim.methods.topology.ring import Ring
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.metropolis import Metropolis
from cosim.methods.weights.uniform import Uniform
from cosim.randomness import stream
from tests.learning.small_learners import mixed, small_learner, small_pools, tuned, tuning

FOUR = ["sums", "times", "sums", "times"]
# Modules that give more than they take, so that B is larger than A.
WIDE = ["up_proj"]
TAD, ROLORA, FFA, LORA = (METHODS[name] for name in ("tad_lora", "rolora", "ffa_lora", "lora"))


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    return functools.partial(small_learner, tiny_llama, pools, devices=FOUR, bits_per_value=32)


def play(learner: ModelLearner, rounds: int, topology: Topology, first: int = 1) -> None:
    """Rounds in which every message of the graph arrives."""
    devices = range(len(learner.tasks))
    for number in range(first, first + rounds):
        jobs = [learner.submit(device, number) for device in devices]
        said = [tuned(learner, job) for job in jobs]
        mix(learner, number, said, topology.neighbours(devices, stream(1, "topology", number)))


def mix(learner: ModelLearner, number: int, said: list[Any], graph: Graph) -> None:
    for device, others in graph.items():
        inbox = {other: said[other] for other in others}
        learner.mix(device, inbox, dict.fromkeys(inbox, 0), Turn(number), graph).result()


def factors(learner: ModelLearner) -> list[tuple[Tensor, Tensor]]:
    return [(a.values.clone(), a.projection.clone()) for a in learner.fleet.adapters]


def test_the_turns_of_an_interval() -> None:
    turns = {
        (interval, start): "".join(
            *zip(
                *(
                    sorted(Alternating(interval=interval, starts_with=start).trains(round_))
                    for round_ in range(1, 9)
                ),
                strict=True,
            )
        )
        for interval in (1, 3)
        for start in ("expansion", "projection")
    }
    assert turns == {
        (1, "expansion"): "BABABABA",
        (1, "projection"): "ABABABAB",
        (3, "expansion"): "BBBAAABB",
        (3, "projection"): "AAABBBAA",
    }
    assert ROLORA.projection.sends(3) == {"B"}
    assert ROLORA.projection.sends(4) == {"A"}
    assert TAD.projection.sends(3) == {"A", "B"}


@pytest.mark.slow
@pytest.mark.parametrize("topology", [Complete(), Ring()], ids=str)
@pytest.mark.parametrize("weights", [Uniform(), Metropolis()], ids=str)
def test_an_interval_of_all_rounds_is_ffa_to_the_bit(
    make: Callable[..., ModelLearner], topology: Topology, weights: Any
) -> None:
    """Whose A are equal and, in shares that are powers of two, stay so."""
    tasks = FOUR[:2] if isinstance(topology, Ring) else FOUR  # two devices in a ring are a pair
    alternating, frozen = (
        make(method.with_(topology=topology, weights=weights), devices=tasks)
        for method in (TAD.with_(projection=Alternating(interval=3)), FFA)
    )
    for learner in (alternating, frozen):
        play(learner, 3, topology)
    for (B, A), (other_B, other_A) in zip(factors(alternating), factors(frozen), strict=True):
        assert torch.equal(A, other_A)
        assert torch.equal(B, other_B)
        assert B.any()


@pytest.mark.slow
@pytest.mark.parametrize("interval", [1, 2])
def test_in_a_complete_graph_all_agree_and_a_phase_has_no_cross_term(
    make: Callable[..., ModelLearner], interval: int
) -> None:
    """mean(B_j)·A = mean(B_j·A) while B is trained: one A is everybody's."""
    projection = Alternating(interval=interval)
    learner = make(TAD.with_(projection=projection, topology="complete", weights="uniform"))
    for number in range(1, 5):
        said = [tuned(learner, learner.submit(device, number)) for device in range(4)]
        adapters = learner.fleet.adapters
        idle = "A" if projection.trains(number) == {"B"} else "B"
        pairs = [learner.layout.pairs(a.projection, a.values) for a in adapters]
        for module in range(len(learner.layout.modules)):
            A = torch.cat([pair[module][0] for pair in pairs]).double()
            B = torch.cat([pair[module][1] for pair in pairs]).double()
            still, moved = (A, B) if idle == "A" else (B, A)
            assert torch.equal(still, still[:1].expand_as(still))
            assert not torch.equal(moved[0], moved[1])
            cross = ((B - B.mean(0)) @ (A - A.mean(0))).mean(0)
            assert float(cross.norm()) <= 1e-12 * float((B @ A).norm())
        graph = Complete().neighbours(range(4), stream(1, "topology", number))
        mix(learner, number, said, graph)
        first, *others = factors(learner)
        assert all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


def test_on_a_ring_the_idle_factor_is_mixed_too(make: Callable[..., ModelLearner]) -> None:
    """With both on the air its differences shrink every round, with one they wait."""

    def spread(learner: ModelLearner) -> float:
        values = torch.stack([a.values for a in learner.fleet.adapters]).double()
        return float((values - values.mean(0)).norm())

    for sends, shrinks in (("both", True), ("active", False)):
        projection = Alternating(interval=1, factors=sends)
        learner = make(TAD.with_(projection=projection, topology="ring"))
        play(learner, 1, Ring())
        before = spread(learner)
        assert before > 0
        play(learner, 1, Ring(), first=2)
        after = spread(learner)
        assert after < 0.9 * before if shrinks else after == before


@pytest.mark.parametrize("topology", [Complete(), Ring()], ids=str)
def test_doubly_stochastic_mixing_leaves_the_sums_of_both_factors(
    make: Callable[..., ModelLearner], topology: Topology
) -> None:
    learner = make(TAD.with_(projection=Alternating(interval=1), topology=topology))
    play(learner, 1, topology)
    said = [tuned(learner, learner.submit(device, 2)) for device in range(4)]
    before = [torch.stack(part).double().sum(0) for part in zip(*factors(learner), strict=True)]
    mix(learner, 2, said, topology.neighbours(range(4), stream(1, "topology", 2)))
    after = [torch.stack(part).double().sum(0) for part in zip(*factors(learner), strict=True)]
    for sum_before, sum_after in zip(before, after, strict=True):
        assert sum_before.any()
        torch.testing.assert_close(sum_after, sum_before, rtol=1e-5, atol=1e-6)


def test_a_round_leaves_the_idle_factor_and_its_moments_alone(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(TAD.with_(projection=Alternating(interval=1), topology="complete"))
    play(learner, 1, Complete())
    for number, idle in ((2, "B"), (3, "A")):
        before = learner.fleet.adapters[0]
        tuned(learner, learner.submit(0, number))
        after = learner.fleet.adapters[0]
        moved = {
            "A": not torch.equal(after.projection, before.projection),
            "B": not torch.equal(after.values, before.values),
        }
        assert moved == {"A": idle == "B", "B": idle == "A"}
        assert after.moments[idle] is before.moments[idle]
        other = "AB".replace(idle, "")
        steps = before.moments[other].steps if other in before.moments else 0
        assert isinstance(steps, int)
        assert after.moments[other].steps == steps + 2


def test_work_and_energy_are_of_the_factor_that_is_trained(
    make: Callable[..., ModelLearner],
) -> None:
    """Backward: in + 2·out for B alone, 2·in + out for A alone, 2·in + 2·out for both."""
    both = make(LORA, target_modules=WIDE)
    by_turns = make(TAD.with_(projection=Alternating(interval=1)), target_modules=WIDE)
    layout = both.layout
    for number, other in ((1, layout.projection_size), (2, layout.expansion_size)):
        tokens = sum(
            len(batch) * max(row.tokens for row in batch) for batch in both.batches(0, number)
        )
        whole, part = (tuning(learner, 0, number).work for learner in (both, by_turns))
        assert whole.flop - part.flop == pytest.approx(2 * tokens * other)
        assert whole.trained - part.trained == other


def test_bits_are_of_the_factors_on_the_air(make: Callable[..., ModelLearner]) -> None:
    """|A| + |B| every round for TAD as for LoRA; |B| and |A| by turns for RoLoRA, |B| for FFA."""
    of: dict[str, list[int]] = {}
    for method in (LORA, TAD, ROLORA, FFA):
        learner = make(method, devices=FOUR[:2], target_modules=WIDE)
        A, B = learner.layout.projection_size, learner.layout.expansion_size
        assert A != B
        of[method.name] = bits = []
        for number in (1, 2, 3):
            planned = learner.post.first_bits(0)
            message = tuned(learner, learner.submit(0, number))
            bits.append(learner.post.payload_bits(message, 1))
            assert planned == bits[-1]
    assert of["lora"] == of["tad_lora"] == [32 * (A + B)] * 3
    assert of["rolora"] == [32 * B, 32 * A, 32 * B]
    assert of["ffa_lora"] == [32 * B] * 3


def test_two_who_meet_end_at_the_midpoint(make: Callable[..., ModelLearner]) -> None:
    learner = make(METHODS["adf_lora"], devices=FOUR[:2])
    said = [tuned(learner, learner.submit(device, 1)) for device in range(2)]
    (B, A), (other_B, other_A) = factors(learner)
    mix(learner, 1, said, {0: (1,), 1: (0,)})
    for new_B, new_A in factors(learner):
        assert torch.equal(new_B, (B + other_B) / 2)
        assert torch.equal(new_A, (A + other_A) / 2)
    assert not torch.equal(B, other_B)


def test_who_meets_nobody_learns_as_alone(make: Callable[..., ModelLearner]) -> None:
    """Weights of the identity: Dec-LoRA without an edge is `local`."""
    alone, local = make(METHODS["dec_lora"]), make(METHODS["local"])
    for number in (1, 2):
        for learner in (alone, local):
            for device in range(4):
                tuning(learner, device, number).result()
                learner.mix(device, {}, {}, Turn(number), {}).result()
    for mine, other in zip(factors(alone), factors(local), strict=True):
        assert torch.equal(mine[0], other[0])
        assert torch.equal(mine[1], other[1])


def test_a_complete_graph_with_equal_weights_is_the_mean_of_factors(
    make: Callable[..., ModelLearner],
) -> None:
    """Dec-LoRA is FedAvg of both factors there."""
    learner = make(METHODS["dec_lora"].with_(topology="complete", weights="uniform"))
    said = [tuned(learner, learner.submit(device, 1)) for device in range(4)]
    means = [torch.stack(part).mean(0) for part in zip(*factors(learner), strict=True)]
    mix(learner, 1, said, Complete().neighbours(range(4), stream(1, "topology", 1)))
    for device in factors(learner):
        for part, mean in zip(device, means, strict=True):
            torch.testing.assert_close(part, mean, rtol=1e-6, atol=1e-7)


def test_messages_of_other_phases_are_mixed_factor_by_factor(
    make: Callable[..., ModelLearner],
) -> None:
    """A device that sent B hears an A: half of it joins its own A, and its B stays."""
    learner = make(ROLORA.with_(weights="uniform"), devices=FOUR[:2])
    tuned(learner, learner.submit(0, 1))
    tuned(learner, learner.submit(1, 1))
    said = tuned(learner, learner.submit(1, 2))
    assert not said.sends_expansion
    before, other = factors(learner)
    mixed(learner, 0, {1: said}, {1: 0})
    after, _ = factors(learner)
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[1], (before[1] + other[1]) / 2)
    assert not torch.equal(after[1], before[1])


def test_half_a_message_is_half_the_work_of_mixing(make: Callable[..., ModelLearner]) -> None:
    work: dict[str, list[float]] = {"lora": [], "rolora": []}
    for method in (LORA, ROLORA):
        learner = make(method, devices=FOUR[:2], target_modules=WIDE)
        for number in (1, 2):
            said = [tuned(learner, learner.submit(device, number)) for device in range(2)]
            work[method.name].append(learner.post.mixing_work(0, {1: said[1]}, {}).flop)
            learner.post.mix(0, Hearing({1: said[1]}, {1: 0}, Turn(number), {}))
    A, B = learner.layout.projection_size, learner.layout.expansion_size
    assert work == {"lora": [4.0 * (A + B)] * 2, "rolora": [4.0 * B, 4.0 * A]}


REFUSED: list[tuple[Method, Mapping[str, Any], str]] = [
    (TAD, {"expansion": "gradient_mask"}, "chooses its mask in a round that trains B"),
    (TAD, {"expansion": "magnitude_mask"}, "chooses its mask|starts again"),
    (ROLORA, {"aggregation": "stacked", "composition": "gate"}, "reads both"),
    (ROLORA, {"aggregation": "product_svd"}, "reads both"),
    (ROLORA, {"aggregation": "rotated_mean"}, "reads both"),
    (TAD, {"aggregation": "support_normalised", "composition": "gate"}, "through its frozen A"),
    (TAD, {"projection": {"name": "alternating", "interval": 0}}, "greater than or equal to 1"),
    (TAD, {"expansion": "every_parameter"}, "go together"),
]


@pytest.mark.parametrize(("method", "parts", "reason"), REFUSED)
def test_what_alternation_does_not_fit_is_refused(
    method: Method, parts: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        method.with_(**{"weights": None, **parts})


def test_whole_experts_may_come_from_factors_by_turns() -> None:
    parts = {"weights": None, "aggregation": "stacked", "composition": "uniform"}
    assert TAD.with_(**parts).aggregation.keeps_experts
