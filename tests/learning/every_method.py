"""The methods that a contract is held against: the registered ones, and some of nobody's."""

from collections.abc import Iterable
from typing import Any

import pytest

from cosim.methods import METHODS
from cosim.methods.method import Method
from cosim.methods.part import Part
from tests.learning.golden_states import SLOTS, methods_drawn

DRAWN, SEED = 12, 20
ALL = {**METHODS} | {
    f"drawn-{n}": Method.model_validate(parts) for n, parts in enumerate(methods_drawn(DRAWN, SEED))
}


def bringing_parts() -> frozenset[str]:
    """Registered methods that learn with a part with which none before them does."""
    known: set[type[Part]] = set()
    names = set()
    for name, method in METHODS.items():
        parts = {type(getattr(method, slot)) for slot in SLOTS}
        if not parts <= known:
            names.add(name)
        known |= parts
    return frozenset(names)


QUICK = bringing_parts()


def among(names: Iterable[str]) -> list[Any]:
    """The methods of these names; those that bring no part of their own are slow."""
    return [
        pytest.param(ALL[name], id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name in names
    ]


every_method = pytest.mark.parametrize("recipe", among(ALL))
