"""Graphs of one round: pure functions from a choice and a random stream to neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.methods.parts import unplayed
from cosim.methods.topologies import Complete, Nearest, NoExchange, RandomGraph, Ring
from cosim.topology.link_power import LinkNeed
from cosim.topology.nearest import nearest_edges
from cosim.topology.random_graph import random_edges

Neighbours = dict[int, tuple[int, ...]]
Graph = NoExchange | Complete | Ring | RandomGraph | Nearest


def needs_positions(choice: Graph) -> bool:
    """Whether `neighbours` must be told where the devices are."""
    match choice:
        case NoExchange() | Complete() | Ring():
            return False
        case RandomGraph():
            return choice.range_m is not None
        case Nearest():
            return True
        case other:
            unplayed("topology", other)


def neighbours(
    devices: Sequence[int],
    choice: Graph,
    random: np.random.Generator,
    positions_m: NDArray[np.float64] | None = None,
    need: LinkNeed | None = None,
) -> Neighbours:
    """The neighbours of every device, sorted; the relation is symmetric.

    positions_m: (M, 2) in m in the order of the devices; ValueError if the graph needs them and
    they are missing or of another shape. `random` is used by the random graph alone, which takes
    the pairs in a uniform order; the nearest graph takes them by distance, then by ids. Both keep
    each pair within range that leaves both ends within the degree. `need`, of the devices in the
    order of their ids, is used by a random graph that is `limit_by_links`: it keeps those pairs
    alone that leave both ends with power for all of their links; None: for any number of links.
    """
    match choice:
        case NoExchange():
            edges: list[tuple[int, int]] = []
        case Complete():
            edges = list(itertools.combinations(devices, 2))
        case Ring():
            edges = _ring(devices)
        case RandomGraph() | Nearest():
            edges = _bounded(devices, choice, random, positions_m, need)
        case other:
            unplayed("topology", other)
    found: dict[int, set[int]] = {device: set() for device in devices}
    for first, second in edges:
        found[first].add(second)
        found[second].add(first)
    return {device: tuple(sorted(others)) for device, others in found.items()}


def complete_within(groups: Iterable[Sequence[int]], devices: Iterable[int]) -> Neighbours:
    """Every device's neighbours are the others of its group that are among the devices."""
    there = set(devices)
    found: Neighbours = {}
    for group in groups:
        members = sorted(there.intersection(group))
        for device in members:
            found[device] = tuple(other for other in members if other != device)
    return {device: found[device] for device in sorted(found)}


def components(graph: Neighbours) -> list[tuple[int, ...]]:
    """The connected groups of devices, each sorted, in the order of their smallest member."""
    seen: set[int] = set()
    groups = []
    for start in sorted(graph):
        if start in seen:
            continue
        group, border = {start}, [start]
        while border:
            for other in graph[border.pop()]:
                if other not in group:
                    group.add(other)
                    border.append(other)
        seen |= group
        groups.append(tuple(sorted(group)))
    return groups


def _ring(devices: Sequence[int]) -> list[tuple[int, int]]:
    if len(devices) < 2:
        return []
    return list(zip(devices, [*devices[1:], devices[0]], strict=True))


def _bounded(
    devices: Sequence[int],
    choice: RandomGraph | Nearest,
    random: np.random.Generator,
    positions_m: NDArray[np.float64] | None,
    need: LinkNeed | None,
) -> list[tuple[int, int]]:
    """Edges of a graph of bounded degree, taken among the devices in the order of their ids."""
    ids = sorted(devices)
    places_m = None
    limited = isinstance(choice, RandomGraph) and choice.limit_by_links and need is not None
    if needs_positions(choice) or (limited and positions_m is not None):
        if positions_m is None or np.shape(positions_m) != (len(ids), 2):
            raise ValueError(f"graph '{choice.graph}' needs positions of shape ({len(ids)}, 2)")
        places_m = positions_m[np.argsort(np.asarray(devices))]
    if isinstance(choice, RandomGraph):
        asked = need if limited else None
        edges = random_edges(len(ids), choice.degree, random, places_m, choice.range_m, asked)
    else:
        assert places_m is not None
        edges = nearest_edges(places_m, choice.degree, choice.range_m)
    return [(ids[low], ids[high]) for low, high in edges]
