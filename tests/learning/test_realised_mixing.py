"""What devices really mixed: matrices, their contraction, and how the mean moved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosim.learning.data.pool import TaskPool
from cosim.learning.diagnostics.agreement import mixing_errors
from cosim.learning.diagnostics.realised import RealisedMixing
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.adapter import Adapter
from cosim.methods.message import Message, Turn
from cosim.methods.topology.erdos_renyi import ErdosRenyi
from cosim.methods.topology.ring import Ring
from cosim.methods.topology.slot import Topology
from cosim.randomness import stream
from cosim.topology.mixing import contraction
from tests.learning.small_learners import small_learner, small_pools, tuned

PAIR = {0: {0: 0.5, 1: 0.5}, 1: {0: 0.5, 1: 0.5}}


def test_a_round_is_the_shares_of_its_devices_and_who_mixed_nothing_keeps_what_it_had() -> None:
    realised = RealisedMixing(3)
    realised.note(0, Turn(1), {0: 0.5, 2: 0.5})
    realised.note(1, Turn(1), {})
    assert realised.matrix.tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    first = realised.matrix
    for device, shares in PAIR.items():
        realised.note(device, Turn(2), shares)
    second = realised.matrix
    assert realised.contraction(2) == pytest.approx(contraction([first, second]))
    # Rounds in which nobody mixed, before, between and after.
    for device, shares in PAIR.items():
        realised.note(device, Turn(4), shares)
    assert realised.contraction(5) == pytest.approx(
        contraction([first, second, np.eye(3), second, np.eye(3)])
    )
    late = RealisedMixing(3)
    late.note(0, Turn(2), {0: 0.5, 2: 0.5})
    assert late.contraction(2) == pytest.approx(contraction([np.eye(3), first]))


def test_several_turns_of_a_round_are_one_product() -> None:
    realised = RealisedMixing(3)
    one, other = {0: 0.5, 1: 0.5}, {1: 0.25, 2: 0.75}
    realised.note(0, Turn(1), one)
    realised.note(2, Turn(1, 1), other)
    W = np.array([[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    V = np.array([[1, 0, 0], [0, 1, 0], [0, 0.25, 0.75]])
    assert realised.matrix.tolist() == (V @ W).tolist()
    assert realised.contraction(1) == pytest.approx(contraction([V @ W]))
    # A device far away from both is still at the first of them.
    realised.note(1, Turn(1), other)
    W = np.array([[0.5, 0.5, 0], [0, 0.25, 0.75], [0, 0, 1]])
    assert realised.matrix.tolist() == (V @ W).tolist()


def test_its_state_is_all_of_it() -> None:
    realised, other = RealisedMixing(3), RealisedMixing(3)
    for turn in (Turn(1), Turn(2), Turn(2, 1)):
        for device, shares in PAIR.items():
            realised.note(device, turn, shares, {"B": torch.ones(2, dtype=torch.float64)})
    taken = realised.state
    other.state = taken
    for mixing in (realised, other):
        mixing.note(0, Turn(3), PAIR[0], {"B": torch.ones(2, dtype=torch.float64)})
    assert other.contraction(3) == realised.contraction(3)
    assert other.drifts(3) == realised.drifts(3) == {"B": pytest.approx(2 / 9)}
    assert taken["round"] == 2, "what was taken stays as it was"


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    def build(method: Any, devices: int = 3) -> ModelLearner:
        learner = small_learner(
            tiny_llama, pools, method, ["sums"] * devices, rank=1, bits_per_value=32
        )
        learner.remembers = True
        return learner

    return build


def drawn(learner: ModelLearner, seed: int) -> None:
    """Gives every device factors of its own, as if it had learnt them in a first round."""
    layout, random = learner.layout, stream(seed, "factors")
    for device, state in enumerate(learner.fleet.states):
        B, A = (
            torch.tensor(random.standard_normal(size), dtype=torch.float32)
            for size in (layout.expansion_size, layout.projection_size)
        )
        learner.fleet.states[device] = state.with_adapter(values=B, projection=A, round=1)


def exchanged(
    learner: ModelLearner,
    graph: Mapping[int, tuple[int, ...]],
    round_: int = 1,
    lost: Sequence[tuple[int, int]] = (),
) -> list[Message]:
    """One round's exchange over a graph, without those messages that are lost on their way."""
    updates = [learner.post.message(device, round_) for device in graph]
    for device, others in graph.items():
        inbox = {j: updates[j] for j in others if (j, device) not in lost}
        learner.mix(device, inbox, dict.fromkeys(inbox, 0), Turn(round_), graph).result()
    return updates


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topology", "rounds", "rho", "slack"),
    [
        (ErdosRenyi(probability=0.5), 300, 0.156, 0.012),
        (ErdosRenyi(probability=0.2), 300, 0.434, 0.03),
        (Ring(), 2, 0.762, 0.0005),
    ],
    ids=str,
)
def test_ten_devices_contract_as_their_graphs_do(
    make: Callable[..., ModelLearner], topology: Topology, rounds: int, rho: float, slack: float
) -> None:
    """What mixing really used, against ρ = λmax(E[WᵀW] − J) of ten devices with Metropolis's
    weights; over drawn graphs it is an estimate, of three hundred."""
    learner = make(METHODS["lora"].with_(weights="metropolis", topology=topology), 10)
    for round_ in range(1, rounds + 1):
        graph = topology.neighbours(range(10), topology.stream(1, round_))
        exchanged(learner, graph, round_)
    found = learner.diagnosis.realised
    assert found.matrix.sum(axis=0) == pytest.approx(np.ones(10))
    assert found.contraction(rounds) == pytest.approx(rho, abs=slack)


def means(learner: ModelLearner) -> tuple[torch.Tensor, torch.Tensor]:
    adapters = learner.fleet.adapters
    B = torch.stack([adapter.values for adapter in adapters]).double().mean(0)
    return B, torch.stack([adapter.projection for adapter in adapters]).double().mean(0)


def told(learner: ModelLearner, updates: Any, graph: Any) -> dict[str, dict[int | None, float]]:
    """Values by quantity and device, of what is about a device or about all of them."""
    together = {device: sorted((device, *others)) for device, others in graph.items()}
    sets = {device: [updates[other] for other in ids] for device, ids in together.items()}
    out: dict[str, dict[int | None, float]] = {}
    for one in learner.diagnosis.of(range(len(graph)), sets, together):
        if (one.peer, one.task, one.module) == (None, None, None):
            out.setdefault(one.quantity, {})[one.device] = one.value
    return out


LINE = {0: (1,), 1: (0, 2), 2: (1,)}


@pytest.mark.parametrize("weights", ["metropolis", "laplacian"])
def test_the_mean_stays_without_losses_and_moves_with_one(
    make: Callable[..., ModelLearner], weights: str
) -> None:
    learner = make(METHODS["lora"].with_(weights=weights))
    drawn(learner, 1)
    found = told(learner, exchanged(learner, LINE), LINE)
    assert found["consensus_expansion"][0] > 1
    for word in ("drift_projection", "drift_expansion"):
        assert found[word] == {None: pytest.approx(0.0, abs=1e-9)}
    losing = make(METHODS["lora"].with_(weights=weights))
    drawn(losing, 1)
    before = means(losing)
    found = told(losing, exchanged(losing, LINE, lost=[(0, 1)]), LINE)
    after = means(losing)
    for word, x, y in zip(("drift_expansion", "drift_projection"), before, after, strict=True):
        assert found[word] == {None: pytest.approx(float((y - x).square().sum()), rel=1e-5)}
        assert found[word][None] > 0.1
    # Device 1 gave the share of device 0 to itself.
    W = losing.diagnosis.realised.matrix
    assert W[1, 0] == 0
    assert W.sum(axis=1) == pytest.approx(np.ones(3))
    assert found["contraction"] == {None: pytest.approx(contraction([W]))}


def test_what_is_not_averaged_has_no_mixing_and_local_devices_have_none(
    make: Callable[..., ModelLearner],
) -> None:
    for name in ("lori_dense", "local"):
        learner = make(METHODS[name])
        drawn(learner, 1)
        found = told(learner, exchanged(learner, LINE), LINE)
        assert found.keys() & {"contraction", "drift_expansion"} == set()
    clocks = make(METHODS["lora"].with_(schedule="asynchronous"))
    drawn(clocks, 1)
    assert "contraction" not in told(clocks, exchanged(clocks, LINE), LINE)


def test_a_frozen_a_has_no_drift_and_all_parameters_have_none_either(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(METHODS["ffa_lora"].with_(weights="metropolis"))
    updates = [tuned(learner, learner.submit(device, 1)) for device in range(3)]
    exchanged(learner, LINE)
    found = told(learner, updates, LINE)
    assert found["drift_expansion"] == {None: pytest.approx(0.0, abs=1e-9)}
    assert "drift_projection" not in found
    whole = make(METHODS["full_finetune"])
    updates = [tuned(whole, whole.submit(device, 1)) for device in range(3)]
    exchanged(whole, LINE)
    assert told(whole, updates, LINE).keys() == {"contraction", "consensus_expansion"}


def test_laplacian_weights_have_their_errors(make: Callable[..., ModelLearner]) -> None:
    """λmax of a line of three is 3, so that each edge has 2/9."""
    learner = make(METHODS["lora"].with_(weights="laplacian"))
    drawn(learner, 1)
    updates = exchanged(learner, LINE)
    found = told(learner, updates, LINE)
    shares = {0: [7 / 9, 2 / 9], 1: [2 / 9, 5 / 9, 2 / 9], 2: [2 / 9, 7 / 9]}
    for device, others in LINE.items():
        ids = sorted((device, *others))
        adapters = [Adapter(updates[i].values, None, updates[i].projection) for i in ids]
        errors = mixing_errors(learner.layout, adapters, shares[device])
        assert found["cross_term"][device] == pytest.approx(errors.cross_term)
        assert found["aggregation_error"][device] == pytest.approx(errors.aggregation)
        assert found["broadcast_error"][device] == pytest.approx(errors.broadcast)
    # Of a graph that is known in part λmax is not.
    part = {0: LINE[0]}
    assert "cross_term" not in told(learner, updates, part)


@pytest.mark.parametrize("starts_with", ["expansion", "projection"])
def test_messages_of_one_factor_err_by_what_the_receiver_keeps(
    make: Callable[..., ModelLearner], starts_with: str
) -> None:
    rolora = METHODS["rolora"]
    projection = rolora.projection.model_copy(update={"starts_with": starts_with})
    learner = make(rolora.with_(projection=projection, weights="uniform"))
    drawn(learner, 1)
    before = learner.fleet.adapters
    said = [learner.post.message(device, 1) for device in LINE]
    updates = [learner.diagnosis.whole(message) for message in said]
    assert all(update.whole for update in updates)
    exchanged(learner, LINE)
    found = told(learner, updates, LINE)
    for device, others in LINE.items():
        ids = sorted((device, *others))
        left = whole = 0.0
        pairs = [learner.layout.pairs(before[i].projection, before[i].values) for i in ids]
        after = learner.fleet.adapters[device]
        held = learner.layout.pairs(after.projection, after.values)
        for modules, (A, B) in zip(zip(*pairs, strict=True), held, strict=True):
            Z = sum(b[0].double() @ a[0].double() for a, b in modules) / len(ids)
            left += float((Z - B[0].double() @ A[0].double()).square().sum())
            whole += float(Z.square().sum())
        wanted = (left / whole) ** 0.5
        assert found["aggregation_error"][device] == pytest.approx(wanted, rel=1e-5)
    silent, heard = ("projection", "expansion")[:: 1 if starts_with == "expansion" else -1]
    assert f"drift_{heard}" in found
    assert f"drift_{silent}" not in found
    assert "theorem1_gap" not in found
    # What others sent in rounds of the other factor is not averaged with it.
    mixed = [replace(updates[0], round=2), *updates[1:]]
    assert set(told(learner, mixed, LINE)["cross_term"]) == {2}, "who hears device 0 has none"
