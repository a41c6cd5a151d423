"""A Llama model that cosim converted itself, read without importing transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from cosim.learning.base.packed_llama.model import LeanModel
from cosim.learning.base.packed_llama.weights import PLACES, Block, ModelWeights, Norm, Product
from cosim.methods.layout import AdaptedModule

WEIGHTS = "model.safetensors"

# What a configuration says of blocks that are no more than two norms and seven products.
_PLAIN = {
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "attention_dropout": 0.0,
}
_NORMS = ("input_layernorm", "post_attention_layernorm")
_EMBEDDING, _NORM, _HEAD = "model.embed_tokens", "model.norm", "lm_head"


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Nothing is drawn for a weight that comes from a file."""


class ConvertedLlama(nn.Module):
    """These are the weights of a Llama model by their usual names; nothing but `lean_model` reads
    with them.

    weights: as `shapes` names them; they are not copied.
    """

    def __init__(self, config: SimpleNamespace, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.config = config
        for name, weight in weights.items():
            parent, leaf = _parent(self, name.removesuffix(".weight"))
            parent.add_module(leaf, _layer(name.removesuffix(".weight"), weight))
        if config.tie_word_embeddings:
            self.lm_head = _layer(_HEAD, weights[f"{_EMBEDDING}.weight"])
            self.lm_head.weight = self.get_input_embeddings().weight

    def get_input_embeddings(self) -> Any:
        """The embedding, as a model of transformers gives it."""
        return self.get_submodule(_EMBEDDING)

    def get_output_embeddings(self) -> Any:
        """The output head, as a model of transformers gives it."""
        return self.lm_head

    def lean_weights(self, modules: Sequence[AdaptedModule]) -> ModelWeights:
        """The weights by their part in a block, shared; modules: those that are adapted."""
        numbers = {module.name: number for number, module in enumerate(modules)}
        config = self.config

        def norm(name: str) -> Norm:
            return Norm(self._weight(name), config.rms_norm_eps)

        def block(trunk: str) -> Block:
            names = [f"{trunk}.{place}" for place in PLACES]
            products = [Product(self._weight(name), None, numbers.get(name)) for name in names]
            attention_norm, mlp_norm = (norm(f"{trunk}.{name}") for name in _NORMS)
            return Block(attention_norm, tuple(products), mlp_norm)

        pairs = torch.arange(0, config.head_dim, 2, dtype=torch.float) / config.head_dim
        return ModelWeights(
            self._weight(_EMBEDDING),
            tuple(block(f"model.layers.{n}") for n in range(config.num_hidden_layers)),
            norm(_NORM),
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
            (1.0 / config.rope_parameters["rope_theta"] ** pairs).to(self.lm_head.weight.device),
        )

    def _weight(self, name: str) -> Tensor:
        layer: Any = self.get_submodule(name)
        weight: Tensor = getattr(layer, "base", layer).weight  # wrapped where it is adapted
        return weight.detach()


def lean_model(model: Any, modules: Sequence[AdaptedModule]) -> LeanModel | None:
    """The lean passes over a model; None where it computes anything that they do not know."""
    if isinstance(model, ConvertedLlama):
        return LeanModel(model.lean_weights(modules))
    return LeanModel.of(model, modules)


def configuration(folder: Path) -> SimpleNamespace | None:
    """The configuration of a converted model; None where transformers is needed to understand it,
    or the file of weights holds others.

    folder: as `save_pretrained` left it, which writes every value that matters.
    """
    from safetensors import SafetensorError, safe_open

    try:
        settings = json.loads((folder / "config.json").read_bytes())
        if any(settings.get(key) != value for key, value in _PLAIN.items()):
            return None
        rope = dict(settings["rope_parameters"])
        if not isinstance(rope.pop("rope_theta"), float) or rope != {"rope_type": "default"}:
            return None
        config = SimpleNamespace(**settings)
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            if {part.get_dtype() for part in parts.values()} != {"F32"}:
                return None
            actual = {name: tuple(part.get_shape()) for name, part in parts.items()}
        return config if actual == shapes(config) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None


def shapes(config: SimpleNamespace) -> dict[str, tuple[int, ...]]:
    """The stored weights and their shapes, in the order of the modules."""
    hidden, inner, size = config.hidden_size, config.intermediate_size, config.head_dim
    queries, keys = config.num_attention_heads * size, config.num_key_value_heads * size
    rows = (queries, keys, keys, hidden, inner, inner, hidden)
    columns = (hidden, hidden, hidden, queries, hidden, hidden, inner)
    products = dict(zip(PLACES, zip(rows, columns, strict=True), strict=True))
    parts: dict[str, tuple[int, ...]] = {**products, **dict.fromkeys(_NORMS, (hidden,))}
    out: dict[str, tuple[int, ...]] = {_EMBEDDING: (config.vocab_size, hidden)}
    for number in range(config.num_hidden_layers):
        out |= {f"model.layers.{number}.{part}": shape for part, shape in parts.items()}
    out[_NORM] = (hidden,)
    if not config.tie_word_embeddings:
        out[_HEAD] = (config.vocab_size, hidden)
    return {f"{name}.weight": shape for name, shape in out.items()}


def _parent(root: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module that is to hold another of this name, made where it is not there; and its leaf."""
    *path, leaf = name.split(".")
    for step in path:
        if not hasattr(root, step):
            root.add_module(step, nn.Module())
        root = getattr(root, step)
    return root, leaf


def _layer(name: str, weight: Tensor) -> Any:
    """A module of the kind that a weight belongs to."""
    if name == _EMBEDDING:
        return nn.Embedding.from_pretrained(weight)
    layer: Any = nn.Module()
    if weight.dim() == 2:
        rows, columns = weight.shape
        layer = _Linear(columns, rows, bias=False, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer
