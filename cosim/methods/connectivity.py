"""How fast devices agree by the law of their graphs and weights, before any of them has spoken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.methods.message import Graph, Heard, Message
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.slot import Weights
from cosim.randomness import stream
from cosim.topology.mixing import FloatArray, contraction_of, disagreement_of

# Matrices of more devices take too long, and fewer graphs than the least say too little.
MOST_DEVICES = 500
_DRAWS, _LEAST_GRAPHS, _MOST_GRAPHS = 20_000, 100, 2000


def mixing_matrix(weighing: Weights, graph: Graph) -> FloatArray:
    """W (m, m) of a round in which everybody speaks and is heard by all of its neighbours.

    Rows are those of the graph's devices, in its order. All have equally many training rows: of
    others nobody knows them before it has heard of them.
    """
    place = {device: number for number, device in enumerate(graph)}
    heard = {device: Heard(Message(device, 1, (), 1.0)) for device in graph}
    W = np.eye(len(place))
    for device, others in graph.items():
        if others:
            ids = sorted((device, *others))
            weights = weighing.within(device, [heard[member] for member in ids], graph)
            total = weighing.total(weights, len(place))
            row = place[device]
            W[row, row] = 0.0
            W[row, [place[member] for member in ids]] = np.array(weights) / total
    return W


def expected_contraction(
    topology: Topology,
    weighing: Weights,
    devices: Sequence[int],
    seed: int,
    positions_m: NDArray[np.float64] | None = None,
    mixings: int = 1,
) -> tuple[float, int]:
    """ρ = λmax(E[Wᵀ(I − 11ᵀ/m)W]) of a topology's rounds, and from how many drawn graphs it is.

    Where all rounds have one graph it is that one; else it is estimated from graphs drawn by the
    topology's law from a stream of their own, 2000 of ten devices and 100 of 200 or more, and the
    largest eigenvalue of their mean is somewhat above that of the expectation. Links carry what
    they may have to. mixings: of a round, over one graph.
    """
    draws = round(_DRAWS / max(len(devices), 1))
    count = 1 if topology.static else max(_LEAST_GRAPHS, min(draws, _MOST_GRAPHS))
    graphs: Counter[tuple[tuple[int, tuple[int, ...]], ...]] = Counter()
    for number in range(count):
        random = topology.stream(seed, 1) if topology.static else stream(seed, "agreement", number)
        graphs[tuple(topology.neighbours(devices, random, positions_m).items())] += 1
    second: FloatArray = np.zeros((len(devices), len(devices)))
    for graph, times in graphs.items():
        W = np.linalg.matrix_power(mixing_matrix(weighing, dict(graph)), mixings)
        second += times * disagreement_of(W)
    return contraction_of(second, count), count if len(graphs) > 1 else 1
