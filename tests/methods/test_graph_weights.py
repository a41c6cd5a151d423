"""Weights that a graph gives: doubly stochastic, as far as all arrives, and contracting as told."""

from collections.abc import Collection, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.methods import METHODS
from cosim.methods.message import Graph, Heard, Message
from cosim.methods.method import Method
from cosim.methods.topology.complete import Complete
from cosim.methods.topology.erdos_renyi import ErdosRenyi
from cosim.methods.topology.line import Line
from cosim.methods.topology.ring import Ring
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.by_rows import ByRows
from cosim.methods.weights.laplacian import Laplacian
from cosim.methods.weights.metropolis import Metropolis
from cosim.methods.weights.slot import Weights
from cosim.methods.weights.uniform import Uniform
from cosim.randomness import stream
from cosim.topology.mixing import best_interval, contraction, largest_laplacian_eigenvalue

FloatArray = NDArray[np.float64]
DEVICES = 10


def graphs(topology: Topology, rounds: int = 1, devices: int = DEVICES) -> Iterator[Graph]:
    for round_ in range(rounds):
        yield topology.neighbours(range(devices), stream(5, "topology", round_))


def shares(
    weights: Weights, device: int, graph: Graph, lost: Collection[int] = (), freshness: float = 1.0
) -> dict[int, float]:
    """What of each message is in the mixture of a device that hears its neighbours."""
    senders = sorted({device, *graph[device]} - set(lost))
    heard = [
        Heard(Message(sender, 1, (), 1.0), freshness=1.0 if sender == device else freshness)
        for sender in senders
    ]
    w = weights.within(device, heard, graph)
    return {
        sender: one / weights.total(w, len(graph)) for sender, one in zip(senders, w, strict=True)
    }


def matrix(weights: Weights, graph: Graph) -> FloatArray:
    W = np.zeros((len(graph), len(graph)))
    for device in graph:
        for sender, share in shares(weights, device, graph).items():
            W[device, sender] = share
    return W


PARTS = [Metropolis(), Laplacian(), Metropolis(absent="renormalise"), Laplacian(absent="keep_own")]
random_graphs = st.builds(
    lambda p, n, seed: ErdosRenyi(probability=p).neighbours(range(n), stream(seed, "topology")),
    st.floats(0, 1),
    st.integers(1, 12),
    st.integers(0, 10**6),
)


@given(graph=random_graphs, weights=st.sampled_from(PARTS))
def test_the_weights_of_a_whole_round_are_symmetric_and_doubly_stochastic(
    graph: Graph, weights: Weights
) -> None:
    W = matrix(weights, graph)
    assert pytest.approx(W.T, abs=1e-12) == W
    assert W.sum(axis=0) == pytest.approx(np.ones(len(graph)))
    assert W.min() >= 0.0
    assert np.linalg.eigvalsh(W)[0] > -1.0 + 1e-9, "it would swing for ever"


@pytest.mark.slow
@given(graph=random_graphs)
def test_laplacian_weights_are_the_formula_with_eigenvalues_from_a_third(graph: Graph) -> None:
    A = np.zeros((len(graph), len(graph)))
    for device, others in graph.items():
        A[device, list(others)] = 1.0
    L = np.diag(A.sum(axis=0)) - A
    largest = float(np.linalg.eigvalsh(L)[-1])
    assert largest_laplacian_eigenvalue(graph) == pytest.approx(largest, abs=1e-9)
    W = matrix(Laplacian(), graph)
    expected = np.eye(len(graph)) - (2 * L / (3 * largest) if A.any() else 0)
    assert pytest.approx(expected, abs=1e-12) == W
    assert np.linalg.eigvalsh(W)[0] >= 1 / 3 - 1e-9


def test_a_ring_of_ten_keeps_two_thirds() -> None:
    (graph,) = graphs(Ring())
    assert shares(Laplacian(), 0, graph) == pytest.approx({0: 2 / 3, 1: 1 / 6, 9: 1 / 6})
    assert shares(Metropolis(), 0, graph) == pytest.approx({0: 1 / 3, 1: 1 / 3, 9: 1 / 3})


def test_the_ends_of_a_line_count_by_the_larger_degree() -> None:
    (graph,) = graphs(Line(), devices=4)
    assert shares(Metropolis(), 0, graph) == pytest.approx({0: 2 / 3, 1: 1 / 3})
    assert shares(Metropolis(), 1, graph) == pytest.approx({0: 1 / 3, 1: 1 / 3, 2: 1 / 3})


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_a_complete_graph_is_the_mean(devices: int) -> None:
    """To the bit where a share is a power of two."""
    (graph,) = graphs(Complete(), devices=devices)
    for weights in (Metropolis(), Uniform()):
        assert matrix(weights, graph).tolist() == [[1 / devices] * devices] * devices


def test_what_is_lost_stays_with_the_device_or_is_shared_out() -> None:
    (graph,) = graphs(Line(), devices=4)
    assert shares(Metropolis(), 1, graph, lost=[0]) == pytest.approx({1: 2 / 3, 2: 1 / 3})
    renormalised = Metropolis(absent="renormalise")
    assert shares(renormalised, 1, graph, lost=[0]) == pytest.approx({1: 1 / 2, 2: 1 / 2})
    ring = next(iter(graphs(Ring())))
    assert shares(Laplacian(), 1, ring, lost=[0]) == pytest.approx({1: 5 / 6, 2: 1 / 6})
    shared = shares(Laplacian(absent="renormalise"), 1, ring, lost=[0])
    assert shared == pytest.approx({1: 4 / 5, 2: 1 / 5})


def test_shares_of_what_was_heard_may_be_kept_as_well() -> None:
    """Device 1 of a line has 2, 3 and 5 rows in its neighbourhood and does not hear the first."""
    (graph,) = graphs(Line(), devices=4)
    kept = Uniform(absent="keep_own")
    assert shares(kept, 1, graph, lost=[0]) == pytest.approx({1: 2 / 3, 2: 1 / 3})
    assert shares(Uniform(), 1, graph, lost=[0]) == pytest.approx({1: 1 / 2, 2: 1 / 2})
    rows = (2.0, 3.0, 5.0, 7.0)
    heard = [Heard(Message(sender, 1, (), rows[sender])) for sender in (1, 2)]
    for weights in (ByRows(absent="keep_own"), ByRows(absent="mutual")):
        assert weights.within(1, heard, graph, rows) == pytest.approx([5 / 10, 5 / 10])
    assert ByRows().within(1, heard, graph, rows) == [3.0, 5.0]
    halved = [heard[0], Heard(heard[1].message, age=1, freshness=0.5)]
    weights = ByRows(absent="keep_own")
    assert weights.within(1, halved, graph, rows) == pytest.approx([7.5 / 10, 2.5 / 10])


@pytest.mark.parametrize("part", [ByRows(absent="keep_own"), Uniform(absent="keep_own")])
def test_whoever_is_heard_from_earlier_graphs_leaves_the_device_its_share(
    part: ByRows | Uniform,
) -> None:
    """Three late ones beside one neighbour that was not heard: a fifth each."""
    heard = [Heard(Message(0, 2, (), 1.0)), *(Heard(Message(n, 1, (), 1.0)) for n in (1, 2, 3))]
    assert part.within(0, heard, {0: (4,)}, [1.0] * 5) == pytest.approx([0.4, 0.2, 0.2, 0.2])
    assert part.within(0, heard, {0: ()}, [1.0] * 5) == pytest.approx([0.25] * 4)


@pytest.mark.parametrize("part", [ByRows, Uniform])
@given(graph=random_graphs, counts=st.lists(st.integers(1, 9), min_size=12, max_size=12))
def test_where_all_are_heard_it_is_one_who_keeps_what(
    part: type[ByRows | Uniform], graph: Graph, counts: list[int]
) -> None:
    rows = [float(count) for count in counts]
    for device in graph:
        senders = sorted({device, *graph[device]})
        heard = [Heard(Message(sender, 1, (), rows[sender])) for sender in senders]
        kept = part(absent="keep_own").within(device, heard, graph, rows)
        plain = part().within(device, heard, graph, rows)
        assert kept == pytest.approx([weight / sum(plain) for weight in plain])


@pytest.mark.parametrize("name", ["uniform", "by_rows"])
@pytest.mark.parametrize(
    ("method", "absent", "reason"),
    [
        (METHODS["lori"], "keep_own", "are about aggregations that average"),
        (METHODS["lora"].with_(schedule="asynchronous"), "mutual", "they share none"),
    ],
)
def test_shares_that_are_kept_nowhere_are_refused(
    name: str, method: Method, absent: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        method.with_(weights={"name": name, "absent": absent})


def test_what_a_late_message_weighs_less_stays_with_the_device() -> None:
    (graph,) = graphs(Complete(), devices=2)
    assert shares(Metropolis(), 0, graph, freshness=0.5) == {0: 0.75, 1: 0.25}


def test_a_device_that_is_heard_from_an_earlier_graph_has_a_share() -> None:
    graph = {0: (), 1: (2,), 2: (1,)}
    late = Heard(Message(1, 1, (), 1.0), age=1, freshness=0.5)
    own = Heard(Message(0, 2, (), 1.0))
    assert Metropolis().within(0, [own, late], graph) == [0.75, 0.25]
    assert Laplacian().within(0, [own, late], graph) == pytest.approx([5 / 6, 1 / 6])


@pytest.mark.parametrize("weights", [Metropolis(), Laplacian()])
def test_a_bank_of_experts_has_no_such_weights(weights: Weights) -> None:
    with pytest.raises(ValueError, match="are about aggregations that average"):
        METHODS["lori"].with_(weights=weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topology", "rho", "slack"),
    [
        (ErdosRenyi(probability=0.5), 0.156, 0.004),
        (ErdosRenyi(probability=0.2), 0.434, 0.010),
        (Ring(), 0.762, 0.0005),
    ],
    ids=str,
)
def test_rounds_contract_as_the_table_says(topology: Topology, rho: float, slack: float) -> None:
    """λmax(E[WᵀW] − J) of ten devices and Metropolis's weights; over the drawn graphs it is an
    estimate, of four thousand."""
    rounds = 1 if isinstance(topology, Ring) else 4000
    Ws = [matrix(Metropolis(), graph) for graph in graphs(topology, rounds)]
    assert contraction(Ws) == pytest.approx(rho, abs=slack)


def test_agreement_at_once_is_0_and_devices_that_never_hear_of_others_1() -> None:
    assert contraction([np.full((4, 4), 0.25)]) == pytest.approx(0.0, abs=1e-15)
    assert contraction([np.eye(4)]) == pytest.approx(1.0)
    # Two pairs that never meet are two islands; that meet in turn, they are none.
    first, second = np.kron(np.eye(2), np.full((2, 2), 0.5)), np.eye(4)
    second[np.ix_([0, 3], [0, 3])] = second[np.ix_([1, 2], [1, 2])] = 0.5
    assert contraction([first]) == pytest.approx(1.0)
    assert contraction([first, second]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least one round"):
        contraction([])
    with pytest.raises(ValueError, match=r"must be \(4, 4\)"):
        contraction([np.eye(4), np.eye(3)])


def test_the_distance_from_the_mean_shrinks_by_the_contraction_at_least() -> None:
    (graph,) = graphs(ErdosRenyi(probability=0.4))
    W = matrix(Metropolis(), graph)
    x = stream(1, "values").standard_normal((DEVICES, 3))
    before = ((x - x.mean(axis=0)) ** 2).sum()
    after = ((W @ x - x.mean(axis=0)) ** 2).sum()
    assert after <= contraction([W]) * before


@pytest.mark.parametrize(
    ("rho", "interval"), [(0.0, 1), (0.156, 1), (0.643, 2), (0.799, 2), (0.912, 3), (0.955, 5)]
)
def test_the_best_interval_grows_as_devices_agree_more_slowly(rho: float, interval: int) -> None:
    assert best_interval(rho) == interval
    assert best_interval(rho, scale=0.1) == 1
    with pytest.raises(ValueError, match="gives no interval"):
        best_interval(1.0)
