"""Linear layers that add each device's own low-rank update to one shared, frozen product."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cosim.errors import BaseModelError


@dataclass(frozen=True)
class AdaptedModule:
    """One adapted layer: its name, transformer block, and shape d×k of W0."""

    name: str
    layer: int
    out_features: int
    in_features: int


# From the ranks z = A·x (rows, T, R) to what B is multiplied with, of the same shape.
Mix = Callable[[Tensor], Tensor]


class AdaptedLinear(nn.Module):
    """y = W0·x + (α/r)·B_g·f(A_g·x), where row group g of the batch has its own A_g and B_g.

    x: (G·n, T, k); A: (G, r, k); B: (G, d, r); f is the identity unless experts are mixed. With
    no group set it is the base layer.
    """

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.group: tuple[Tensor, Tensor, float] | None = None
        self.mix: Mix | None = None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        if self.group is None:
            return y
        A, B, scale = self.group
        groups = A.shape[0]
        z = torch.bmm(x.reshape(groups, -1, x.shape[-1]), A.transpose(1, 2))
        if self.mix is not None:
            z = self.mix(z.view(*x.shape[:-1], -1)).view_as(z)
        grouped = y.view(groups, -1, y.shape[-1])
        return torch.baddbmm(grouped, z, B.transpose(1, 2), alpha=scale).view_as(y)


class AdaptedModel:
    """A causal language model whose chosen linear layers accept adapters by row group."""

    def __init__(self, model: Any, target_modules: str | Sequence[str] = "all-linear") -> None:
        self.model = model
        self.modules = adapted_modules(model, target_modules)
        self._layers: list[AdaptedLinear] = []
        for module in self.modules:
            parent, _, leaf = module.name.rpartition(".")
            layer = AdaptedLinear(model.get_submodule(module.name))
            setattr(model.get_submodule(parent), leaf, layer)
            self._layers.append(layer)

    @contextmanager
    def adapters(
        self,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        scale: float,
        mix: Mix | None = None,
    ) -> Iterator[None]:
        """Sets (A, B) of every adapted layer for the forward passes inside the block.

        mix: what becomes of the ranks of several experts side by side, the same in every layer.
        """
        for number, layer in enumerate(self._layers):
            layer.group = None if pairs is None else (*pairs[number], scale)
            layer.mix = mix
        try:
            yield
        finally:
            for layer in self._layers:
                layer.group = layer.mix = None

    @contextmanager
    def watched(self, see: Callable[[int, Tensor, Tensor], None]) -> Iterator[None]:
        """Calls `see(module's number, W0, x)` before every adapted layer inside the block."""

        def hook(number: int) -> Callable[[AdaptedLinear, tuple[Tensor, ...]], None]:
            return lambda layer, args: see(number, layer.base.weight, args[0])

        handles = [
            layer.register_forward_pre_hook(hook(number))
            for number, layer in enumerate(self._layers)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def block_inputs(self, input_ids: Tensor) -> tuple[Tensor, ...]:
        """The hidden states (rows, T, h) that each transformer block reads, and the last ones."""
        found = self.model.base_model(
            input_ids=input_ids, use_cache=False, output_hidden_states=True
        )
        return tuple(found.hidden_states)

    def hidden(self, input_ids: Tensor) -> Tensor:
        """The last hidden states (rows, T, h).

        Rows are padded on the right, so the causal mask alone keeps padding from real tokens.
        """
        out: Tensor = self.model.base_model(input_ids=input_ids, use_cache=False)[0]
        return out

    def logits(self, hidden_rows: Tensor) -> Tensor:
        """Float32 logits of chosen positions only; the head is a large part of a small model."""
        head = self.model.get_output_embeddings()
        scores: Tensor = head(hidden_rows.contiguous())
        return scores.float()


def adapted_modules(
    model: Any, target_modules: str | Sequence[str] = "all-linear"
) -> tuple[AdaptedModule, ...]:
    """The linear layers that a choice of target modules names, in the model's order.

    Raises `BaseModelError` where it names none.
    """
    modules = []
    for name, linear in _targets(model, target_modules):
        block = re.search(r"\.(\d+)\.", name)
        number = int(block.group(1)) if block else 0
        modules.append(AdaptedModule(name, number, linear.out_features, linear.in_features))
    return tuple(modules)


# Leaves of one parent module that all read the same tensor.
_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


def shared_inputs(modules: Sequence[AdaptedModule]) -> list[int]:
    """For each module the number of the first that reads the same input; itself where unknown."""
    first: dict[tuple[str, object], int] = {}
    out = []
    for number, module in enumerate(modules):
        parent, _, leaf = module.name.rpartition(".")
        family = next((names for names in _SIBLINGS if leaf in names), leaf)
        out.append(first.setdefault((parent, family), number))
    return out


def _targets(model: Any, wanted: str | Sequence[str]) -> list[tuple[str, nn.Linear]]:
    """Linear layers by PEFT's rules: 'all-linear' spares the output head; a string is a regular
    expression over the whole name; a list holds names or ends of names."""
    head = model.get_output_embeddings()
    linear = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    ]
    if isinstance(wanted, str):
        try:
            expression = re.compile(".*" if wanted == "all-linear" else wanted)
        except re.error as error:
            raise BaseModelError(
                f"adapter.target_modules: '{wanted}' is not a regular expression: {error}"
            ) from error
        chosen = [(name, module) for name, module in linear if expression.fullmatch(name)]
    else:
        ends = tuple(f".{word}" for word in wanted)
        chosen = [(n, module) for n, module in linear if n in wanted or n.endswith(ends)]
    if not linear:
        raise BaseModelError("adapter.target_modules: the base model has no linear layer to adapt")
    if not chosen:
        named = wanted if isinstance(wanted, str) else list(wanted)
        leaves = sorted({name.rpartition(".")[2] for name, _ in linear})
        raise BaseModelError(
            f"adapter.target_modules: {named!r} names no linear layer of the base model; its "
            f"layers end in {', '.join(leaves)}"
        )
    return chosen
