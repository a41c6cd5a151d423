"""Scenarios and run directories from before parts had settings say what they said then."""

from typing import Any

import pytest
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.methods.aggregation.support_normalised import SupportNormalised
from cosim.methods.composition.gate import Gate
from cosim.methods.composition.ranks import Ranks
from cosim.methods.composition.single import Single
from cosim.methods.composition.uniform import UniformMerge
from cosim.methods.expansion.dense import Dense
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.method import Method
from cosim.methods.part import Part
from cosim.methods.projection.frozen import Frozen
from cosim.methods.projection.none import NoProjection
from cosim.methods.projection.trained import Trained
from cosim.methods.weights.as_printed import AsPrinted
from cosim.scenario.method import method_of

OWN, SHARED = Frozen(seed="own"), Frozen(seed="shared")


def read(said: Any) -> Method:
    """As a scenario's `method` is read."""
    return Method.model_validate(method_of(said))


ONE_ADAPTER = {"aggregation": "mean", "composition": "single", "topology": "ring"}
WORDS: list[tuple[dict[str, Any], str, Part | None]] = [
    ({"name": "lora", "projection": "trainable"}, "projection", Trained()),
    ({"name": "proposed", "projection": "frozen_own_seed"}, "projection", OWN),
    ({"name": "proposed", "projection": "frozen_shared_seed"}, "projection", SHARED),
    ({"name": "full_finetune", "projection": "none"}, "projection", NoProjection()),
    ({"name": "proposed", "composition": "literal"}, "composition", Ranks()),
    ({"name": "proposed", "gate": {"top_k": 3}}, "composition", Gate(top_k=3)),
    (
        {"name": "proposed", "gate": {"temperature": 0.5, "reads": "last", "layers": 1}},
        "composition",
        Gate(temperature=0.5, reads="last", layers=1),
    ),
    (
        {"name": "lori", "merge": {"weight": 0.5}},
        "composition",
        UniformMerge(weight=0.5, total=1.2),
    ),
    ({"name": "lori", "merge": {"total": 1}}, "composition", UniformMerge(total=1.0)),
    (
        {"name": "proposed", "composition": "uniform", "merge": {"total": 2}},
        "composition",
        UniformMerge(total=2.0),
    ),
    ({"name": "lora", "gate": {"top_k": 3}, "merge": {"total": 2}}, "composition", Single()),
    ({"name": "proposed", "literal": ["projection"]}, "projection", Frozen(scaled=False)),
    ({"name": "proposed", "literal": ["refinement"]}, "projection", Frozen(refined=True)),
    ({"name": "proposed", "literal": ["spectrum"]}, "expansion", EntropyMask(spectrum="weights")),
    ({"name": "proposed", "literal": ["density"]}, "expansion", EntropyMask(budget="whole")),
    ({"name": "proposed", "literal": ["mask"]}, "expansion", EntropyMask(ranked_by="first_step")),
    (
        {"name": "proposed", "expansion": "gradient_mask", "literal": ["mask"]},
        "expansion",
        GradientMask(ranked_by="first_step"),
    ),
    (
        {"name": "proposed", "literal": ["readback"]},
        "aggregation",
        SupportNormalised(readback="whole"),
    ),
    ({"name": "proposed", "literal": ["weights"]}, "weights", AsPrinted()),
    ({"name": "lora", "literal": ["weights"]}, "weights", AsPrinted()),
    ({"name": "proposed", "literal": []}, "weights", None),
    # What is printed is left out again.
    ({"name": "proposed_literal", "literal": ["weights"]}, "projection", OWN),
    ({"name": "proposed_literal", "literal": ["weights"]}, "expansion", EntropyMask()),
    ({"name": "proposed_literal", "literal": ["weights"]}, "aggregation", SupportNormalised()),
    ({"name": "proposed_literal", "literal": ["mask"]}, "weights", None),
    ({"name": "proposed_literal", "literal": []}, "composition", Ranks()),
    # Another word in a slot keeps what is as printed there.
    (
        {"name": "proposed_literal", "expansion": "gradient_mask"},
        "expansion",
        GradientMask(ranked_by="first_step"),
    ),
    (
        {"name": "proposed_literal", "projection": "frozen_shared_seed"},
        "projection",
        Frozen(seed="shared", scaled=False, refined=True),
    ),
    ({"name": "proposed_literal", "expansion": "dense"}, "expansion", Dense()),
    (
        {"name": "proposed_literal", **ONE_ADAPTER, "projection": "trainable"},
        "weights",
        AsPrinted(),
    ),
    (
        {"name": "proposed_literal", "expansion": {"name": "gradient_mask"}},
        "expansion",
        GradientMask(),
    ),
]


@pytest.mark.parametrize(("said", "slot", "part"), WORDS, ids=str)
def test_an_earlier_spelling_is_read_as_the_part_that_it_was(
    said: dict[str, Any], slot: str, part: Part | None
) -> None:
    method = read(said)
    assert getattr(method, slot) == part
    # The other slots are the method's own, or as they were said.
    others = dict(METHODS[said["name"]])
    for other, value in dict(method).items():
        if other != slot and other not in said and "literal" not in said:
            assert value == others[other]


def test_a_whole_method_of_a_run_directory_is_read() -> None:
    """As `proposed_literal` was written down with its run."""
    earlier = {
        "name": "proposed_literal",
        "reference": "arXiv 2602.20492, 'Proposed Method', as printed",
        "projection": "frozen_own_seed",
        "expansion": "entropy_mask",
        "topology": {"graph": "complete"},
        "aggregation": "support_normalised",
        "composition": "literal",
        "gate": {"top_k": 2, "temperature": 1.0, "reads": "mean", "layers": 4},
        "merge": {"weight": None, "total": 1.0},
        "data": "own",
        "calibration_samples": 32,
        "literal": [
            "projection",
            "refinement",
            "spectrum",
            "density",
            "mask",
            "weights",
            "readback",
        ],
        "schedule": "synchronous",
        "staleness_exponent": 1.0,
    }
    assert Method.model_validate(earlier) == METHODS["proposed_literal"]
    lori = {
        **earlier,
        "name": "lori",
        "reference": METHODS["lori"].reference,
        "expansion": "magnitude_mask",
        "topology": {"graph": "random", "degree": 2, "range_m": None, "limit_by_links": True},
        "aggregation": "stacked",
        "composition": "uniform",
        "merge": {"weight": None, "total": 1.2},
        "literal": [],
    }
    assert Method.model_validate(lori) == METHODS["lori"]


def test_every_point_at_once_is_the_method_as_printed() -> None:
    points = ["projection", "refinement", "spectrum", "density", "mask", "weights", "readback"]
    said = {"name": "proposed", "topology": "complete", "composition": "literal"}
    printed = read({**said, "literal": points})
    for slot, part in dict(METHODS["proposed_literal"]).items():
        if slot not in ("name", "reference"):
            assert getattr(printed, slot) == part


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "lora", "literal": ["projection"]}, "'projection' is about a frozen A"),
    ({"name": "lora", "literal": ["refinement"]}, "'refinement' is about a frozen A"),
    ({"name": "lora", "literal": ["spectrum"]}, "'spectrum' is about the densities of expansion"),
    ({"name": "lori", "literal": ["density"]}, "'density' is about the densities of expansion"),
    ({"name": "lori", "literal": ["mask"]}, "'mask' is about expansions 'gradient_mask' and"),
    ({"name": "lori", "literal": ["weights"]}, "are about aggregations that average"),
    ({"name": "local", "literal": ["weights"]}, "are about aggregations that average"),
    ({"name": "lora", "literal": ["readback"]}, "'readback' is about experts read out of an"),
    ({"name": "proposed", "literal": ["mask", "mask"]}, "literal names a point twice"),
    ({"name": "proposed", "literal": ["maks"]}, "'maks' is not one of .*; did you mean 'mask'"),
    ({"name": "proposed", "literal": "mask"}, "literal: expected a list of points, got 'mask'"),
    ({"name": "proposed", "gate": 5}, "gate: expected a mapping, got 5"),
    ({"name": "lori", "merge": None}, "merge: expected a mapping, got None"),
    ({"name": "lora", "gate": {"topk": 3}}, "gate: unknown key 'topk'; did you mean 'top_k'"),
    ({"name": "lori", "merge": {"top_k": 3}}, "merge: unknown key 'top_k'"),
    ({"name": "proposed", "gate": {"top_k": 0}}, "greater than or equal to 1"),
    ({"name": "lora", "projection": "frozen_own_seed"}, "every device has another A"),
    ({"name": "lora", "composition": "literal"}, "composition 'ranks' routes between stored"),
]


@pytest.mark.parametrize(("said", "reason"), REFUSED, ids=str)
def test_what_was_refused_is_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        read(said)
