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
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.method import Method
from cosim.methods.part import PARTS

SLOTS = ("projection", "expansion", "weights", "aggregation", "composition", "data")


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
    if adapter.moments:
        moments = [adapter.moments[name] for name in "BA" if name in adapter.moments]
        vectors["moments.first"] = np.concatenate([part.first for part in moments])
        vectors["moments.second"] = np.concatenate([part.second for part in moments])
        vectors["moments.steps"] = [float(moments[0].steps)]
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


def methods_drawn(count: int, seed: int) -> list[dict[str, Any]]:
    """Methods of nobody's: registered ones with up to three other parts, each with settings drawn
    among those of few values, as far as the parts fit together; no two learn alike."""
    dice = random.Random(seed)
    known = [_learning(method.model_dump(mode="json")) for method in METHODS.values()]
    drawn: list[dict[str, Any]] = []
    while len(drawn) < count:
        method = METHODS[dice.choice(list(METHODS))].model_dump(mode="json")
        for slot in dice.sample(SLOTS, dice.choice((1, 2, 3))):
            method[slot] = part_drawn(slot, dice)
        aggregation = PARTS["aggregation"][word_of(method["aggregation"])]
        assert issubclass(aggregation, Aggregation)
        silent = not aggregation.exchanges
        if silent != (word_of(method["topology"]) == "none"):
            method["topology"] = "none" if silent else "ring"
        method |= {"name": "drawn", "reference": "drawn for the golden states"}
        try:
            whole = Method.model_validate(method).model_dump(mode="json")
        except ValidationError:
            continue
        if _learning(whole) not in known:
            known.append(_learning(whole))
            drawn.append(whole)
    return drawn


def word_of(part: Any) -> str:
    """The word of a part as it is dumped."""
    return str(part if isinstance(part, str) else part.get("name", part.get("graph")))


def part_drawn(slot: str, dice: random.Random) -> Any:
    """A part of a slot by its word, with one of the values of each setting that has few."""
    word = dice.choice(sorted(PARTS[slot]))
    settings = {}
    for name in PARTS[slot][word].settings():
        annotation = PARTS[slot][word].model_fields[name].annotation
        choices = (False, True) if annotation is bool else get_args(annotation)
        if choices and all(isinstance(choice, str | bool) for choice in choices):
            settings[name] = dice.choice(choices)
    return {"name": word, **settings}


def _learning(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Without what makes no difference to a learner that is asked in one order."""
    apart = ("name", "reference", "topology", "schedule")
    return {slot: part for slot, part in recipe.items() if slot not in apart}


def pairs(devices: int) -> Iterator[tuple[int, int]]:
    """Every sender and receiver."""
    return itertools.permutations(range(devices), 2)
