"""AGNES: the sizes known by hand, what decides between merges, and what is refused."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.physics.power import lemma1_power_w
from cosim.topology.cluster_power import PowerNeed
from cosim.topology.clustering import Clustering, Merge, agnes

Table = NDArray[np.float64]


def sizes(found: Clustering) -> list[int]:
    return sorted((len(cluster) for cluster in found.clusters), reverse=True)


@pytest.mark.parametrize(
    ("s", "limit", "wanted"),
    [
        (0.1, 0.05, [2, 2, 2, 2, 2]),
        (0.1, 0.1, [4, 4, 2]),
        (0.1, 0.25, [6, 4]),
        (0.1, 0.009, [1] * 10),
        (0.1, 0.01, [2, 2, 2, 2, 2]),  # S_max itself is allowed, whatever 0.1² rounds to
        (0.5, 0.25, [2, 2, 2, 2, 2]),
        (0.5, 0.24, [1] * 10),
        (1.0, 0.99, [1] * 10),
        (1.0, 1.0, [10]),
        (0.0, 0.0, [10]),
    ],
)
def test_sizes_of_ten_equal_devices(s: float, limit: float, wanted: list[int]) -> None:
    assert sizes(agnes([s] * 10, limit)) == wanted


def test_equal_densities_pair_up_near_devices() -> None:
    at = np.array([0.0, 10.0, 1.0, 11.0, 30.0, 32.0])
    need = PowerNeed(np.abs(at[:, None] - at) ** 3, lambda n: 1e-3 * (2.0**n - 1), math.inf)
    found = agnes([0.1] * 6, 0.02, power=need)
    assert found.clusters == ((0, 2), (1, 3), (4, 5))


def test_without_a_difference_the_lowest_ids_merge_first() -> None:
    found = agnes([0.1] * 5, 0.02)
    assert [(merge.kept, merge.absorbed) for merge in found.merges] == [(0, 1), (2, 3)]
    assert found.clusters == ((0, 1), (2, 3), (4,))


def test_power_keeps_apart_what_collides_least() -> None:
    attenuation = np.ones((3, 3))
    attenuation[0, 1] = attenuation[1, 0] = 50.0
    need = PowerNeed(attenuation, lambda n: float(n), [10.0, 10.0, 10.0])
    found = agnes([0.01, 0.01, 0.5], 1.0, power=need)
    assert found.clusters == ((0, 2), (1,))
    assert sizes(agnes([0.01, 0.01, 0.5], 1.0)) == [3]


def test_a_device_has_its_own_limit() -> None:
    limit = np.array([1.0, 3.0, 3.0, 3.0])
    need = PowerNeed(np.ones((4, 4)), lambda n: float(n), limit)
    # A pair needs 1 W each, three together 4 W.
    assert agnes([0.1] * 4, 1.0, power=need).clusters == ((0, 1), (2, 3))
    limit[0] = 0.5
    assert agnes([0.1] * 4, 1.0, power=need).clusters == ((0,), (1, 2), (3,))


def test_the_power_is_lemma_1_summed_over_the_cluster() -> None:
    random = np.random.default_rng(8)
    gain, bits = random.uniform(1e-11, 1e-10, (5, 5)), random.uniform(1e5, 4e5, 5)
    gain[0, 3] = gain[3, 0] = 0.0
    radio = {"bandwidth_hz": 1e6, "deadline_s": 1.0}

    def noise_w(n: int) -> float:
        return 4e-15 / max(n, 1)  # of the receiver's share of the band

    def unit_power_w(n: int) -> Table:
        return np.asarray(lemma1_power_w(bits, receivers=n, gain=1.0, noise_w=noise_w(n), **radio))

    def total_w(members: tuple[int, ...], n: int) -> float:
        return sum(
            float(
                lemma1_power_w(bits[i], receivers=n, gain=gain[i, j], noise_w=noise_w(n), **radio)
            )
            for i, j in itertools.permutations(members, 2)
        )

    with np.errstate(divide="ignore"):
        need = PowerNeed(1 / gain, unit_power_w, 1.0)
    found = agnes([0.1, 0.12, 0.2, 0.11, 0.3], 1.0, power=need)
    assert sizes(found) == [3, 2]
    for cluster in found.clusters:
        assert not {0, 3} <= set(cluster)  # their link is dead
        degree, size = len(cluster) - 1, len(cluster)
        attenuation = need.checked_attenuation(5)[np.ix_(cluster, cluster)]
        power_w = need.at_gain_one_w(degree, 5)[list(cluster)] * attenuation.sum(axis=1)
        assert attenuation.shape == (size, size)
        assert power_w.sum() == pytest.approx(total_w(cluster, degree))


def test_devices_that_use_different_layers_never_collide() -> None:
    densities = np.eye(4)
    found = agnes(densities, 0.0)
    assert found.clusters == ((0, 1, 2, 3),)


def test_heavier_layers_count_for_more() -> None:
    densities = [[0.5, 0.0], [0.5, 0.0], [0.0, 0.5], [0.0, 0.5]]
    # Those of different layers never collide, and merge first.
    assert agnes(densities, 0.1).merges[0] == Merge(0, 2)
    heavy = agnes(densities[:2] + densities[2:3], 0.2, weights=[1.0, 3.0])
    assert sizes(heavy) == [3]
    rate = 0.25 / 4  # the first two collide in the lighter layer
    assert sizes(agnes(densities[:2], rate, weights=[1.0, 3.0])) == [2]
    assert sizes(agnes(densities[:2], rate * 0.999, weights=[1.0, 3.0])) == [1, 1]


def test_repeated_layers_change_nothing() -> None:
    densities = np.random.default_rng(1).uniform(0.02, 0.3, (12, 3))
    once = agnes(densities, 0.2, weights=[7.0, 14.0, 7.0])
    repeated = agnes(densities[:, [2, 1, 0, 0, 1, 1, 2, 2]], 0.2, weights=[1, 4, 3, 4, 5, 5, 2, 4])
    assert once.clusters == repeated.clusters
    assert once.merges == repeated.merges


@given(order=st.permutations(range(9)))
@example(order=list(range(9)))
def test_renaming_devices_renames_clusters(order: list[int]) -> None:
    random = np.random.default_rng(3)
    densities = random.uniform(0.02, 0.3, (9, 4))
    attenuation = random.uniform(1.0, 9.0, (9, 9))
    unit = random.uniform(1.0, 2.0, 9)
    p_max = 40.0

    def clusters(names: list[int]) -> set[frozenset[int]]:
        need = PowerNeed(attenuation[np.ix_(names, names)], lambda n: unit[names] * n, p_max)
        found = agnes(densities[names], 0.3, power=need)
        return {frozenset(names[i] for i in cluster) for cluster in found.clusters}

    assert clusters(order) == clusters(list(range(9)))


def test_tiny_densities_keep_their_order() -> None:
    # 1 − none − one would lose every digit of these scores.
    found = agnes([4e-9, 3e-9, 2e-9, 1e-9], 1.0)
    assert [(merge.kept, merge.absorbed) for merge in found.merges] == [(2, 3), (1, 2), (0, 1)]


def test_hundreds_of_devices_cluster_whole() -> None:
    densities = np.random.default_rng(5).uniform(0.02, 0.2, (200, 30))
    found = agnes(densities, 0.1)
    assert sorted(itertools.chain(*found.clusters)) == list(range(200))
    assert len(found.merges) == 200 - len(found.clusters)


@pytest.mark.parametrize(
    ("densities", "more", "message"),
    [
        ([], {}, "not empty"),
        ([0.1, 1.2], {}, r"lie in \[0, 1\]"),
        ([math.nan], {}, r"lie in \[0, 1\]"),
        ([0.1], {"weights": [1.0, 2.0]}, "weights"),
        ([0.1], {"weights": [0.0]}, "weights"),
        ([0.1, 0.1], {"power": PowerNeed(np.ones((3, 3)), float, 1.0)}, "attenuation"),
        ([0.1, 0.1], {"power": PowerNeed(-np.ones((2, 2)), float, 1.0)}, "attenuation"),
        ([0.1, 0.1], {"power": PowerNeed(np.ones((2, 2)), float, math.nan)}, "p_max_w"),
        ([0.1, 0.1], {"power": PowerNeed(np.ones((2, 2)), lambda n: -1.0, 1.0)}, "power"),
    ],
)
def test_what_makes_no_sense_is_refused(
    densities: list[float], more: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        agnes(densities, 0.1, **more)  # type: ignore[arg-type]


def test_a_threshold_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="max_collision_rate"):
        agnes([0.1], 1.5)
