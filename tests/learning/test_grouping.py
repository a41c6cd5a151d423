"""Grouped passes change nothing but speed, for whatever method the parts admit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, cast, get_args, get_origin

import pytest
import torch
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor

from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.method import Method
from cosim.methods.part import PARTS, Part
from cosim.methods.topology.slot import Topology
from tests.learning.small_learners import DEVICES, small_learner, small_pools, tuning

Make = Callable[[Method], ModelLearner]
# Of a method itself, what is neither a part nor a name.
NUMBERS = ("calibration_samples", "staleness_exponent")


def kinds(slot: str) -> list[type[Part]]:
    """The package's own parts of a slot, whatever other tests have registered beside them."""
    return [kind for kind in PARTS[slot].values() if kind.__module__.startswith("cosim.methods.")]


def setting(field: FieldInfo) -> st.SearchStrategy[Any]:
    """What a field admits by its type and its declared bounds."""
    return of_type(field.annotation, declared(field))


def declared(field: FieldInfo) -> dict[str, Any]:
    """Its bounds, as hypothesis names them."""
    bounds: dict[str, Any] = {}
    for bound in field.metadata:
        match bound:
            case Ge():
                bounds["min_value"] = bound.ge
            case Gt():
                bounds |= {"min_value": bound.gt, "exclude_min": True}
            case Le():
                bounds["max_value"] = bound.le
            case Lt():
                bounds |= {"max_value": bound.lt, "exclude_max": True}
            case _:
                raise AssertionError(f"a bound that nothing is drawn by: {bound}")
    return bounds


def of_type(annotation: Any, bounds: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a setting's type within its bounds."""
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(**bounds)
    if annotation is float:
        return st.floats(**bounds, allow_nan=False, allow_infinity=False)
    if annotation is NoneType:
        return st.none()
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) is Annotated:
        kind, field = get_args(annotation)
        return of_type(kind, declared(field))
    choices = get_args(annotation)
    assert choices, f"a type that nothing is drawn of: {annotation}"
    return st.one_of([of_type(choice, bounds) for choice in choices])


def written(kind: type[Part]) -> st.SearchStrategy[dict[str, Any]]:
    """A part as a scenario writes it, with all of its settings."""
    drawn = {name: setting(kind.model_fields[name]) for name in kind.settings()}
    return st.fixed_dictionaries({kind.key: st.just(kind.word()), **drawn})


def parts(slot: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([written(kind) for kind in kinds(slot)])


def fitting(aggregation: type[Aggregation]) -> st.SearchStrategy[dict[str, Any]]:
    """Topologies where somebody hears somebody if anything is made of what is heard, else none."""
    topologies = cast("list[type[Topology]]", kinds("topology"))
    return st.one_of([written(k) for k in topologies if k.silent != aggregation.exchanges])


@st.composite
def methods(draw: st.DrawFn, begun: Method) -> Method:
    """A registered method with other parts in some of its slots and other numbers: slot after slot
    a part is drawn, and taken if it fits those that are there."""
    method = begun.with_(name="drawn", reference="nobody's")
    for slot in draw(st.permutations(sorted(PARTS))):
        changes = {slot: draw(parts(slot))}
        if slot == "aggregation":
            kind = PARTS[slot][changes[slot]["name"]]
            changes["topology"] = draw(fitting(cast("type[Aggregation]", kind)))
        try:
            method = method.with_(**changes)
        except ValidationError as refusal:
            # Parts may not fit together; but no setting within its bounds is refused by itself.
            if any(error["loc"] for error in refusal.errors()):
                raise
    numbers = {name: draw(setting(Method.model_fields[name])) for name in NUMBERS}
    # A run tells its parts how fast devices agree, before they learn.
    asking = {part.slot: part.told(0.5) for part in method.parts() if part.asks_contraction}
    return method.with_(**asking, **numbers)


def vectors(learner: ModelLearner) -> Iterator[tuple[str, Tensor]]:
    """All that the devices hold after a round that is real numbers."""
    for device, adapter in enumerate(learner.fleet.adapters):
        yield f"{device} B", adapter.values
        yield f"{device} A", adapter.projection
        for name, moments in sorted((adapter.moments or {}).items()):
            yield f"{device} first moments of {name}", moments.first
            yield f"{device} second moments of {name}", moments.second
        for owner, expert in sorted(learner.fleet.banks[device].items()):
            yield f"{device} B of expert {owner}", expert.values
            yield f"{device} A of expert {owner}", expert.projection


@pytest.fixture(scope="module")
def make(tiny_llama: Path) -> Make:
    pools = small_pools(tiny_llama)

    def learner(recipe: Method) -> ModelLearner:
        return small_learner(tiny_llama, pools, recipe)

    return learner


@pytest.mark.slow
# A failure is shown as it was drawn: to look for a smaller one would take minutes.
@pytest.mark.parametrize("begun", METHODS.values(), ids=METHODS)
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_grouped_equals_one_by_one(make: Make, begun: Method, data: st.DataObject) -> None:
    recipe = data.draw(methods(begun), label="method")
    event(f"{recipe.projection.word()}, {recipe.expansion.word()}, {recipe.data.word()}")
    together, apart = make(recipe), make(recipe)
    jobs = [tuning(together, device, 1) for device in range(len(DEVICES))]
    losses = [job.result().loss for job in jobs]
    alone = [tuning(apart, device, 1).result().loss for device in range(len(DEVICES))]
    assert alone == pytest.approx(losses, rel=1e-4)
    for (name, a), (same, b) in zip(vectors(together), vectors(apart), strict=True):
        assert name == same
        assert torch.linalg.vector_norm(a - b) <= 1e-3 * torch.linalg.vector_norm(b), name
    for one, other in zip(together.fleet.adapters, apart.fleet.adapters, strict=True):
        assert (one.support is None) == (other.support is None)
        if one.support is not None and other.support is not None:
            assert torch.equal(one.support, other.support)
