"""Graphs of one round: symmetric, sorted, within their degree, new every round where random."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cosim.methods.topologies import Complete, Nearest, NoExchange, RandomGraph, Ring, Topology
from cosim.randomness import stream
from cosim.topology.graphs import Graph, Neighbours, components, needs_positions, neighbours

choices: st.SearchStrategy[Graph] = st.one_of(
    st.sampled_from([NoExchange(), Complete(), Ring()]),
    st.builds(RandomGraph, degree=st.integers(1, 6), range_m=st.none() | st.floats(1, 100)),
    st.builds(Nearest, degree=st.integers(1, 6), range_m=st.none() | st.floats(1, 100)),
)
ids = st.lists(st.integers(0, 1000), min_size=1, max_size=15, unique=True).map(sorted)


def drawn(devices: list[int], choice: Graph, round_: int = 1, seed: int = 1) -> Neighbours:
    positions_m = stream(seed, "positions").uniform(0, 100, (len(devices), 2))
    return neighbours(devices, choice, stream(seed, "topology", round_), positions_m)


@given(devices=ids, choice=choices, seed=st.integers(0, 10**6))
def test_every_graph_is_symmetric_sorted_and_without_loops(
    devices: list[int], choice: Graph, seed: int
) -> None:
    graph = drawn(devices, choice, seed=seed)
    assert list(graph) == devices
    for device, others in graph.items():
        assert list(others) == sorted(set(others))
        assert device not in others
        assert all(device in graph[other] for other in others)


@given(devices=ids)
def test_the_complete_graph_is_everybody_else(devices: list[int]) -> None:
    for device, others in drawn(devices, Complete()).items():
        assert list(others) == [other for other in devices if other != device]


@given(devices=ids)
def test_a_ring_is_one_circle(devices: list[int]) -> None:
    graph = drawn(devices, Ring())
    assert {len(others) for others in graph.values()} == {min(2, len(devices) - 1)}
    assert components(graph) == [tuple(devices)]


def test_nobody_talks_without_exchange() -> None:
    graph = drawn([3, 5, 8], NoExchange())
    assert graph == {3: (), 5: (), 8: ()}
    assert components(graph) == [(3,), (5,), (8,)]


@given(devices=ids, degree=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_a_random_graph_keeps_the_degree_and_misses_no_edge_that_fits(
    devices: list[int], degree: int, seed: int
) -> None:
    graph = drawn(devices, RandomGraph(degree=degree), seed=seed)
    assert all(len(others) <= degree for others in graph.values())
    for first, second in itertools.combinations(devices, 2):
        full = len(graph[first]) == degree or len(graph[second]) == degree
        assert full or second in graph[first]


def test_a_random_graph_belongs_to_its_stream_and_changes_every_round() -> None:
    devices, choice = list(range(8)), RandomGraph(degree=2)
    graphs = [drawn(devices, choice, round_) for round_ in range(1, 21)]
    assert graphs == [drawn(devices, choice, round_) for round_ in range(1, 21)]
    assert len({tuple(graph.items()) for graph in graphs}) == 20
    assert drawn(devices, choice, seed=2) != graphs[0]


def test_a_random_graph_favours_nobody() -> None:
    """Of four devices with degree 1, the three pairings are equally likely."""
    rounds = 3000
    partners = [
        drawn([0, 1, 2, 3], RandomGraph(degree=1), round_)[0][0] for round_ in range(rounds)
    ]
    for other in (1, 2, 3):
        share = partners.count(other) / rounds
        assert share == pytest.approx(1 / 3, abs=4 * (2 / 9 / rounds) ** 0.5)


def test_components_are_the_connected_groups_in_order() -> None:
    graph = {9: (4,), 4: (9, 7), 7: (4,), 1: (2,), 2: (1,), 5: ()}
    assert components(graph) == [(1, 2), (4, 7, 9), (5,)]
    assert components({}) == []


@given(devices=ids, degree=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_components_split_the_devices_and_no_edge_crosses(
    devices: list[int], degree: int, seed: int
) -> None:
    graph = drawn(devices, RandomGraph(degree=degree), seed=seed)
    groups = components(graph)
    assert sorted(device for group in groups for device in group) == devices
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    for group in groups:
        reached, new = {group[0]}, {group[0]}
        while new:
            new = {other for device in new for other in graph[device]} - reached
            reached |= new
        assert reached == set(group)


@given(devices=ids, choice=choices, seed=st.integers(0, 10**6))
def test_positions_are_used_where_they_are_needed(
    devices: list[int], choice: Graph, seed: int
) -> None:
    if needs_positions(choice):
        with pytest.raises(ValueError, match="needs positions of shape"):
            neighbours(devices, choice, stream(seed, "topology", 1))
        with pytest.raises(ValueError, match="needs positions of shape"):
            neighbours(
                devices, choice, stream(seed, "topology", 1), np.zeros((len(devices) + 1, 2))
            )
    else:
        alone = neighbours(devices, choice, stream(seed, "topology", 1))
        assert alone == drawn(devices, choice, seed=seed)


def test_the_order_of_the_devices_does_not_matter_to_the_nearest() -> None:
    """Three equal gaps on a line: the pair of the lowest ids comes first."""
    places = {4: 0.0, 2: 10.0, 7: 20.0, 1: 30.0}
    for devices in itertools.permutations(places):
        positions_m = np.array([(places[device], 0.0) for device in devices])
        graph = neighbours(devices, Nearest(degree=1), stream(1, "topology", 1), positions_m)
        assert graph == {1: (7,), 7: (1,), 2: (4,), 4: (2,)}


def test_a_topology_is_named_or_spelled_out() -> None:
    topology = TypeAdapter[Any](Topology)
    assert topology.validate_python("nearest") == Nearest(degree=2, range_m=None)
    spelled = {"graph": "random", "degree": 3, "range_m": 50}
    assert topology.validate_python(spelled) == RandomGraph(degree=3, range_m=50.0)
    for wrong in ({"range_m": 0}, {"range_m": float("nan")}, {"degree": 0}, {"range": 1}):
        for graph in ("random", "nearest"):
            with pytest.raises(ValidationError):
                topology.validate_python({"graph": graph} | wrong)
