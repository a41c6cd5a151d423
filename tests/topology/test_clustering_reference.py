"""AGNES against a reference that follows the text literally, on small random instances."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.topology.cluster_power import PowerNeed
from cosim.topology.clustering import TIE, Merge, agnes
from cosim.topology.collision import predicted_collision_rate

Table = NDArray[np.float64]


def exactly_counted_rate(densities: Table) -> Table:
    """Eq. 19 by the distribution of the number of holders: sums of positive terms only."""
    held = np.zeros((len(densities) + 1, densities.shape[1]))
    held[0] = 1.0
    for s in densities:
        held[1:] = held[1:] * (1 - s) + held[:-1] * s
        held[0] *= 1 - s
    return np.asarray(held[2:].sum(axis=0))


@dataclass
class Case:
    """Densities (M, L), weights, 1/h, Q of each device for unit power Q·(2^n − 1), limits."""

    densities: Table
    weights: Table
    attenuation: Table
    demand: Table
    p_max_w: float
    max_collision_rate: float
    constrained: bool

    def need(self) -> PowerNeed | None:
        if not self.constrained:
            return None
        return PowerNeed(self.attenuation, lambda n: self.demand * (2.0**n - 1), self.p_max_w)

    def power_w(self, members: tuple[int, ...]) -> list[float]:
        if not self.constrained or len(members) == 1:
            return [0.0] * len(members)
        unit = self.demand * (2.0 ** (len(members) - 1) - 1)
        return [
            0.0
            if unit[i] == 0
            else unit[i] * sum(self.attenuation[i, j] for j in members if j != i)
            for i in members
        ]

    def collision_rate(self, members: tuple[int, ...]) -> float:
        rate = exactly_counted_rate(self.densities[list(members)])
        return float(rate @ self.weights / self.weights.sum())


def reference(case: Case) -> tuple[list[tuple[int, ...]], list[Merge]]:
    """The clusters, and every merge in order."""
    clusters: list[tuple[int, ...]] = [(device,) for device in range(len(case.densities))]

    def permitted(union: tuple[int, ...]) -> bool:
        return not case.constrained or max(case.power_w(union)) <= case.p_max_w

    merges: list[Merge] = []
    while True:
        options = []
        for first, second in itertools.combinations(clusters, 2):
            union = first + second
            score = case.collision_rate(union)
            if score <= case.max_collision_rate * (1 + TIE) and permitted(union):
                options.append((score, sum(case.power_w(union)), first, second))
        if not options:
            return clusters, merges
        least = min(option[0] for option in options)
        options = [option for option in options if option[0] <= least * (1 + TIE)]
        power = min(option[1] for option in options)
        options = [option for option in options if option[1] <= power * (1 + TIE)]
        _, _, first, second = min(options, key=lambda option: (option[2][0], option[3][0]))
        merges.append(Merge(first[0], second[0]))
        clusters = [cluster for cluster in clusters if cluster not in (first, second)]
        clusters = sorted([*clusters, tuple(sorted(first + second))])


# Coarse values, so that ties, densities of 0 and 1, dead links and silent devices are common.
density = st.sampled_from([0.0, 0.05, 0.1, 0.1, 0.1, 0.3, 0.5, 1.0]) | st.floats(0.01, 1.0)
loss = st.sampled_from([1.0, 1.0, 2.0, 4.0, 8.0, math.inf])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    devices = draw(st.integers(1, 7))
    layers = draw(st.integers(1, 3))

    def table(values: st.SearchStrategy[float], *shape: int) -> Table:
        count = math.prod(shape)
        return np.array(draw(st.lists(values, min_size=count, max_size=count))).reshape(shape)

    return Case(
        densities=table(density, devices, layers),
        weights=table(st.sampled_from([1.0, 2.0, 5.0]), layers),
        attenuation=table(loss, devices, devices),
        demand=table(st.sampled_from([0.0, 0.5, 1.0, math.inf, 1.0]), devices),
        p_max_w=draw(st.sampled_from([0.0, 3.0, 20.0, 101.0, 1e4, math.inf])),
        max_collision_rate=draw(st.sampled_from([0.0, 0.01, 0.05, 0.25, 0.6, 1.0])),
        constrained=draw(st.booleans()),
    )


@pytest.mark.slow
@given(case=cases())
def test_it_does_what_the_text_says(case: Case) -> None:
    found = agnes(case.densities, case.max_collision_rate, weights=case.weights, power=case.need())
    assert (list(found.clusters), list(found.merges)) == reference(case)
    for cluster in found.clusters:
        exact = predicted_collision_rate(case.densities[list(cluster)])
        rate = float(exact @ case.weights / case.weights.sum())
        assert rate <= case.max_collision_rate * (1 + TIE) + 1e-14
        if case.constrained and len(cluster) > 1:
            assert max(case.power_w(cluster)) <= case.p_max_w
