"""A pass over a model whose tensors have shapes and no values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

# What transformers asks of values is whether rows are whole and unpadded, which ours are.
_ANSWERS: dict[Any, Any] = {
    Tensor.__bool__: True,
    Tensor.__contains__: False,
    Tensor.item: 1,
    Tensor.__int__: 1,
    Tensor.__index__: 1,
}


class Weightless(TorchFunctionMode):
    """This mode answers what a model asks of the values of tensors on the device 'meta', which have
    none."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Calls the function, or answers in its place."""
        if func in _ANSWERS and args[0].is_meta:
            return _ANSWERS[func]
        return func(*args, **(kwargs or {}))
