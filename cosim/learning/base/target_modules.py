"""Which linear layers of a model are adapted: PEFT's `target_modules`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from cosim.errors import BaseModelError
from cosim.host.timed_regex import Expression, ExpressionError
from cosim.methods.layout import AdaptedModule


def is_linear(module: nn.Module) -> bool:
    """True for what multiplies with a matrix: `nn.Linear`, and transformers' `Conv1D` (GPT-2)."""
    return isinstance(module, nn.Linear) or _is_conv1d(module)


def _is_conv1d(module: nn.Module) -> bool:
    library = sys.modules.get("transformers.pytorch_utils")  # no model has one without it
    return library is not None and isinstance(module, library.Conv1D)


def weight_of(linear: Any) -> Tensor:
    """W0 (d, k) of a linear layer, a view where it is kept transposed."""
    weight: Tensor = linear.weight
    return weight.T if _is_conv1d(linear) else weight


def adapted_modules(
    model: Any, target_modules: str | Sequence[str] = "all-linear"
) -> tuple[AdaptedModule, ...]:
    """The linear layers that a choice of target modules names, in the model's order.

    Raises `BaseModelError` where it names none.
    """
    modules = []
    for name, linear in _targets(model, target_modules):
        rows, columns = weight_of(linear).shape
        modules.append(AdaptedModule(name, block_of(name), rows, columns, _is_conv1d(linear)))
    return tuple(modules)


def block_of(name: str) -> int:
    """The transformer block that a module's name places it in; 0 where it is in none."""
    block = re.search(r"\.(\d+)\.", name)
    return int(block.group(1)) if block else 0


def _targets(model: Any, targets: str | Sequence[str]) -> list[tuple[str, nn.Module]]:
    """Linear layers by PEFT's rules: 'all-linear' spares the output head; a string is a regular
    expression over the whole name; a list holds names or ends of names."""
    head = model.get_output_embeddings()
    linear = [
        (name, module)
        for name, module in model.named_modules()
        if is_linear(module) and module is not head
    ]
    if isinstance(targets, str):
        try:
            expression = Expression(".*" if targets == "all-linear" else targets)
            matches = [(name, module) for name, module in linear if expression.fullmatch(name)]
        except ExpressionError as error:
            raise BaseModelError(f"adapter.target_modules: {error}") from error
    else:
        ends = tuple(f".{word}" for word in targets)
        matches = [(n, module) for n, module in linear if n in targets or n.endswith(ends)]
    if not linear:
        raise BaseModelError("adapter.target_modules: the base model has no linear layer to adapt")
    if not matches:
        words = targets if isinstance(targets, str) else list(targets)
        leaves = sorted({name.rpartition(".")[2] for name, _ in linear})
        raise BaseModelError(
            f"adapter.target_modules: {words!r} names no linear layer of the base model; its "
            f"layers end in {', '.join(leaves)}"
        )
    return matches
