"""Methods: what fits together, and what is refused with its reason."""

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.methods.calibration import Need
from cosim.methods.composition.uniform import UniformMerge
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.method import Method
from cosim.methods.part import PARTS, Part
from cosim.methods.projection.frozen import Frozen
from cosim.methods.topology.none import NoExchange
from cosim.methods.weights.uniform import Uniform


def changed(name: str, **parts: Any) -> Method:
    return METHODS[name].with_(**parts)


@pytest.mark.parametrize("name", METHODS)
def test_a_registered_method_is_what_its_validation_makes_of_it(name: str) -> None:
    method = METHODS[name]
    assert changed(name) == method
    assert Method.model_validate(method.model_dump()) == method
    assert Method.model_validate(method.model_dump(mode="json")) == method
    assert Method.model_validate_json(method.model_dump_json()) == method
    assert method.name == name
    assert method.expansion.masked == (method.expansion.word() or "").endswith("_mask")
    assert [part.slot for part in method.parts()].count("weights") == 1
    assert {part.slot for part in method.parts()} == set(PARTS)


REFUSED = [
    ("lora", {"topology": "none"}, "what is exchanged must be aggregated"),
    ("lora", {"topology": NoExchange()}, "what is exchanged must be aggregated"),
    ("local", {"aggregation": "mean"}, "what is exchanged must be aggregated"),
    ("lora", {"projection": "frozen"}, "every device has another A"),
    ("lora", {"projection": Frozen()}, "every device has another A"),
    ("lora", {"projection": Frozen(seed="shared", refined=True)}, "every device has another A"),
    ("proposed", {"projection": "trained"}, "reads each expert back through its frozen A"),
    ("lora", {"composition": "gate"}, "routes between stored experts"),
    ("lori", {"composition": "single"}, "keeps experts apart"),
    ("lori", {"projection": "trained"}, "starts again with the A of that warm-up"),
    ("lori", {"weights": "as_printed"}, "are about aggregations that average"),
    ("lora", {"topology": "clusters"}, "keeps sets of experts"),
    ("proposed", {"expansion": "dense"}, "puts devices together whose masks seldom collide"),
    ("proposed", {"schedule": "cluster"}, "use schedule 'synchronous', not cluster"),
    ("lora", {"data": "pooled"}, "lies in one place"),
    ("hard_moe", {"data": "pooled"}, "is answered with composition 'single'"),
    ("centralised", {"data": "task"}, "is answered with composition 'oracle'"),
    ("centralised", {"expansion": "entropy_mask"}, "trains one adapter"),
    ("centralised", {"projection": "frozen"}, "trains one adapter"),
    # Refined with its inputs, a common A becomes each device's own.
    ("centralised", {"projection": Frozen(seed="shared", refined=True)}, "trains one adapter"),
    ("lora", {"projection": "none"}, "go together"),
    ("lora", {"expansion": "every_parameter"}, "go together"),
    ("full_finetune", {"aggregation": "stacked", "composition": "gate"}, "one model a device"),
]


@pytest.mark.parametrize(("name", "parts", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused_with_its_reason(
    name: str, parts: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        changed(name, **parts)


ALLOWED = [
    ("lora", {"aggregation": "stacked", "composition": "gate"}),
    ("lora", {"weights": "as_printed"}),
    ("lora", {"weights": Uniform(), "staleness_exponent": 0}),
    ("lori", {"aggregation": "support_normalised", "composition": "uniform"}),
    ("proposed", {"composition": "oracle", "topology": "ring"}),
    (
        "proposed_single_cluster",
        {
            "expansion": "dense",
            "aggregation": {"name": "support_normalised", "readback": "whole"},
            "weights": "as_printed",
        },
    ),
    ("centralised", {"projection": {"name": "frozen", "seed": "shared"}}),
]


@pytest.mark.parametrize(("name", "parts"), ALLOWED)
def test_ablations_are_a_line(name: str, parts: dict[str, Any]) -> None:
    assert changed(name, **parts) != METHODS[name]


@pytest.mark.parametrize("slot", PARTS)
def test_a_part_of_another_slot_is_refused(slot: str) -> None:
    other: Part = METHODS["lora"].schedule if slot == "topology" else METHODS["lora"].topology
    with pytest.raises(ValidationError) as refused:
        changed("lora", **{slot: other})
    assert {error["loc"][0] for error in refused.value.errors()} == {slot}


@pytest.mark.slow
def test_every_combination_of_words_is_refused_in_a_sentence_or_comes_back_as_it_was() -> None:
    slots = ("projection", "expansion", "topology", "aggregation", "composition", "data")
    admitted = 0
    seen: dict[str, set[str]] = {slot: set() for slot in slots}
    for words in itertools.product(*(sorted(PARTS[slot]) for slot in slots)):
        said = {"name": "x", "reference": "y", **dict(zip(slots, words, strict=True))}
        try:
            method = Method.model_validate(said)
        except ValidationError as refused:
            (error,) = refused.errors()
            assert error["type"] == "value_error", said
            continue
        admitted += 1
        assert Method.model_validate(method.model_dump(mode="json")) == method
        for slot, word in zip(slots, words, strict=True):
            seen[slot].add(word)
    assert {slot: sorted(words) for slot, words in seen.items()} == {
        slot: sorted(PARTS[slot]) for slot in slots
    }, "a word that fits into no method"
    assert 50 < admitted < 600


def test_who_calibrates() -> None:
    needs = {name: set(method.needs) for name, method in METHODS.items() if method.needs}
    assert needs == {
        "proposed": {Need.FEATURES, Need.ENTROPIES},
        "proposed_single_cluster": {Need.FEATURES, Need.ENTROPIES},
        "proposed_literal": {Need.INPUTS},
    }
    routed = changed("proposed", composition="oracle")
    assert routed.needs == {Need.ENTROPIES}
    assert not routed.with_(expansion="gradient_mask").needs
    assert not routed.with_(expansion=EntropyMask(budget="whole")).needs
    spectrum = routed.with_(expansion=EntropyMask(spectrum="weights"))
    assert spectrum.needs == {Need.ENTROPIES_OF_WEIGHTS}
    assert routed.with_(projection=Frozen(refined=True)).needs == {Need.ENTROPIES, Need.INPUTS}


def test_every_kept_expert_can_be_routed() -> None:
    routed = [m for m in METHODS.values() if m.composition.asks_experts and not m.data.by_task]
    assert len(routed) == 5
    assert all(method.aggregation.keeps_experts for method in routed)


@pytest.mark.parametrize(
    ("merge", "weights"),
    [
        (UniformMerge(), {1: 1.0, 2: 0.5, 10: 0.1}),
        (METHODS["lori"].composition, {1: 1.0, 2: 0.6, 3: 0.4, 4: 0.3, 10: 0.12}),
        (METHODS["lori_dense"].composition, {1: 1.0, 4: 0.4, 10: 0.16}),
        (UniformMerge(weight=0.5), {1: 0.5, 4: 0.5, 10: 0.5}),
    ],
    ids=str,
)
def test_merged_experts_weigh_what_lori_gives_them(
    merge: UniformMerge, weights: dict[int, float]
) -> None:
    assert {count: merge.share(count) for count in weights} == pytest.approx(weights)
