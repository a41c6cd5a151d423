"""A language model so small that a method can be tried in seconds, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.randomness import stream

_SEED = 0
_HIDDEN, _BLOCKS, _HEADS, _KEY_HEADS, _INNER, _POSITIONS = 32, 2, 4, 2, 64, 2048
# Wide enough that an adapter's first steps change what the model answers.
_DEVIATION = 0.2
_BEGIN, _END = "<s>", "</s>"


def save_tiny_model(folder: Path) -> None:
    """Writes a float32 Llama of two blocks, 32 wide, and a tokenizer of bytes into a folder.

    Its weights are normal, σ = 0.2, each tensor from a stream of its own: the same everywhere.
    """
    from safetensors.numpy import save_file

    vocabulary = _vocabulary()
    width = _HIDDEN // _HEADS
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": _HIDDEN,
        "head_dim": width,
        "intermediate_size": _INNER,
        "num_hidden_layers": _BLOCKS,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": _KEY_HEADS,
        "max_position_embeddings": _POSITIONS,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "vocab_size": len(vocabulary),
        "bos_token_id": vocabulary[_BEGIN],
        "eos_token_id": vocabulary[_END],
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = {name: _drawn(name, shape) for name, shape in _shapes(len(vocabulary), width)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _save_tokenizer(folder, vocabulary)


def _shapes(words: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every weight and its shape."""
    yield "model.embed_tokens.weight", (words, _HIDDEN)
    for block in range(_BLOCKS):
        attention, perceptron = (f"model.layers.{block}.{room}" for room in ("self_attn", "mlp"))
        for name, rows in (("q", _HEADS), ("k", _KEY_HEADS), ("v", _KEY_HEADS)):
            yield f"{attention}.{name}_proj.weight", (rows * width, _HIDDEN)
        yield f"{attention}.o_proj.weight", (_HIDDEN, _HIDDEN)
        yield f"{perceptron}.gate_proj.weight", (_INNER, _HIDDEN)
        yield f"{perceptron}.up_proj.weight", (_INNER, _HIDDEN)
        yield f"{perceptron}.down_proj.weight", (_HIDDEN, _INNER)
        for norm in ("input", "post_attention"):
            yield f"model.layers.{block}.{norm}_layernorm.weight", (_HIDDEN,)
    yield "model.norm.weight", (_HIDDEN,)
    yield "lm_head.weight", (words, _HIDDEN)


def _drawn(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A weight; a norm's is one throughout."""
    if len(shape) == 1:
        return np.ones(shape, dtype=np.float32)
    sample = stream(_SEED, "tiny model", name).standard_normal(shape)
    return (_DEVIATION * sample).astype(np.float32)


def _vocabulary() -> dict[str, int]:
    from tokenizers import pre_tokenizers

    words = [_BEGIN, _END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    return {word: number for number, word in enumerate(words)}


def _save_tokenizer(folder: Path, vocabulary: dict[str, int]) -> None:
    """A token a byte, and one that every prompt begins with."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in (_BEGIN, _END)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A", special_tokens=[(_BEGIN, vocabulary[_BEGIN])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    kind = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": _BEGIN,
        "eos_token": _END,
        "model_max_length": _POSITIONS,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(kind), encoding="utf-8")
