"""Turns by a colouring of the graph of devices at most two steps apart."""

import itertools

import pytest

from cosim.randomness import stream
from cosim.topology.colouring import distance_two_colours
from cosim.topology.graphs import Neighbours, joined


def graph_of(devices: int, edges: list[tuple[int, int]]) -> Neighbours:
    return joined(range(devices), edges)


def test_graphs_whose_number_of_turns_is_known() -> None:
    complete = graph_of(5, list(itertools.combinations(range(5), 2)))
    assert distance_two_colours(complete) == [(0,), (1,), (2,), (3,), (4,)]
    star = graph_of(5, [(0, k) for k in range(1, 5)])
    assert len(distance_two_colours(star)) == 5, "leaves hear each other's sender"
    ring = graph_of(6, [(k, (k + 1) % 6) for k in range(6)])
    assert len(distance_two_colours(ring)) == 3
    pairs = graph_of(5, [(0, 1), (2, 3)])
    assert distance_two_colours(pairs) == [(0, 2), (1, 3)], "who has no neighbours has no turn"
    assert distance_two_colours({}) == []


@pytest.mark.parametrize("seed", range(20))
def test_no_two_receivers_of_a_turn_share_a_device(seed: int) -> None:
    random = stream(seed, "test")
    devices = int(random.integers(2, 25))
    edges = [e for e in itertools.combinations(range(devices), 2) if random.random() < 0.2]
    graph = graph_of(devices, edges)
    colours = distance_two_colours(graph)
    assert sorted(d for colour in colours for d in colour) == [d for d in graph if graph[d]]
    for colour in colours:
        stars = [{device, *graph[device]} for device in colour]
        assert sum(map(len, stars)) == len(set().union(*stars))
    degree = max(map(len, graph.values()))
    assert not edges or degree + 1 <= len(colours) <= degree**2 + 1
