"""Graphs of one round: pure functions from a choice and a random stream to neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from cosim.methods.recipe import Complete, NoExchange, RandomGraph, Ring

Neighbours = dict[int, tuple[int, ...]]
Graph = NoExchange | Complete | Ring | RandomGraph


def neighbours(devices: Sequence[int], choice: Graph, random: np.random.Generator) -> Neighbours:
    """The neighbours of every device, sorted; the relation is symmetric.

    `random` is used by the random graph alone, which draws the edges in a uniform order and
    keeps each that leaves both ends within the degree.
    """
    match choice:
        case NoExchange():
            edges: list[tuple[int, int]] = []
        case Complete():
            edges = list(itertools.combinations(devices, 2))
        case Ring():
            edges = _ring(devices)
        case RandomGraph():
            edges = _random(devices, choice.degree, random)
    found: dict[int, set[int]] = {device: set() for device in devices}
    for first, second in edges:
        found[first].add(second)
        found[second].add(first)
    return {device: tuple(sorted(others)) for device, others in found.items()}


def components(graph: Neighbours) -> list[tuple[int, ...]]:
    """Connected groups of devices, each sorted, in the order of their smallest member."""
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


def _random(
    devices: Sequence[int], degree: int, random: np.random.Generator
) -> list[tuple[int, int]]:
    edges = list(itertools.combinations(devices, 2))
    left = dict.fromkeys(devices, degree)
    kept = []
    for index in random.permutation(len(edges)):
        first, second = edges[int(index)]
        if left[first] and left[second]:
            left[first] -= 1
            left[second] -= 1
            kept.append((first, second))
    return kept
