"""What a learner holds after some rounds, in few numbers, for comparison with what was written
down.

A vector's fingerprint is its length, its sum, its norm and its product with a fixed vector: another
order of its values, another sign or one other value shows, a last bit does not. Processors differ
in last bits, by which instructions their products take; a digest of all bits is one of a machine.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import numpy as np
from cosim.methods.parts import Aggregation, Composition, Data, Expansion, LiteralPoint, Projection
from cosim.methods.recipe import Recipe
from pydantic import ValidationError

from cosim.methods import METHODS

SLOTS = {
    "projection": get_args(Projection),
    "expansion": get_args(Expansion),
    "aggregation": get_args(Aggregation),
    "composition": get_args(Composition),
    "data": get_args(Data),
}


def fingerprint(values: Any) -> list[float]:
    """Length, sum, norm, and the product with a fixed vector."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    fixed = np.random.default_rng(flat.size).standard_normal(flat.size)
    return [float(flat.size), float(flat.sum()), float(np.linalg.norm(flat)), float(flat @ fixed)]


def device_state(learner: Any, device: int) -> dict[str, list[float]]:
    """Fingerprints of a device's adapter, its optimiser's state and every expert of its bank."""
    vectors: dict[str, Any] = {}
    adapter = learner.fleet.adapters[device]
    vectors |= _adapter("adapter", adapter)
    if adapter.moments is not None:
        vectors["moments.first"] = adapter.moments.first
        vectors["moments.second"] = adapter.moments.second
        vectors["moments.steps"] = [float(adapter.moments.steps)]
    for owner, expert in sorted(learner.fleet.banks[device].items()):
        vectors |= _adapter(f"bank.{owner}", expert)
    return {name: fingerprint(values) for name, values in vectors.items()}


def _adapter(name: str, adapter: Any) -> dict[str, Any]:
    support = [] if adapter.support is None else adapter.support
    return {
        f"{name}.values": adapter.values,
        f"{name}.support": support,
        f"{name}.projection": adapter.projection,
        f"{name}.round": [float(adapter.round)],
    }


def recipes_drawn(count: int, seed: int) -> list[dict[str, Any]]:
    """Recipes of nobody's: registered ones with up to three other parts and up to two points taken
    as printed, as far as the parts fit together; no two learn alike."""
    dice = random.Random(seed)
    known = [_learning(method.model_dump(mode="json")) for method in METHODS.values()]
    drawn: list[dict[str, Any]] = []
    while len(drawn) < count:
        recipe = METHODS[dice.choice(list(METHODS))].model_dump(mode="json")
        for slot in dice.sample(list(SLOTS), dice.choice((1, 2, 3))):
            recipe[slot] = dice.choice(SLOTS[slot])
        if (recipe["aggregation"] == "none") != (recipe["topology"]["graph"] == "none"):
            recipe["topology"] = {"graph": "none" if recipe["aggregation"] == "none" else "ring"}
        if dice.random() < 0.4:
            recipe["literal"] = dice.sample(get_args(LiteralPoint), dice.choice((1, 2)))
        recipe |= {"name": "drawn", "reference": "drawn for the golden states"}
        try:
            whole = Recipe.model_validate(recipe).model_dump(mode="json")
        except ValidationError:
            continue
        if _learning(whole) not in known:
            known.append(_learning(whole))
            drawn.append(whole)
    return drawn


def _learning(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Without what makes no difference to a learner that is asked in one order."""
    apart = ("name", "reference", "topology", "schedule")
    return {slot: part for slot, part in recipe.items() if slot not in apart}


def pairs(devices: int) -> Iterator[tuple[int, int]]:
    """Every sender and receiver."""
    return itertools.permutations(range(devices), 2)
