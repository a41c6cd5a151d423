"""Recipes: what fits together, and what is refused with its reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.methods.meaning import keeps_experts
from cosim.methods.recipe import Recipe


def changed(name: str, **parts: Any) -> Recipe:
    return Recipe.model_validate({**METHODS[name].model_dump(), **parts})


@pytest.mark.parametrize("name", METHODS)
def test_a_registered_recipe_is_what_its_validation_makes_of_it(name: str) -> None:
    assert changed(name) == METHODS[name]
    assert METHODS[name].name == name


def test_who_trains_a_part_of_b_and_who_keeps_experts_apart() -> None:
    proposed = {"proposed", "proposed_single_cluster", "proposed_literal"}
    assert {name for name, recipe in METHODS.items() if recipe.masked} == proposed | {"lori"}
    keeping = {name for name, recipe in METHODS.items() if keeps_experts(recipe.aggregation)}
    assert keeping == proposed | {"lori", "lori_dense"}


REFUSED = [
    ("lora", {"topology": "none"}, "what is exchanged must be aggregated"),
    ("local", {"aggregation": "mean"}, "what is exchanged must be aggregated"),
    ("lora", {"projection": "frozen_own_seed"}, "every device has another A"),
    ("proposed", {"projection": "trainable"}, "reads each expert back through its frozen A"),
    ("lora", {"composition": "gate"}, "routes between stored experts"),
    ("lori", {"composition": "single"}, "keeps experts apart"),
    ("lori", {"projection": "trainable"}, "starts again with the A of that warm-up"),
    ("lora", {"topology": "clusters"}, "keeps sets of experts"),
    ("lora", {"literal": ["projection"]}, "is about a frozen A"),
    ("lora", {"literal": ["refinement"]}, "is about a frozen A"),
    ("lora", {"literal": ["spectrum"]}, "about the densities of expansion 'entropy_mask'"),
    ("lori", {"literal": ["density"]}, "about the densities of expansion 'entropy_mask'"),
    ("lori", {"literal": ["mask"]}, "about expansions 'gradient_mask' and 'entropy_mask'"),
    ("lori", {"literal": ["weights"]}, "about aggregations that average"),
    ("lora", {"literal": ["readback"]}, "about experts read out of an average"),
    ("proposed", {"literal": ["mask", "mask"]}, "names a point twice"),
    ("lora", {"data": "pooled"}, "lies in one place"),
    ("hard_moe", {"data": "pooled"}, "is answered with composition 'single'"),
    ("centralised", {"data": "task"}, "is answered with composition 'oracle'"),
    ("centralised", {"expansion": "entropy_mask"}, "trains one adapter"),
    ("centralised", {"projection": "frozen_own_seed"}, "trains one adapter"),
    ("lora", {"projection": "none"}, "go together"),
    ("lora", {"expansion": "every_parameter"}, "go together"),
    ("full_finetune", {"aggregation": "stacked", "composition": "gate"}, "one model a device"),
]


@pytest.mark.parametrize(("name", "parts", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused_with_its_reason(name: str, parts: Any, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        changed(name, **parts)


ALLOWED = [
    ("lora", {"aggregation": "stacked", "composition": "gate"}),
    ("lora", {"literal": ["weights"]}),
    ("lori", {"aggregation": "support_normalised", "composition": "uniform"}),
    ("proposed", {"composition": "oracle", "topology": "ring"}),
    ("proposed_single_cluster", {"expansion": "dense", "literal": ["readback", "weights"]}),
    ("centralised", {"projection": "frozen_shared_seed"}),
]


@pytest.mark.parametrize(("name", "parts"), ALLOWED)
def test_ablations_are_a_line(name: str, parts: Any) -> None:
    assert changed(name, **parts)


def test_who_calibrates() -> None:
    calibrated = {name for name, recipe in METHODS.items() if recipe.calibrated}
    assert calibrated == {"proposed", "proposed_single_cluster", "proposed_literal"}
    assert not changed("proposed", composition="oracle", expansion="gradient_mask").calibrated
    assert not changed("proposed", composition="oracle", literal=["density"]).calibrated
    assert changed("proposed", composition="oracle", literal=["refinement"]).calibrated
