"""The methods that a contract is held against: the registered ones, and some of nobody's."""

import pytest

from cosim.methods import METHODS
from cosim.methods.method import Method
from tests.learning.golden_states import methods_drawn

DRAWN, SEED = 12, 20
ALL = {**METHODS} | {
    f"drawn-{n}": Method.model_validate(parts) for n, parts in enumerate(methods_drawn(DRAWN, SEED))
}
every_method = pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(recipe, id=name, marks=() if name in METHODS else pytest.mark.slow)
        for name, recipe in ALL.items()
    ],
)
