"""A state as a tree: taken apart into JSON data and named tensors, put together again, and weighed.

A tree holds numbers, words and None; lists, tuples, sets and dicts; numpy's arrays and torch's
tensors; named tuples and frozen dataclasses whose kinds are given. An object that several places of
a tree hold is one object again after the way to disk and back, and a tensor is stored once.

In JSON a list stands for itself, and whatever else has parts is an object of one key, what it is,
with its parts in order. `{"same": 3}` is the fourth object whose parts were complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cosim.errors import StateError

# As https://github.com/huggingface/safetensors names them.
STORED_TYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
}
_SCALARS = (type(None), bool, int, float, str)
# What makes a container of its parts; a dict's are keys and values in turn.
_CONTAINERS: dict[str, tuple[type, Callable[[list[Any]], Any]]] = {
    "list": (list, list),
    "tuple": (tuple, tuple),
    "set": (set, set),
    "frozenset": (frozenset, frozenset),
    "dict": (dict, lambda parts: dict(zip(parts[::2], parts[1::2], strict=True))),
}
_WORDS = {kind: word for word, (kind, _) in _CONTAINERS.items()}
_RESERVED = {*_CONTAINERS, "same", "tensor", "array", "number"}
# A field's name, or the key or the position of an item.
_Step = str | tuple[Any]


def flatten(
    tree: Any, kinds: Iterable[type], tensors: Mapping[str, Tensor] | None = None
) -> tuple[Any, dict[str, Tensor]]:
    """JSON data and the tensors that it names; nothing is copied.

    kinds: of named tuples and frozen dataclasses that may occur. tensors: by name, those that
    whoever reads the data has anyway, so that they are named and not stored. Raises StateError
    with the place of what cannot be stored.
    """
    flattening = _Flattening(_by_name(kinds), tensors or {})
    return flattening.plain(tree), flattening.tensors


def unflatten(plain: Any, tensors: Mapping[str, Tensor], kinds: Iterable[type]) -> Any:
    """The tree that `flatten` took apart; tensors: those that it named, the given ones included."""
    return _Unflattening(_by_name(kinds), tensors).tree(plain)


def bytes_of(tree: Any) -> int:
    """Bytes of all tensors and arrays in a tree of any kinds, each counted once, whoever shares it.

    Those on torch's meta device count as what they stand for.
    """
    ids: set[int] = set()
    sizes: dict[tuple[Any, ...], int] = {}

    def walk(node: Any, path: list[_Step]) -> None:
        if isinstance(node, Tensor):
            sizes[_place(node)] = node.numel() * node.element_size()
        elif isinstance(node, np.ndarray):
            place = node.__array_interface__["data"][0], node.dtype.str, node.shape, node.strides
            sizes[place] = node.nbytes
        elif not isinstance(node, (*_SCALARS, np.generic)) and id(node) not in ids:
            ids.add(id(node))
            for step, part in _parts(node, path):
                walk(part, [*path, step])

    walk(tree, [])
    return sum(sizes.values())


class _Flattening:
    """Numbers objects as their parts become complete, which is the order of the way back."""

    def __init__(self, kinds: Mapping[str, type], tensors: Mapping[str, Tensor]) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._kinds = {kind: name for name, kind in kinds.items()} | _WORDS
        self._names = {_place(tensor): name for name, tensor in tensors.items()}
        self._numbers: dict[int, int | None] = {}
        self._complete = 0
        self._path: list[_Step] = []

    def plain(self, node: Any) -> Any:
        """A node in JSON's types."""
        if type(node) in _SCALARS:
            return node
        if type(node) is Tensor:
            return {"tensor": self._named(node)}
        if isinstance(node, np.generic) and node.dtype.kind in "biuf" and node.nbytes <= 8:
            return {"number": [node.dtype.str, node.item()]}
        if id(node) in self._numbers:
            number = self._numbers[id(node)]
            if number is None:
                raise _refused(self._path, node, "holds itself")
            return {"same": number}
        self._numbers[id(node)] = None
        plain = self._with_parts(node)
        self._numbers[id(node)] = self._complete
        self._complete += 1
        return plain

    def _with_parts(self, node: Any) -> Any:
        if type(node) is np.ndarray:
            return {"array": self._named(self._as_tensor(node))}
        if type(node) not in self._kinds:
            raise _refused(self._path, node)
        plain = []
        for step, part in _parts(node, self._path):
            self._path.append(step)
            plain.append(self.plain(part))
            self._path.pop()
        return plain if type(node) is list else {self._kinds[type(node)]: plain}

    def _as_tensor(self, array: np.ndarray[Any, Any]) -> Tensor:
        native = array.dtype.newbyteorder("=")
        array = np.ascontiguousarray(array, dtype=native).reshape(array.shape)
        try:
            return torch.from_numpy(array if array.flags.writeable else array.copy())
        except TypeError:
            raise _refused(self._path, array, f"is an array of {array.dtype}") from None

    def _named(self, tensor: Tensor) -> str | list[str]:
        """A tensor's name, and where it lies if that is not the host's memory."""
        if tensor.layout is not torch.strided or tensor.dtype not in STORED_TYPES:
            how = f"is a tensor of {tensor.dtype} and {tensor.layout}"
            raise _refused(self._path, tensor, how)
        if tensor.is_meta or tensor.requires_grad:
            how = "is a tensor without values" if tensor.is_meta else "is a tensor with a gradient"
            raise _refused(self._path, tensor, how)
        place = _place(tensor)
        if place not in self._names:
            self._names[place] = f"{len(self.tensors)}"
            self.tensors[self._names[place]] = tensor
        name = self._names[place]
        return name if tensor.device.type == "cpu" else [name, str(tensor.device)]


class _Unflattening:
    """The way back."""

    def __init__(self, kinds: Mapping[str, type], tensors: Mapping[str, Tensor]) -> None:
        self._kinds, self._tensors = kinds, dict(tensors)
        self._objects: list[Any] = []

    def tree(self, plain: Any) -> Any:
        """The node that this stands for."""
        if not isinstance(plain, list | dict):
            return plain
        word: str
        content: Any
        word, content = ("list", plain) if isinstance(plain, list) else next(iter(plain.items()))
        match word:
            case "same":
                return self._objects[content]
            case "tensor":
                return self._tensor(content)
            case "number":
                return np.dtype(content[0]).type(content[1])
            case "array":
                node = self._tensor(content).numpy()
            case _:
                parts = [self.tree(part) for part in content]
                node = self._made(word, parts)
        self._objects.append(node)
        return node

    def _tensor(self, content: str | list[str]) -> Tensor:
        if isinstance(content, str):
            return self._tensors[content]
        name, where = content
        self._tensors[name] = self._tensors[name].to(where)
        return self._tensors[name]

    def _made(self, word: str, parts: list[Any]) -> Any:
        if word in _CONTAINERS:
            return _CONTAINERS[word][1](parts)
        kind = self._kinds[word]
        return kind(**dict(zip(_field_names(kind) or (), parts, strict=True)))


def _by_name(kinds: Iterable[type]) -> dict[str, type]:
    """Kinds by what JSON calls them."""
    names: dict[str, type] = {}
    for kind in kinds:
        name = kind.__name__
        assert _field_names(kind) is not None, f"{name} is neither a dataclass nor a named tuple"
        assert name not in _RESERVED, f"{name} is the name of a container"
        assert names.setdefault(name, kind) is kind, f"two kinds are named {name}"
    return names


def _field_names(kind: type) -> Sequence[str] | None:
    """Of a record, what it is made of; None of anything else."""
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    return getattr(kind, "_fields", None) if issubclass(kind, tuple) else None


def _parts(node: Any, path: Sequence[_Step]) -> list[tuple[_Step, Any]]:
    """What a node holds and where, in an order that follows from its content."""
    if (names := _field_names(type(node))) is not None:
        return [(name, getattr(node, name)) for name in names]
    if isinstance(node, Mapping):
        return [((key,), part) for key, value in node.items() for part in (key, value)]
    if isinstance(node, set | frozenset):
        try:
            return [((item,), item) for item in sorted(node, key=_order)]
        except TypeError:
            raise _refused(path, node, "is a set of what has no order") from None
    if isinstance(node, list | tuple):
        return [((number,), part) for number, part in enumerate(node)]
    raise _refused(path, node)


def _order(element: Any) -> tuple[str, Any]:
    """Sorts a set's elements, which may be of several types."""
    if isinstance(element, tuple | frozenset):
        parts = list(map(_order, element))
        return type(element).__name__, parts if isinstance(element, tuple) else sorted(parts)
    return type(element).__name__, 0 if element is None else element


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Where a tensor's values lie, and how they are read there.

    An empty one lies nowhere, and is like all of its type; one without values is like no other.
    """
    at: Any = id(tensor) if tensor.is_meta else (tensor.data_ptr(), tensor.stride())
    if tensor.numel() == 0:
        at = None
    return at, tensor.device, tensor.dtype, tuple(tensor.shape)


def _refused(path: Sequence[_Step], node: Any, how: str | None = None) -> StateError:
    where = "".join(f".{step}" if isinstance(step, str) else f"[{step[0]!r}]" for step in path)
    fault = how or f"is of the type {type(node).__module__}.{type(node).__qualname__}"
    return StateError(
        f"state{where} {fault}, and cannot be stored: a state is made of numbers, words, None, "
        "lists, tuples, sets, dicts, arrays, tensors and records whose kinds are known."
    )
