"""Turns in which receivers do not disturb each other: a colouring of the round's graph."""

from __future__ import annotations

from cosim.topology.graphs import Neighbours


def distance_two_colours(graph: Neighbours) -> list[tuple[int, ...]]:
    """The devices of each colour: no two that are joined, or have a neighbour in common.

    A device that listens then sends nothing, and whoever sends has one receiver. Greedy, those of
    the most devices within two steps first and then by id: Δ² + 1 colours at most for a largest
    degree Δ, and never fewer than Δ + 1. Devices without neighbours have none.
    """
    joined = {device: others for device, others in graph.items() if others}
    near: dict[int, set[int]] = {}
    for device, others in joined.items():
        beyond = {far for other in others for far in graph[other]}
        near[device] = (beyond | set(others)) - {device}
    colours: list[list[int]] = []
    of: dict[int, int] = {}
    for device in sorted(joined, key=lambda device: (-len(near[device]), device)):
        near_colours = {of[other] for other in near[device] if other in of}
        colour = next(
            number for number in range(len(near_colours) + 1) if number not in near_colours
        )
        if colour == len(colours):
            colours.append([])
        of[device] = colour
        colours[colour].append(device)
    return [tuple(sorted(devices)) for devices in colours]
