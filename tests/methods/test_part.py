"""Parts: a word is taken once, and nobody outside `cosim/methods/` decides by it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError

import cosim
from cosim.errors import MethodError
from cosim.methods import METHODS
from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.none import NoAggregation
from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.part import PARTS, Part
from cosim.methods.sending.slot import Sending
from cosim.methods.topology.slot import Topology

PACKAGE = Path(cosim.__file__).parent
# A topology's word is its `graph`.
NAMES = {*PARTS, "graph"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def step(node: ast.AST) -> object:
    """The name that a node adds to what is asked: a.NAME, NAME, a["NAME"]."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value
    return None


def texts(node: ast.AST) -> set[str]:
    found = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
    return {value for value in found if isinstance(value, str)}


def asks_a_part(node: ast.AST) -> bool:
    return any(step(inner) in NAMES for inner in ast.walk(node))


def decisions(tree: ast.AST) -> Iterator[int]:
    """Lines that compare a part's word with a text, whatever the operator."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for number, side in enumerate(sides):
                others = [other for n, other in enumerate(sides) if n != number]
                # Whatever a reader calls `data` has keys.
                has_key = isinstance(node.ops[0], ast.In | ast.NotIn) and step(side) == "data"
                if asks_a_part(side) and any(map(texts, others)) and not has_key:
                    yield node.lineno
                    break
        if isinstance(node, ast.Match) and asks_a_part(node.subject):
            patterns = [case.pattern for case in node.cases]
            yield from [node.lineno] if any(map(texts, patterns)) else []


def test_outside_of_the_methods_nobody_decides_by_a_word() -> None:
    found = [
        f"{path}:{line}"
        for path, tree in trees()
        if not path.startswith("methods/")
        for line in decisions(tree)
    ]
    assert found == []


SEEN = """
a.aggregation == "mean"
x = 1 if "mean" != b.projection.name else 2
graph in ("ring", "none")
method.topology.word() not in {"ring"}
run["method"]["composition"] == "gate"
match c.schedule.name:
    case "cluster" | "other":
        pass
[w for w in y if w.weights == "uniform" != 3]
"mean" in method.aggregation.name
"""
NOT_SEEN = """
a.aggregation == b.aggregation
topology["cluster_size"] == 1
"name" in data
match topology:
    case Ring():
        pass
"""


def test_the_search_sees_what_it_looks_for() -> None:
    assert sorted(decisions(ast.parse(SEEN))) == [2, 3, 4, 5, 6, 7, 10, 11]
    assert list(decisions(ast.parse(NOT_SEEN))) == []


def test_every_part_lies_in_a_file_of_its_slot() -> None:
    known = {word: kind for kinds in PARTS.values() for word, kind in kinds.items()}
    assert len(known) > 20
    for slot, kinds in PARTS.items():
        for word, kind in kinds.items():
            if kind.__module__.startswith("cosim."):
                assert kind.__module__.startswith(f"cosim.methods.{slot}.")
                assert (kind.slot, kind.word(), kind().word()) == (slot, word, word)


def test_a_word_is_taken_once() -> None:
    with pytest.raises(MethodError, match=r"'mean' is taken by cosim\.methods\.aggregation\.mean"):

        class Other(Aggregation):
            name: Literal["mean"] = "mean"

    with pytest.raises(MethodError, match="topology 'ring' is taken"):

        class Circle(Topology):
            graph: Literal["ring"] = "ring"

    with pytest.raises(MethodError, match="'none' is taken"):

        class Silent(NoAggregation):
            pass

    assert PARTS["aggregation"]["mean"] is Mean


def test_a_word_of_another_slot_is_free_and_its_part_is_found() -> None:
    try:

        class Ringing(Sending):
            name: Literal["ring"] = "ring"
            times: int = 1

        method = METHODS["lora"].with_(sending={"name": "ring", "times": 3})
        assert method.sending == Ringing(times=3)
        assert str(method.sending) == "ring (times: 3)"
        assert METHODS["lora"].with_(sending="ring").sending == Ringing()
        assert method.model_dump(mode="json")["sending"] == {"name": "ring", "times": 3}
        with pytest.raises(ValidationError, match="tims: unknown key; did you mean 'times'"):
            METHODS["lora"].with_(sending={"name": "ring", "tims": 3})
    finally:
        PARTS["sending"].pop("ring", None)


def test_a_slot_and_a_base_have_no_word() -> None:
    class Base(Sending):
        held_back: ClassVar[bool] = True

    assert (Base.word(), Part.word(), Sending.word()) == (None, None, None)
    assert Base not in PARTS["sending"].values()


def test_a_part_is_frozen_and_says_what_differs() -> None:
    part = METHODS["proposed_literal"].projection
    assert str(part) == "frozen (scaled: False, refined: True)"
    assert str(METHODS["lora"].projection) == "trained"
    with pytest.raises(ValidationError, match="frozen"):
        part.scaled = True  # type: ignore[attr-defined]
