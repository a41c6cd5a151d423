"""Every word of a part is played where the part decides something; no other is taken for it."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import cosim
from cosim.errors import UnplayedPartError
from cosim.methods import METHODS, meaning, parts
from cosim.methods.parts import Merge
from cosim.methods.recipe import Recipe

PACKAGE = Path(cosim.__file__).parent
WORDS = {
    name.lower(): get_args(getattr(parts, name))
    for name in ("Projection", "Expansion", "Aggregation", "Composition", "Data", "Schedule")
}
WORDS |= {"literal": get_args(parts.LiteralPoint)}
NEW = "trimmed_mean"
MEANINGS = [
    (name, function, part)
    for name, function in inspect.getmembers(meaning, inspect.isfunction)
    if function.__module__ == meaning.__name__
    for part in inspect.signature(function).parameters
]
# Fields and variables that hold a word; `graph` names a topology.
DECIDING = {*WORDS, "graph", "reads", "mask", "composition", "optimizer"} - {"data", "literal"}


@pytest.mark.parametrize(("name", "function", "part"), MEANINGS)
def test_a_meaning_knows_every_word_and_refuses_another(
    name: str, function: Any, part: str
) -> None:
    words = WORDS["literal" if part == "point" else part]
    answers = [function(word) for word in words]
    assert all(answer is not None for answer in answers)
    assert len(set(answers)) > 1, name
    part = "literal" if part == "point" else part
    with pytest.raises(UnplayedPartError, match=f"{part} 'trimmed_mean'"):
        function(NEW)


@pytest.mark.parametrize("part", ["projection", "expansion", "aggregation", "composition", "data"])
def test_a_recipe_with_a_declared_word_that_has_no_meaning_is_refused(part: str) -> None:
    whole = dict(METHODS["proposed"]) | {part: NEW}
    with pytest.raises(UnplayedPartError, match=f"{part} 'trimmed_mean'"):
        Recipe.model_construct(**whole)._parts_fit()  # type: ignore[operator]


def test_so_is_a_schedule_and_a_point_to_take_as_printed() -> None:
    for changes, said in (({"schedule": NEW}, "schedule"), ({"literal": (NEW,)}, "literal")):
        with pytest.raises(UnplayedPartError, match=f"{said} 'trimmed_mean'"):
            Recipe.model_construct(**(dict(METHODS["proposed"]) | changes))._parts_fit()  # type: ignore[operator]


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def last_name(node: ast.AST) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def words_in(node: ast.AST) -> set[Any]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)} - {None}


def one_word_comparisons(tree: ast.AST) -> Iterator[int]:
    """Lines that compare a part with some of its words, and take all others alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(last_name(side) in DECIDING for side in sides) and any(
                isinstance(word, str) for side in sides for word in words_in(side)
            ):
                yield node.lineno
        if isinstance(node, ast.Match) and last_name(node.subject) in DECIDING:
            last = node.cases[-1].pattern
            if not (isinstance(last, ast.MatchAs) and last.pattern is None):
                yield node.lineno


def test_nothing_is_decided_by_a_comparison_with_one_word() -> None:
    # `recipe` says which words do not go together, after it has refused those it does not know;
    # both words of an optimiser's first step are compared, and any other refused.
    allowed = {"methods/recipe.py", "learning/adapters/masks.py"}
    found = [
        f"{path}:{line}"
        for path, tree in trees()
        if path not in allowed
        for line in one_word_comparisons(tree)
    ]
    assert found == []


def test_the_search_sees_what_it_looks_for() -> None:
    seen = 'a.aggregation == "mean"\nx = 1 if "mean" != b.projection else 2\n'
    seen += 'graph in ("ring", "none")\nmatch c.schedule:\n    case "cluster":\n        pass\n'
    assert sorted(one_word_comparisons(ast.parse(seen))) == [1, 2, 3, 4]


def test_every_point_to_take_as_printed_is_asked_for_outside_the_checks() -> None:
    asked = set()
    for path, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Compare) or path == "methods/recipe.py":
                continue
            if last_name(node.comparators[-1]) == "literal":
                asked |= words_in(node.left)
    assert asked == set(WORDS["literal"])


@pytest.mark.parametrize(
    ("merge", "weights"),
    [
        (Merge(), {1: 1.0, 2: 0.5, 10: 0.1}),
        (METHODS["lori"].merge, {1: 1.0, 2: 0.6, 3: 0.4, 4: 0.3, 10: 0.12}),
        (METHODS["lori_dense"].merge, {1: 1.0, 4: 0.4, 10: 0.16}),
        (Merge(weight=0.5), {1: 0.5, 4: 0.5, 10: 0.5}),
    ],
)
def test_merged_experts_weigh_what_lori_gives_them(merge: Merge, weights: dict[int, float]) -> None:
    assert {count: merge.share(count) for count in weights} == pytest.approx(weights)
