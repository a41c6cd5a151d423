"""The frozen weights of a Llama or Qwen2 model by their part in a transformer block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cosim.methods.layout import AdaptedModule

# The linear layers of a block in the order in which a pass reads them.
PLACES = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


@dataclass(frozen=True)
class Product:
    """A product is y = W0·x + b of one linear layer.

    weight: W0 (d, k).
    bias: b (d,); None where there is none.
    number: which adapted module it is; None where it is none.
    """

    weight: Tensor
    bias: Tensor | None
    number: int | None

    def of(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """x (n, k) → (n, d)."""
        if self.bias is None:
            return torch.mm(x, self.weight.t(), out=out)
        return torch.addmm(self.bias, x, self.weight.t(), out=out)


@dataclass(frozen=True)
class Norm:
    """A norm is RMSNorm: y = w·x / √(mean(x²) + ε).

    weight: w (h,).
    epsilon: ε.
    """

    weight: Tensor
    epsilon: float


@dataclass(frozen=True)
class Block:
    """A block is one of the transformer's.

    attention_norm: before the attention.
    products: its seven, in the order of `PLACES`.
    mlp_norm: before the MLP.
    """

    attention_norm: Norm
    products: tuple[Product, ...]
    mlp_norm: Norm


@dataclass(frozen=True)
class ModelWeights:
    """A model's weights are all but those of its output head.

    embedding: (V, h).
    blocks: in the order of the pass.
    norm: after the last block.
    heads, key_heads: H and K, H a multiple of K.
    head_size: values of a head.
    frequencies: (head_size/2,), radians a position by which each pair of a head's values is turned.
    """

    embedding: Tensor
    blocks: tuple[Block, ...]
    norm: Norm
    heads: int
    key_heads: int
    head_size: int
    frequencies: Tensor


def weights_of(model: Any, modules: Sequence[AdaptedModule]) -> ModelWeights | None:
    """The weights of a model, shared with it; None where it computes anything unknown here."""
    if not _known(model, modules):
        return None
    numbers = {module.name: number for number, module in enumerate(modules)}
    config, trunk = model.config, model.model
    blocks = tuple(
        Block(
            _norm(layer.input_layernorm),
            tuple(
                _product(layer.get_submodule(place), numbers.get(f"model.layers.{n}.{place}"))
                for place in PLACES
            ),
            _norm(layer.post_attention_layernorm),
        )
        for n, layer in enumerate(trunk.layers)
    )
    return ModelWeights(
        trunk.embed_tokens.weight.detach(),
        blocks,
        _norm(trunk.norm),
        config.num_attention_heads,
        config.num_key_value_heads,
        trunk.layers[0].self_attn.head_dim,
        trunk.rotary_emb.inv_freq,
    )


def _known(model: Any, modules: Sequence[AdaptedModule]) -> bool:
    from transformers import LlamaForCausalLM, Qwen2ForCausalLM

    if type(model) not in (LlamaForCausalLM, Qwen2ForCausalLM):
        return False
    config, rotary = model.config, model.model.rotary_emb
    parts = [
        f"model.layers.{n}.{place}" for n in range(len(model.model.layers)) for place in PLACES
    ]
    if not {module.name for module in modules} <= set(parts):
        return False
    layers = [model.get_submodule(part) for part in parts]
    return bool(
        config.hidden_act == "silu"
        and not config.attention_dropout
        and set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
        and len(model.model.layers) == config.num_hidden_layers
        # 'linear' only divides the frequencies, which are read from the model.
        and rotary.rope_type in ("default", "linear")
        and rotary.attention_scaling == 1.0
        and 2 * rotary.inv_freq.numel() == model.model.layers[0].self_attn.head_dim
        and all(type(_bare(layer)) is nn.Linear for layer in layers)
        and {p.dtype for p in model.model.parameters()}
        in ({torch.float32}, {torch.bfloat16}, {torch.float64})
    )


def _bare(layer: Any) -> Any:
    """The linear layer itself, which may have been wrapped to accept adapters."""
    return getattr(layer, "base", layer)


def _product(layer: Any, number: int | None) -> Product:
    linear = _bare(layer)
    bias = None if linear.bias is None else linear.bias.detach()
    return Product(linear.weight.detach(), bias, number)


def _norm(layer: Any) -> Norm:
    return Norm(layer.weight.detach(), layer.variance_epsilon)
