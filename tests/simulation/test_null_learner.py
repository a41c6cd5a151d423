"""The network alone has the masks that its method would have, and no others."""

import pytest

from cosim.methods import METHODS
from cosim.simulation.setup.build import build_learner
from cosim.trace.schema import TopologyRow
from tests.simulation.small_networks import scenario, simulate


@pytest.mark.parametrize("name", METHODS)
def test_only_a_method_with_masks_predicts_collisions(name: str) -> None:
    chosen = scenario(method=name, devices=[{"count": 3}])
    described = build_learner(chosen).describe([0, 1])
    densities, sizes = described.densities, described.sizes
    assert densities.shape == ((2, 1) if METHODS[name].expansion.masked else (2, 0))
    assert sizes.size == densities.shape[1]
    rows = [row for row in simulate(chosen).rows if isinstance(row, TopologyRow)]
    assert rows
    for row in rows:
        assert (row.collision_predicted is None) != METHODS[name].expansion.masked
