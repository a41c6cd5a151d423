"""Base models whose configuration is not Llama's, and tokenizers that do not fit their model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import PreTrainedTokenizerFast

IDS: dict[str, Any] = {"vocab_size": 400, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
WIDE: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
LLAMA: dict[str, Any] = {
    **WIDE,
    "num_key_value_heads": 1,
    "intermediate_size": 32,
    "max_position_embeddings": 256,
}
SIGHT = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
         "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
KINDS: dict[str, tuple[dict[str, Any], bool]] = {  # and whether it plays
    "Llama": (LLAMA, True),
    "GPTNeo": (
        {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "max_position_embeddings": 256,
         "attention_types": [[["global", "local"], 1]]},
        True,
    ),
    "GPT2": ({"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}, True),
    "Rwkv": ({"hidden_size": 16, "num_hidden_layers": 2, "attention_hidden_size": 16}, True),
    "Mamba": ({"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}, False),
    "Mamba2": (
        {"hidden_size": 16, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 8, "state_size": 8,
         "n_groups": 1},
        True,
    ),
    "Jamba": (
        {**LLAMA, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
         "expert_layer_offset": 1, "num_experts": 2, "use_mamba_kernels": False},
        False,
    ),
}  # fmt: skip
ROWS = [{"prompt": f"question {n}: the sun?", "answer": f"{n}"} for n in range(16)]


def told(call: Any, scenario: Path, tmp_path: Path) -> list[str]:
    """What check and run say where they refuse; both must, in one sentence, or neither."""
    checked = call("check", scenario)
    ended = call("run", scenario, "--out", tmp_path / "run")
    assert {checked.code, ended.code} in ({0}, {2})
    said = [one.err for one in (checked, ended) if one.code]
    for err in said:
        assert err.startswith("cosim: ")
        assert err.count("cosim: ") == 1
        assert "Traceback" not in err
    assert (tmp_path / "run").exists() != bool(said)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_another_family_plays_or_is_refused(
    kind: str,
    called: Any,
    learning: Callable[..., Path],
    save_model: Callable[..., Path],
    tmp_path: Path,
) -> None:
    shape, plays = KINDS[kind]
    config = getattr(transformers, f"{kind}Config")(**{**IDS, **shape})
    said = told(called, learning(save_model(config, tmp_path / "m"), ROWS), tmp_path)
    assert bool(said) != plays
    assert all("base_model" in err or "target_modules" in err for err in said)


@pytest.mark.slow
def test_the_text_of_a_model_that_sees(
    called: Any, learning: Callable[..., Path], tiny_tokenizer: Any, tmp_path: Path
) -> None:
    text = {**IDS, **LLAMA, "head_dim": 8}
    config = transformers.Gemma3Config(text_config=text, vision_config=SIGHT)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        transformers.AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path / "m")
    tiny_tokenizer.save_pretrained(tmp_path / "m")
    told(called, learning(tmp_path / "m", ROWS), tmp_path)


@pytest.mark.slow
def test_a_token_that_the_embedding_has_no_row_for(
    called: Any,
    learning: Callable[..., Path],
    save_model: Callable[..., Path],
    tiny_tokenizer: Any,
    tmp_path: Path,
) -> None:
    """As a tokenizer with added tokens leaves it, where the model was not resized."""
    folder = save_model(transformers.LlamaConfig(**IDS, **LLAMA), tmp_path / "m")
    wider = PreTrainedTokenizerFast.from_pretrained(folder)
    wider.add_tokens(["<tool>", *(f"<more{n}>" for n in range(60))])
    assert wider.convert_tokens_to_ids("<more59>") >= IDS["vocab_size"]
    wider.save_pretrained(folder)
    rows = [*ROWS, {"prompt": "call <more59> now", "answer": "yes"}] * 2
    said = told(called, learning(folder, rows), tmp_path)
    assert len(said) == 2
    assert all("<more59>" in err and "enlarge its embedding" in err for err in said)
    assert not told(called, learning(folder, ROWS), tmp_path), "unused tokens harm nobody"


def test_free_answers_need_a_token_that_ends_them(
    called: Any,
    learning: Callable[..., Path],
    save_model: Callable[..., Path],
    tiny_tokenizer: Any,
    tmp_path: Path,
) -> None:
    folder = save_model(transformers.LlamaConfig(**IDS, **LLAMA), tmp_path / "m")
    PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer.backend_tokenizer, bos_token="<s>"
    ).save_pretrained(folder)
    said = told(called, learning(folder, ROWS), tmp_path)
    assert len(said) == 2
    assert all("no end-of-text token" in err for err in said)
    choices = [{**row, "choices": ["yes", "no"], "answer": "no"} for row in ROWS]
    assert not told(called, learning(folder, choices), tmp_path), "choices end by themselves"


def pointer(folder: Path) -> None:
    """What Git leaves of a large file where its extension is not installed."""
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 270000000\n"
    (folder / "model.safetensors").write_text(text, encoding="utf-8")


def cut_off(folder: Path) -> None:
    """A download that ended early."""
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def without_shard(folder: Path) -> None:
    """One of two files that an index names was not copied."""
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards), encoding="utf-8")


def index(weight_map: Any) -> Callable[[Path], None]:
    """An index of several files beside none of them."""

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        text = json.dumps({"weight_map": weight_map})
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")

    return spoil


NO_NAMES = "model.safetensors.index.json names no files of weights"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (pointer, "model.safetensors is a pointer of Git LFS and no weights; fetch them with"),
        (cut_off, "model.safetensors is no whole safetensors file of "),
        (without_shard, "model-2.safetensors cannot be read: no such file or directory"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors, nor"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "file of 0 bytes"),
        (index({"a": None}), NO_NAMES),
        (index({"a": "m.safetensors", "b": 3}), NO_NAMES),
        (index({"a": "m\0.safetensors"}), NO_NAMES),
        (index({"a": "m\ud800.safetensors"}), NO_NAMES),
        (index({"a": ""}), NO_NAMES),
        (index({}), NO_NAMES),
    ],
    ids=[
        *["pointer", "cut off", "shard", "none", "empty"],
        *["null", "number", "zero", "surrogate", "nameless", "no map"],
    ],
)
def test_weights_that_are_not_there_are_seen_by_check(
    called: Any,
    learning: Callable[..., Path],
    tiny_llama: Path,
    tmp_path: Path,
    spoil: Callable[[Path], Any],
    said: str,
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "m"))
    spoil(folder)
    checked, ended = told(called, learning(folder, ROWS), tmp_path)
    assert said in checked
    assert "base_model.source" in ended
