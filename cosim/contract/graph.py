"""The check of who hears whom: graphs that the topology draws for groups of several sizes."""

from __future__ import annotations

from cosim.contract.subject import MethodUnderTest
from cosim.contract.verdict import Broken
from cosim.randomness import stream

_SIZES, _ROUNDS, _SIDE_M = (1, 2, 3, 5, 8), 3, 20.0


def graphs(subject: MethodUnderTest) -> str:
    """Of the same stream and places comes the same graph, in which nobody has more neighbours than
    `most_receivers` says."""
    topology = subject.method.topology
    if topology.negotiated:
        return "who hears whom hangs on messages, and is played in the network below"
    for size in _SIZES:
        devices, places_m = list(range(size)), None
        if topology.needs_positions:
            places_m = stream(0, "contract", size).uniform(0.0, _SIDE_M, (size, 2))
        for round_ in range(1, _ROUNDS + 1):
            first, again = (
                topology.neighbours(devices, topology.stream(0, round_), places_m) for _ in range(2)
            )
            if first != again:
                raise Broken(
                    f"edges of topology '{topology.word()}' are others when {size} devices at the "
                    "same places ask again: draw from `random`, which they are given"
                )
            most = max(map(len, first.values()))
            if most > topology.most_receivers(size - 1):
                raise Broken(
                    f"a device has {most} neighbours among {size - 1} others, and "
                    f"`most_receivers` says {topology.most_receivers(size - 1)} at most: power and "
                    "room were divided among too few"
                )
    return f"graphs of {', '.join(map(str, _SIZES))} devices follow from stream and places"
