"""Graphs of one round: who is whose neighbour, and which devices are connected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Neighbours = dict[int, tuple[int, ...]]


def joined(devices: Iterable[int], edges: Iterable[tuple[int, int]]) -> Neighbours:
    """The neighbours of every device, sorted, from the pairs that are joined.

    KeyError for a device that is not there, ValueError for one that is joined with itself.
    """
    neighbours: dict[int, set[int]] = {device: set() for device in devices}
    for first, second in edges:
        neighbours[first].add(second)
        neighbours[second].add(first)
    for device, others in neighbours.items():
        if device in others:
            raise ValueError(f"device {device} is joined with itself")
    return {device: tuple(sorted(others)) for device, others in neighbours.items()}


def complete_within(groups: Iterable[Sequence[int]], devices: Iterable[int]) -> Neighbours:
    """Every device's neighbours are the others of its group that are among the devices."""
    present = set(devices)
    neighbours: Neighbours = {}
    for group in groups:
        members = sorted(present.intersection(group))
        for device in members:
            neighbours[device] = tuple(other for other in members if other != device)
    return {device: neighbours[device] for device in sorted(neighbours)}


def components(graph: Neighbours) -> list[tuple[int, ...]]:
    """The connected groups of devices, each sorted, in the order of their smallest member."""
    members: set[int] = set()
    groups = []
    for start in sorted(graph):
        if start in members:
            continue
        group, border = {start}, [start]
        while border:
            for other in graph[border.pop()]:
                if other not in group:
                    group.add(other)
                    border.append(other)
        members |= group
        groups.append(tuple(sorted(group)))
    return groups
