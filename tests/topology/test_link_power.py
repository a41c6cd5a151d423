"""A random graph under a link budget: every edge is carried at its degree, and none is left out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.randomness import stream
from cosim.topology.link_power import LinkNeed
from cosim.topology.random_graph import random_edges

Edges = list[tuple[int, int]]


def need_of(
    positions_m: NDArray[np.float64],
    efficiency: NDArray[np.float64],
    p_max_w: float,
    equally: bool = False,
    geometry: bool = True,
) -> LinkNeed:
    """Lemma 1 over 1/h = d², noise 1/n W: `efficiency` bit/s/Hz (M,) to a single receiver."""

    def attenuation(pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        apart_m = positions_m[pairs[:, 0]] - positions_m[pairs[:, 1]]
        return np.asarray(np.square(apart_m).sum(axis=1))

    return LinkNeed(
        attenuation,
        lambda degree: np.expm1(math.log(2) * efficiency * degree) / degree,
        p_max_w,
        shared_equally=equally,
        reach_m=(lambda most: np.sqrt(np.maximum(most, 0.0)) * 1.001) if geometry else None,
    )


def asked_w(
    edges: Edges, positions_m: NDArray[np.float64], efficiency: NDArray[np.float64], equally: bool
) -> list[float]:
    """Each device's power over its own links, from the formula alone."""
    powers = []
    for device in range(len(positions_m)):
        others = [a + b - device for a, b in edges if device in (a, b)]
        n = len(others)
        each = [
            (2 ** (efficiency[device] * n) - 1)
            / n
            * math.dist(positions_m[device], positions_m[k]) ** 2
            for k in others
        ]
        powers.append(n * max(each, default=0.0) if equally else sum(each))
    return powers


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(0, 40),
    degree=st.integers(1, 4),
    bits=st.floats(0.1, 6.0),
    p_max_w=st.floats(1.0, 1e6),
    range_m=st.none() | st.floats(10, 150),
    seed=st.integers(0, 10**6),
    equally=st.booleans(),
    geometry=st.booleans(),
)
def test_every_edge_is_carried_at_its_degree_and_none_could_be_added(
    count: int,
    degree: int,
    bits: float,
    p_max_w: float,
    range_m: float | None,
    seed: int,
    equally: bool,
    geometry: bool,
) -> None:
    random = stream(seed, "world")
    where = random.uniform(0, 100, (count, 2))
    efficiency = bits * random.uniform(0.5, 1.5, count)
    need = need_of(where, efficiency, p_max_w, equally, geometry)
    edges = random_edges(count, degree, stream(seed, "graph"), where, range_m, need)
    assert len(set(edges)) == len(edges)
    assert all(low < high for low, high in edges)
    assert max(asked_w(edges, where, efficiency, equally), default=0.0) <= p_max_w * (1 + 1e-9)
    degrees = np.bincount(np.array(edges, dtype=int).ravel(), minlength=count)
    assert max(degrees, default=0) <= degree
    for pair in itertools.combinations(range(count), 2):
        far = range_m is not None and math.dist(where[pair[0]], where[pair[1]]) > range_m
        if far or pair in edges or max(degrees[list(pair)]) == degree:
            continue
        asked = asked_w([*edges, pair], where, efficiency, equally)
        assert max(asked[pair[0]], asked[pair[1]]) > p_max_w * (1 - 1e-9)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(2, 60), degree=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_a_graph_whose_links_are_all_carried_is_the_one_drawn_without_them(
    count: int, degree: int, seed: int
) -> None:
    """p_max is just what the graph drawn blindly asks, so that many of the other pairs are too
    far apart to be joined."""
    where = stream(seed, "world").uniform(0, 100, (count, 2))
    efficiency = np.ones(count)
    blind = random_edges(count, degree, stream(seed, "graph"), where)
    p_max_w = max(asked_w(blind, where, efficiency, False)) * (1 + 1e-9)
    need = need_of(where, efficiency, p_max_w)
    assert random_edges(count, degree, stream(seed, "graph"), where, None, need) == blind


def test_where_two_do_not_fit_one_is_kept_and_where_none_does_a_device_is_alone() -> None:
    """On a line at 0, 1, 2 and 50 m, p_max 12 W. One link needs (2² − 1)·d²: 3 W over 1 m, 12 W
    over 2 m, and no device reaches the last one. Two need (2⁴ − 1)/2·(1 + 1) = 15 W at least."""
    where = np.array([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (50.0, 0.0)])
    need = need_of(where, np.full(4, 2.0), 12.0)
    drawn = {
        tuple(random_edges(4, 2, stream(seed, "graph"), where, None, need)) for seed in range(60)
    }
    assert drawn == {((0, 1),), ((1, 2),), ((0, 2),)}
    with_room = need_of(where, np.full(4, 2.0), 15.0)
    found = {
        frozenset(random_edges(4, 2, stream(seed, "graph"), where, None, with_room))
        for seed in range(60)
    }
    assert found == {frozenset({(0, 1), (1, 2)}), frozenset({(0, 2)})}


def test_nothing_to_send_is_carried_over_any_link() -> None:
    where = np.array([(0.0, 0.0), (1e6, 0.0), (0.0, 1e6)])
    need = need_of(where, np.zeros(3), 1e-9)
    assert len(random_edges(3, 2, stream(1, "graph"), where, None, need)) == 3


@pytest.mark.parametrize("efficiency", [1.0, 8.0])
def test_three_thousand_devices_under_a_link_budget(efficiency: float) -> None:
    """Too many to look at all of their pairs one by one; none is joined beyond its power."""
    where = stream(1, "positions").uniform(0, 1000, (3000, 2))
    bits = np.full(3000, efficiency)
    edges = random_edges(
        3000, 2, stream(1, "graph"), where, None, need_of(where, bits, 1e5 * efficiency)
    )
    assert max(asked_w_fast(edges, where, efficiency)) <= 1e5 * efficiency * (1 + 1e-9)
    assert len(edges) > 1000


def asked_w_fast(edges: Edges, where: NDArray[np.float64], efficiency: float) -> list[float]:
    others: dict[int, list[float]] = {}
    for low, high in edges:
        for end in (low, high):
            others.setdefault(end, []).append(math.dist(where[low], where[high]) ** 2)
    return [sum((2 ** (efficiency * len(o)) - 1) / len(o) * d for d in o) for o in others.values()]
