"""A state's tree comes back from a file as it was, with what it shares; what cannot is refused."""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosim.errors import StateError
from cosim.learning.state_tree import STORED_TYPES, bytes_of, flatten, unflatten
from cosim.learning.storing.tensor_file import read_tensors, write_tensors


@dataclass(frozen=True)
class Leaf:
    values: Any
    support: Any = None


class Pair(NamedTuple):
    left: Any
    right: Any = 1


@dataclass(frozen=True)
class Nothing:
    """A record without fields."""


KINDS = (Leaf, Nothing, Pair)
GIVEN = {"given 0": torch.arange(4.0), "given 1": torch.ones(2, 3)}

words = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.builds(np.float32, st.floats(width=32)),
    st.builds(np.int64, st.integers(-9, 9)),
)
keys = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda parts: st.tuples(parts, parts),
    max_leaves=4,
)


@st.composite
def tensors(draw: Callable[..., Any]) -> Tensor:
    """Of any type and shape, empty ones and views of others too."""
    kind = draw(st.sampled_from(list(STORED_TYPES)))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    size = int(np.prod(shape))
    drawn = draw(st.lists(st.integers(0, 100), min_size=size, max_size=size))
    tensor = torch.tensor(drawn, dtype=kind).reshape(shape)
    return tensor.mT if draw(st.booleans()) and tensor.ndim > 1 else tensor


arrays = st.builds(
    lambda held, kind: np.array(held, dtype=kind),
    st.lists(st.integers(0, 100), max_size=4),
    st.sampled_from(["<f8", ">f8", "<f4", "<i8", ">i4", "?"]),
)


@st.composite
def trees(draw: Callable[..., Any]) -> Any:
    """Grown from its leaves up, each node of what there is: so that parts are shared at will."""
    nodes = [*GIVEN.values(), *draw(st.lists(st.one_of(words, tensors(), arrays), min_size=1))]
    for _ in range(draw(st.integers(1, 12))):
        some = draw(st.lists(st.sampled_from(range(len(nodes))), max_size=4))
        parts = [nodes[number] for number in some]
        names = draw(st.lists(keys, min_size=len(parts), max_size=len(parts), unique=True))
        made = [
            parts,
            tuple(parts),
            dict(zip(names, parts, strict=True)),
            set(names),
            frozenset(names),
            Leaf(parts[0] if parts else None, parts[-1] if parts else None),
            Pair(parts[0] if parts else None),
            Nothing(),
        ]
        nodes.append(draw(st.sampled_from(made)))
    return nodes[-1]


def there_and_back(tree: Any, folder: Path) -> Any:
    plain, stored = flatten(tree, KINDS, GIVEN)
    write_tensors(folder / "t.safetensors", stored)
    back = {**read_tensors(folder / "t.safetensors"), **GIVEN}
    return unflatten(json.loads(json.dumps(plain)), back, KINDS)


def likeness(node: Any, seen: dict[Any, int]) -> Any:
    """What a tree is, in comparable words: content, types, and which nodes are one."""
    if isinstance(node, Tensor):
        place = ("tensor", node.data_ptr() if node.numel() else 0, node.dtype, tuple(node.shape))
        kept = seen.setdefault(place, len(seen))
        return ["tensor", kept, str(node.dtype), list(node.shape), node.tolist().__repr__()]
    if isinstance(node, np.ndarray):
        kept = seen.setdefault(id(node), len(seen))
        return ["array", kept, node.dtype.kind, node.shape, repr(node.tolist())]
    if isinstance(node, Leaf | Pair | Nothing):
        held = list(node) if isinstance(node, Pair) else list(vars(node).values())
    elif isinstance(node, dict):
        held = [part for item in node.items() for part in item]
    elif isinstance(node, set | frozenset):
        return [type(node).__name__, seen.setdefault(id(node), len(seen)), node]
    elif isinstance(node, list | tuple):
        held = list(node)
    else:
        return [type(node).__name__, repr(node)]
    if id(node) in seen:
        return ["same", seen[id(node)]]
    seen[id(node)] = len(seen)
    return [type(node).__name__, [likeness(part, seen) for part in held]]


@pytest.mark.slow
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tree=trees())
def test_any_tree_comes_back_with_what_it_shares(tree: Any, tmp_path: Path) -> None:
    event(type(tree).__name__)
    back = there_and_back(tree, tmp_path)
    assert likeness(back, {}) == likeness(tree, {})
    assert bytes_of(back) == bytes_of(tree)


def test_what_is_shared_is_stored_once_and_shared_again(tmp_path: Path) -> None:
    B = torch.arange(6.0)
    expert, memory = Leaf(B), {"last": B}
    tree = {"bank": {0: expert, 1: expert}, "memory": memory, "again": [memory, B.view(6)]}
    plain, stored = flatten(tree, KINDS)
    assert list(stored) == ["0"]
    assert stored["0"] is B
    back = there_and_back(tree, tmp_path)
    assert back["bank"][0] is back["bank"][1]
    assert back["memory"] is back["again"][0]
    assert back["bank"][0].values is back["memory"]["last"] is back["again"][1]
    assert plain["dict"][0] == "bank"


def test_two_readings_of_one_memory_are_two_tensors(tmp_path: Path) -> None:
    A = torch.arange(9.0).view(3, 3)
    there, turned, part = there_and_back([A, A.mT, A[0]], tmp_path)
    assert torch.equal(there, A)
    assert torch.equal(turned, A.mT)
    assert torch.equal(part, A[0])


def test_an_empty_array_is_stored_like_an_empty_tensor(tmp_path: Path) -> None:
    tree = [np.array([]), torch.zeros(0, dtype=torch.float64), torch.zeros(0, 3)]
    assert len(flatten(tree, ())[1]) == 2
    assert [tuple(part.shape) for part in there_and_back(tree, tmp_path)] == [(0,), (0,), (0, 3)]


def test_what_the_scenario_gives_is_named_and_not_stored(tmp_path: Path) -> None:
    A = GIVEN["given 0"]
    plain, stored = flatten([A, Leaf(A.clone())], KINDS, GIVEN)
    assert plain[0] == {"tensor": "given 0"}
    assert list(stored) == ["0"], "equal is not the same"
    assert there_and_back([A], tmp_path)[0] is A


def test_a_set_is_stored_in_one_order() -> None:
    some = [(3, "b"), (3, "a"), None, 10, 9, "x", frozenset({2, 1}), (3, 9)]
    texts = {json.dumps(flatten([set(some[n:] + some[:n])], ())[0]) for n in range(len(some))}
    assert len(texts) == 1
    assert "[10, 9" not in texts.pop()


def test_bytes_are_those_of_distinct_tensors_whatever_holds_them() -> None:
    B, entropies = torch.zeros(10), np.zeros(3)
    held = Leaf(B, torch.zeros(4, dtype=torch.long))
    assert bytes_of({"bank": [held, held, Leaf(B[:5])], "e": (entropies, entropies)}) == (
        40 + 32 + 20 + 24
    )
    assert bytes_of(["a word", 3, None, {1, 2}]) == 0
    with torch.device("meta"):
        planned = torch.zeros(10**12)
        assert bytes_of([planned, planned, torch.zeros(10**12)]) == 8 * 10**12
    with pytest.raises(StateError, match=r"state\[0\]\.values is of the type builtins\.object"):
        bytes_of([Leaf(object())])


class Colour(IntEnum):
    RED = 1


@dataclass(frozen=True)
class Unknown:
    values: int = 3


def holding_itself() -> list[Any]:
    found: list[Any] = []
    found.append({"me": found})
    return found


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (print, r"state\[0\]\.values\['x'\] is of the type builtins\.builtin_function_or_method"),
        (SimpleNamespace(a=1), r"is of the type types\.SimpleNamespace, and cannot be stored"),
        (b"bytes", r"is of the type builtins\.bytes"),
        (Colour.RED, r"Colour, and cannot be stored"),
        (OrderedDict(a=1), r"collections\.OrderedDict"),
        (Unknown(), r"Unknown, and cannot be stored: a state is made of"),
        (np.array([object()]), r"is an array of object"),
        (np.zeros(2, dtype="complex64"), r"is a tensor of torch\.complex64"),
        (torch.zeros(2, dtype=torch.complex64), r"\['x'\] is a tensor of torch\.complex64"),
        (torch.eye(2).to_sparse(), r"is a tensor of torch\.float32 and torch\.sparse_coo"),
        (torch.zeros(2, device="meta"), r"is a tensor without values"),
        (torch.zeros(2, requires_grad=True), r"is a tensor with a gradient"),
        (torch.nn.Parameter(torch.zeros(2)), r"torch\.nn\.parameter\.Parameter"),
        ({Unknown(1), Unknown(2)}, r"is a set of what has no order"),
        ({print: 1}, r"\['x'\]\[<built-in function print>\] is of the type"),
        (holding_itself(), r"\['x'\]\[0\]\['me'\] holds itself"),
        (np.longdouble(1), r"numpy\.longdouble"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place(node: Any, what: str) -> None:
    with pytest.raises(StateError, match=what):
        flatten([Leaf({"x": node})], KINDS)
