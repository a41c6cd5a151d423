"""The content of a learner's state, whoever shares what with whom."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def digest(tree: Any) -> str:
    """BLAKE2b of all values in a tree of records, containers, tensors and numbers, to the bit.

    Two trees of equal content have the same, also where one holds an object twice and the other
    two equal ones. What a part has put there of another kind counts by its representation.
    """
    content = hashlib.blake2b(digest_size=16)
    _add(tree, content.update)
    return content.hexdigest()


def _add(node: Any, add: Callable[[bytes], None]) -> None:
    import torch

    if isinstance(node, torch.Tensor):
        node = node.detach().cpu().numpy()
    if isinstance(node, np.ndarray):
        add(f"{node.dtype.str}{node.shape}".encode())
        add(np.ascontiguousarray(node).tobytes())
        return
    parts: list[Any] | None = None
    if is_dataclass(node) and not isinstance(node, type):
        parts = [getattr(node, field.name) for field in fields(node)]
    elif isinstance(node, Mapping):
        parts = [item for pair in node.items() for item in pair]
    elif isinstance(node, set | frozenset):
        parts = sorted(node, key=repr)
    elif isinstance(node, list | tuple):
        parts = list(node)
    if parts is None:
        add(f"{type(node).__name__} {node!r}".encode())
        return
    if all(type(part) in (int, float, str) for part in parts):
        # Not the node's own words: a set's hang on the order in which it was filled.
        add(f"{type(node).__name__} {parts!r}".encode())
        return
    add(f"({type(node).__name__} {len(parts)}".encode())
    for part in parts:
        _add(part, add)
