"""Control variates on quadratics, in float64: what the rule is equal to, keeps and converges to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from cosim.methods import FLEXATC
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.control_variate import ControlVariate, next_correction, pull
from cosim.methods.aggregation.slot import Mixing
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.message import Graph, Heard, Message, Turn, Values, on_air
from cosim.methods.sending.by_coin import ByCoin
from cosim.methods.state import DeviceState
from cosim.methods.topology.complete import Complete
from cosim.methods.topology.ring import Ring
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.metropolis import Metropolis
from cosim.randomness import stream

DEVICES, SIZE = 6, 4
WEIGHTS = Metropolis(absent="mutual")
Lost = frozenset[tuple[int, int]]


def quadratics(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Of each device f_i(x) = ½(x − c_i)ᵀQ_i(x − c_i): Q (M, n, n) with eigenvalues from ½ to 2,
    and c (M, n) far apart."""
    random = np.random.default_rng(seed)
    turned = np.linalg.qr(random.standard_normal((DEVICES, SIZE, SIZE)))[0]
    values = random.uniform(0.5, 2.0, (DEVICES, 1, SIZE))
    curvatures = turned * values @ turned.transpose(0, 2, 1)
    return torch.from_numpy(curvatures), torch.from_numpy(3 * random.standard_normal((DEVICES, 4)))


CURVATURES, CENTRES = quadratics()
OPTIMUM = torch.linalg.solve(CURVATURES.sum(0), (CURVATURES * CENTRES.unsqueeze(1)).sum((0, 2)))


def gradients(x: Tensor) -> Tensor:
    return (CURVATURES * (x - CENTRES).unsqueeze(1)).sum(2)


def graph_of(topology: Topology) -> Graph:
    return topology.neighbours(range(DEVICES), stream(1, "topology"))


def test_the_effective_shares_are_those_of_what_it_is_pulled_by() -> None:
    heard = [Heard(Message(sender, 1, (), 1.0)) for sender in range(3)]
    rule = ControlVariate(strength=0.25)
    assert rule.effective_shares([0.5, 0.3, 0.2], heard, 1) == pytest.approx([0.125, 0.825, 0.05])


def shares(graph: Graph, lost: Lost = frozenset()) -> Tensor:
    """W of a round in which these messages, by sender and receiver, are not counted."""
    W = torch.zeros(DEVICES, DEVICES, dtype=torch.float64)
    for device in graph:
        senders = sorted({device, *(o for o in graph[device] if (o, device) not in lost)})
        heard = [Heard(Message(sender, 1, (), 1.0)) for sender in senders]
        w = WEIGHTS.within(device, heard, graph)
        for sender, weight in zip(senders, w, strict=True):
            W[device, sender] = weight / sum(w)
    return W


@dataclass
class Network:
    """All devices by the part's own functions; x, h (M, n)."""

    graph: Graph
    rate: float = 0.2
    p: float = 1.0
    beta: float = 0.5
    steps: int = 1
    corrects: bool = True
    x: Tensor = field(default_factory=lambda: torch.zeros(DEVICES, SIZE, dtype=torch.float64))

    def __post_init__(self) -> None:
        self.h = torch.zeros_like(self.x)
        self.W = shares(self.graph)

    def adapt(self) -> None:
        for _ in range(self.steps):
            self.x = self.x - self.rate * (gradients(self.x) - self.h)

    def combine(self, lost: Lost = frozenset()) -> None:
        W, x_hat = shares(self.graph, lost) if lost else self.W, self.x
        rows = []
        for device in range(DEVICES):
            arrived = {j: x_hat[j] for j in self.graph[device] if W[device, j] > 0}
            w = {j: float(W[device, j]) for j in arrived}
            rows.append(pull(x_hat[device], arrived, w, self.beta))
        moved = torch.stack(rows)
        self.x = x_hat + moved
        if self.corrects:
            descent = self.rate * self.steps
            self.h = torch.stack(
                [
                    next_correction(*pair, self.p, descent)
                    for pair in zip(self.h, moved, strict=True)
                ]
            )


def coins(p: float, rounds: int) -> Iterator[bool]:
    sending = ByCoin(probability=p)
    return (sending.opens(number, sending.stream(7, number)) for number in range(1, rounds + 1))


def near(found: Tensor, wanted: Tensor, within: float = 1e-12) -> bool:
    return float((found - wanted).abs().max()) <= within * float(wanted.abs().max())


def test_without_corrections_it_is_adapt_then_combine() -> None:
    """p = 1, h = 0, β = 1: x ← W(x − α·g(x)), of D-SGD."""
    network = Network(graph_of(Ring()), beta=1.0, corrects=False)
    W, x = shares(network.graph), network.x
    for _ in range(50):
        network.adapt()
        network.combine()
        x = W @ (x - network.rate * gradients(x))
    assert near(network.x, x)


def test_it_is_exact_diffusion() -> None:
    """ψ_t = x_t − α·g(x_t), x_{t+1} = ½(I + W)·(ψ_t + x_t − ψ_{t−1}), ψ_{−1} = x_0."""
    network = Network(graph_of(Ring()), beta=0.5)
    W = shares(network.graph)
    half = 0.5 * (torch.eye(DEVICES, dtype=torch.float64) + W)
    x = before = network.x
    for _ in range(200):
        network.adapt()
        network.combine()
        psi = x - network.rate * gradients(x)
        x, before = half @ (psi + x - before), psi
    assert near(network.x, x, 1e-11)


@pytest.mark.parametrize("p", [1.0, 0.3])
def test_it_is_scaffnew_over_the_complete_graph(p: float) -> None:
    """β = 1, W = J: x̂ = x − γ(g − h); at θ = 1 x = mean of x̂ − (γ/p)·h, h ← h + (p/γ)(x − x̂)."""
    network = Network(graph_of(Complete()), p=p, beta=1.0)
    gamma, x, h = network.rate, network.x, network.h
    for mixes in coins(p, 300):
        network.adapt()
        x = x - gamma * (gradients(x) - h)
        if mixes:
            network.combine()
            mean = (x - gamma / p * h).mean(0).expand_as(x)
            x, h = mean, h + p / gamma * (mean - x)
    assert near(network.x, x, 1e-11)
    assert near(network.h, h, 1e-11)


MIXINGS = 700


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("p", [1.0, 0.5, 0.2])
def test_all_come_to_the_joint_minimum(p: float, steps: int) -> None:
    """And h to the gradients there; without corrections they stay far from it, and apart."""
    network = Network(graph_of(Ring()), p=p, steps=steps)
    plain = Network(graph_of(Ring()), p=p, steps=steps, corrects=False)
    for mixes in coins(p, round(MIXINGS / p)):
        for each in (network, plain):
            each.adapt()
            if mixes:
                each.combine()
    wanted = OPTIMUM.expand_as(network.x)
    assert near(network.x, wanted, 1e-10)
    assert near(network.h, gradients(wanted), 1e-9)
    assert not near(plain.x, wanted, 0.1)


def lost_in(random: np.random.Generator, graph: Graph, rate: float, *, mutual: bool) -> Lost:
    """Messages that do not count: each lost by this chance, with or without its counterpart."""
    edges = [(i, j) for i in graph for j in graph[i]]
    lost = {edge for edge in edges if random.random() < rate}
    return frozenset(lost | {(j, i) for i, j in lost} if mutual else lost)


@pytest.mark.slow
@pytest.mark.parametrize("mutual", [True, False])
def test_corrections_sum_to_zero_unless_one_direction_is_lost_alone(mutual: bool) -> None:
    """Then they do not, and devices come to another place than the minimum."""
    random = np.random.default_rng(3)
    network = Network(graph_of(Ring()), p=0.5)
    for mixes in coins(0.5, 2 * MIXINGS):
        network.adapt()
        if mixes:
            network.combine(lost_in(random, network.graph, 0.1, mutual=mutual))
    off = float(network.h.sum(0).abs().max()) / float(network.h.abs().max())
    wanted = OPTIMUM.expand_as(network.x)
    if mutual:
        assert off < 1e-12
        assert near(network.x, wanted, 1e-10)
    else:
        assert off > 0.01
        assert not near(network.x, wanted, 0.01)


def mixed(
    states: Sequence[DeviceState], part: ControlVariate, bits: int, p: float, descent: float
) -> list[DeviceState]:
    """What the part makes of a round in which everything arrives."""
    graph, layout = graph_of(Ring()), Layout((AdaptedModule("m", 0, 3, 5),), 2)
    said = [
        Message(
            device,
            1,
            on_air([Values("B", s.adapter.values), Values("A", s.adapter.projection)], bits),
            1.0,
        )
        for device, s in enumerate(states)
    ]
    out = []
    for device, state in enumerate(states):
        heard = [Heard(said[j]) for j in sorted({device, *graph[device]})]
        w = WEIGHTS.within(device, heard, graph)
        at = Mixing(layout, device, Turn(1), w, sum(w), bits, descent=descent, open_share=p)
        out.append(part.mix(state, heard, at))
    return out


@pytest.mark.parametrize("bits", [16, 32])
def test_the_part_moves_both_factors_and_keeps_their_sums_at_either_precision(bits: int) -> None:
    random = torch.Generator().manual_seed(2)

    def drawn(size: int) -> Tensor:
        return torch.randn(size, generator=random)

    states = [DeviceState(Adapter(drawn(6), None, drawn(10)), 1.0) for _ in range(DEVICES)]
    part, p, descent = ControlVariate(strength=0.7), 0.25, 0.3
    first = mixed(states, part, bits, p, descent)
    second = mixed(first, part, bits, p, descent)
    W = shares(graph_of(Ring()))
    for name, of in (("B", lambda s: s.adapter.values), ("A", lambda s: s.adapter.projection)):
        x = torch.stack([of(state) for state in states]).double()
        said = x.half().double() if bits == 16 else x
        moved = 0.7 * (W @ said - said)
        assert torch.stack([of(s) for s in first]).double() == pytest.approx(x + moved, abs=1e-6)
        h = torch.stack([part.correction(state)[name] for state in first])
        assert h.double() == pytest.approx(moved * p / descent, abs=1e-6)
        for states_after in (first, second):
            total = torch.stack([part.correction(s)[name] for s in states_after]).sum(0)
            assert float(total.abs().max()) < 1e-5
    assert part.correction(states[0]) == {}


def test_a_device_that_hears_nobody_stays_as_it_is() -> None:
    state = DeviceState(Adapter(torch.ones(6), None, torch.ones(10)), 1.0)
    message = Message(0, 1, (Values("B", state.adapter.values),), 1.0)
    layout = Layout((AdaptedModule("m", 0, 3, 5),), 2)
    after = ControlVariate().mix(
        state, [Heard(message)], Mixing(layout, 0, Turn(1), [1.0], 1.0, 32)
    )
    assert torch.equal(after.adapter.values, state.adapter.values)
    assert not ControlVariate().correction(after)["B"].any()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"weights": "metropolis"}, "break that, where a message is lost"),
    ({"weights": "by_rows"}, "break that, where a message is lost"),
    ({"weights": {"name": "uniform", "absent": "mutual"}}, "count differently for each other"),
    ({"projection": "frozen"}, "every device has another A"),
    ({"projection": "alternating"}, "trains one factor at a time"),
    ({"expansion": "magnitude_mask", "projection": {"name": "frozen", "seed": "shared"}}, "dense"),
    ({"schedule": "asynchronous"}, "they share none"),
    ({"codec": "top_k"}, "never takes it away"),
    ({"aggregation": "snapshots"}, "what was said before"),
    ({"schedule": "asynchronous", "weights": "by_rows", "aggregation": "mean"}, "of its own"),
    ({"topology": "none", "aggregation": "none", "weights": None}, "devices hear each other"),
]


@pytest.mark.parametrize(("parts", "reason"), REFUSED)
def test_what_is_not_defined_is_refused_with_its_reason(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        FLEXATC.with_(**parts)


def test_clusters_negotiate_in_rounds_that_should_be_silent() -> None:
    lori = FLEXATC.with_(aggregation="mean", weights=None)
    with pytest.raises(ValidationError, match="negotiates and spreads experts besides"):
        lori.with_(
            projection={"name": "frozen", "seed": "own"},
            expansion="entropy_mask",
            aggregation="support_normalised",
            composition="gate",
            topology="clusters",
        )


SIGMAS = 4


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_the_coin_falls_as_often_as_it_should(p: float) -> None:
    rounds = 2000
    share = sum(coins(p, rounds)) / rounds
    assert abs(share - p) <= SIGMAS * (p * (1 - p) / rounds) ** 0.5
    assert ByCoin(probability=p).open_share == p
