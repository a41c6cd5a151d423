"""Graphs of chance meetings: as often as they should, apart from each other, static where asked."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.methods.topology.erdos_renyi import ErdosRenyi
from cosim.methods.topology.line import Line
from cosim.methods.topology.pairs import Pairs
from cosim.methods.topology.slot import Topology
from cosim.randomness import stream
from cosim.topology.graphs import Neighbours, components

ids = st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True).map(sorted)
choices: st.SearchStrategy[Topology] = st.one_of(
    st.builds(ErdosRenyi, probability=st.floats(0, 1), range_m=st.none() | st.floats(1, 100)),
    st.builds(Pairs, probability=st.floats(0, 1), range_m=st.none() | st.floats(1, 100)),
    st.just(Line()),
)


def drawn(devices: Sequence[int], choice: Topology, round_: int = 1, seed: int = 1) -> Neighbours:
    positions_m = stream(seed, "positions").uniform(0, 100, (len(devices), 2))
    return choice.neighbours(devices, stream(seed, "topology", round_), positions_m)


def edges(graph: Neighbours) -> set[tuple[int, int]]:
    return {(low, high) for low, others in graph.items() for high in others if low < high}


@given(devices=ids, choice=choices, seed=st.integers(0, 10**6))
def test_every_graph_is_symmetric_sorted_and_without_loops(
    devices: list[int], choice: Topology, seed: int
) -> None:
    graph = drawn(devices, choice, seed=seed)
    assert list(graph) == devices
    for device, others in graph.items():
        assert list(others) == sorted(set(others) - {device})
        assert all(device in graph[other] for other in others)
        assert len(others) <= choice.most_receivers(len(devices) - 1)


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_every_pair_is_joined_with_the_probability(probability: float) -> None:
    """Each within 5 σ of a binomial, and their number has its variance: they are apart."""
    devices, rounds = [0, 2, 3, 7, 9], 3000
    graphs = [edges(drawn(devices, ErdosRenyi(probability=probability), r)) for r in range(rounds)]
    counts = Counter(itertools.chain.from_iterable(graphs))
    sigma = math.sqrt(rounds * probability * (1 - probability))
    for pair in itertools.combinations(devices, 2):
        assert abs(counts[pair] - rounds * probability) < 5 * sigma
    sizes = np.array([len(graph) for graph in graphs])
    variance = 10 * probability * (1 - probability)
    assert sizes.var() == pytest.approx(variance, rel=5 * math.sqrt(3 / rounds))


def test_who_meets_does_not_hang_on_who_is_there() -> None:
    """A static graph stays one where a device is away."""
    choice = ErdosRenyi(probability=0.4, redraw=False)
    assert choice.static
    assert not ErdosRenyi().static
    everybody = edges(drawn(range(12), choice))
    some = [0, 3, 4, 7, 8, 11]
    assert edges(drawn(some, choice)) == {pair for pair in everybody if set(pair) <= set(some)}


def test_two_devices_meet_with_the_probability() -> None:
    rounds, probability = 4000, 0.3
    met = sum(bool(edges(drawn([4, 9], Pairs(probability=probability), r))) for r in range(rounds))
    sigma = math.sqrt(rounds * probability * (1 - probability))
    assert abs(met - rounds * probability) < 5 * sigma


@given(devices=ids, seed=st.integers(0, 10**6))
def test_where_all_would_meet_one_device_at_most_is_left_over(
    devices: list[int], seed: int
) -> None:
    met = edges(drawn(devices, Pairs(probability=1), seed=seed))
    assert len(met) == len(devices) // 2
    assert len(set(itertools.chain.from_iterable(met))) == 2 * len(met)
    assert edges(drawn(devices, Pairs(probability=0), seed=seed)) == set()


def test_a_matching_favours_nobody() -> None:
    """Of four devices that would all meet, the three pairings are equally likely."""
    rounds = 3000
    partners = Counter(drawn([0, 1, 2, 3], Pairs(probability=1), r)[0][0] for r in range(rounds))
    for other in (1, 2, 3):
        assert abs(partners[other] / rounds - 1 / 3) < 5 * math.sqrt(2 / 9 / rounds)


@given(devices=ids)
def test_a_line_is_one_chain_with_two_ends(devices: list[int]) -> None:
    graph = drawn(devices, Line())
    ends = {1: [0], 2: [1, 1]}.get(len(devices), [1, 1] + [2] * (len(devices) - 2))
    assert sorted(len(others) for others in graph.values()) == ends
    assert components(graph) == [tuple(devices)]


def test_nobody_is_joined_beyond_the_range() -> None:
    places = {1: 0.0, 4: 10.0, 6: 25.0}
    positions_m = np.array([(x, 0.0) for x in places.values()])
    random = stream(1, "topology", 1)
    choice = ErdosRenyi(probability=1, range_m=10)
    assert choice.neighbours(list(places), random, positions_m) == {1: (4,), 4: (1,), 6: ()}
    assert choice.farthest_m == 10
    with pytest.raises(ValueError, match="'erdos_renyi' needs positions"):
        choice.neighbours(list(places), random)


@pytest.mark.parametrize("graph", ["erdos_renyi", "pairs"])
def test_a_probability_is_one(graph: str) -> None:
    for wrong in (-0.1, 1.1, float("nan"), "often"):
        with pytest.raises(ValidationError):
            METHODS["lora"].with_(topology={"graph": graph, "probability": wrong})
