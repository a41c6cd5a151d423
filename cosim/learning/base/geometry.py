"""What a transformer of any family is made of, read from its configuration and its weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cosim.errors import BaseModelError
from cosim.learning.base.target_modules import block_of, is_linear

# A layer of these kinds keeps no weight between each two tokens.
_NOT_ATTENTION = ("linear_attention", "mamba", "recurrent", "conv", "ssm", "rwkv", "hybrid_mamba")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
_ALL_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
_EXPERTS_OF_A_TOKEN = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "moe_topk",
    "moe_top_k",
    "moe_k",
)


@dataclass(frozen=True)
class Geometry:
    """The geometry is the sizes by which work and memory are counted.

    blocks: of the transformer.
    attending: blocks with attention weights.
    heads, head_size: of their queries; 0 heads where nothing attends.
    key_heads: of their keys.
    hidden: h.
    inner: of the feed-forward part.
    vocabulary: V, rows of the output head.
    """

    blocks: int
    attending: int
    heads: int
    key_heads: int
    head_size: int
    hidden: int
    inner: int
    vocabulary: int

    @classmethod
    def of(cls, model: Any) -> Geometry:
        """Reads a causal language model's; raises `BaseModelError` with what is not said."""
        config = text_config(model)
        blocks, hidden = _number(config, "num_hidden_layers"), _number(config, "hidden_size")
        heads = _first(config, ("num_attention_heads",))
        attending = sum(attends(model))
        heads = heads if heads and attending else 0
        size = _first(config, ("head_dim",)) or (hidden // heads if heads else 0)
        return cls(
            blocks,
            attending,
            heads,
            _first(config, ("num_key_value_heads",)) or heads,
            size,
            hidden,
            _first(config, ("intermediate_size",)) or 4 * hidden,
            head_weight(model).shape[0],
        )


def attends(model: Any) -> list[bool]:
    """Whether each block of a model has attention weights; raises `BaseModelError`."""
    config = text_config(model)
    kinds = _list(config, "layer_types") or _list(config, "layers_block_type")
    if kinds:
        return [not any(word in kind for word in _NOT_ATTENTION) for kind in kinds]
    heads = _first(config, ("num_attention_heads",))
    return [heads is not None] * _number(config, "num_hidden_layers")


def text_config(model: Any) -> Any:
    """The configuration of the part of a model that reads text."""
    config = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def trunk(model: Any) -> Any:
    """The part of a causal language model that gives hidden states, without its output head."""
    base = model.base_model
    return getattr(model, "model", base) if base is model else base


def head_weight(model: Any) -> Any:
    """The output head's matrix (V, h); raises `BaseModelError` where there is none."""
    head = model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    if weight is None or weight.dim() != 2:
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} has no output head of one matrix over the "
            "vocabulary, without which cosim cannot score an answer"
        )
    return weight


def embedded_tokens(model: Any) -> int:
    """Rows of the embedding: token ids below it can be read; `BaseModelError` without one."""
    weight = getattr(model.get_input_embeddings(), "weight", None)
    if weight is None or weight.dim() != 2:
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} has no embedding of tokens of one matrix"
        )
    return int(weight.shape[0])


def positions(model: Any) -> int | None:
    """The longest row that a model's table of positions has places for; None without a table.

    A table is an embedding other than the tokens', or a tensor named for positions, as long as the
    configuration says that rows may be; rotary positions, as far as they are computed, have none.
    """
    longest = _first(text_config(model), _POSITIONS)
    if longest is None:
        return None
    tokens = model.get_input_embeddings()
    for module in model.modules():
        if module is tokens or is_linear(module):
            continue
        if isinstance(module, nn.Embedding):
            # OPT's and BioGPT's tables begin with two rows that no token takes.
            if longest <= module.weight.shape[0] <= longest + 2:
                return longest
            continue
        tensors = [*module.named_buffers(recurse=False), *vars(module).items()]
        for name, value in tensors:
            if "pos" in name and isinstance(value, Tensor) and longest in value.shape:
                return longest
    return None


def multiplied(model: Any) -> int:
    """Multiply-adds by token of all weights but the output head's, Σ d·k for linear layers.

    Raises `BaseModelError` as `multiplied_by_block`.
    """
    return multiplied_by_block(model).total()


def multiplied_by_block(model: Any) -> Counter[int]:
    """The same by transformer block; what is in none counts with the first.

    Of the experts of a mixture those that a token takes. Raises `BaseModelError` where the
    configuration does not say how many that are.
    """
    head, of_blocks = model.get_output_embeddings(), Counter[int]()
    for name, module in model.named_modules():
        if module is head or isinstance(module, nn.Embedding):
            continue
        sizes = [value.shape for value in module.parameters(recurse=False)]
        matrices = [shape.numel() for shape in sizes if sum(size > 1 for size in shape) > 1]
        if matrices:
            of_experts = "expert" in f"{name}.{type(module).__name__}".lower()
            routed = of_experts and "shared_expert" not in name
            share = _experts_share(model) if routed else 1.0
            of_blocks[block_of(name)] += sum(round(size * share) for size in matrices)
    return of_blocks


def _experts_share(model: Any) -> float:
    config = text_config(model)
    every, active = _first(config, _ALL_EXPERTS), _first(config, _EXPERTS_OF_A_TOKEN)
    if every is None or active is None:
        raise BaseModelError(
            f"base_model.source: the configuration of {type(model).__name__} does not say how many "
            "of its experts a token takes, by which cosim counts FLOP"
        )
    return min(active, every) / every


def _number(config: Any, name: str) -> int:
    value = _first(config, (name,))
    if value is None:
        raise BaseModelError(
            f"base_model.source: a configuration of type '{getattr(config, 'model_type', '')}' "
            f"lacks one '{name}' for all blocks, by which cosim counts FLOP and memory"
        )
    return value


def _first(config: Any, names: tuple[str, ...]) -> int | None:
    """The first of these that is a positive number; a list, one by block, counts by its largest."""
    for name in names:
        try:
            value = getattr(config, name, None)
        except Exception:  # of several kinds: transformers refuses what differs between blocks
            continue
        if isinstance(value, (list, tuple)) and value:
            value = max((n for n in value if isinstance(n, int)), default=None)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _list(config: Any, name: str) -> list[str]:
    value = getattr(config, name, None)
    good = isinstance(value, (list, tuple)) and all(isinstance(kind, str) for kind in value)
    return list(value) if good and value else []
