"""Models of many families: each plays, or is refused in one sentence, with weights and without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from cosim.errors import BaseModelError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.geometry import Geometry, multiplied, positions
from cosim.learning.base.target_modules import adapted_modules, weight_of
from cosim.learning.base.trial import refuse_unfit
from cosim.learning.calibration.spectrum import RIDGE
from cosim.learning.costs.flop import Work
from cosim.learning.storing.peft import write_peft
from cosim.methods import METHODS
from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout
from cosim.methods.projection.gaussian import gaussian_projection
from tests.learning.small_learners import one_round, small_learner, small_pools

IDS: dict[str, Any] = {"vocab_size": 400, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
WIDE: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
LLAMA: dict[str, Any] = {**WIDE, "num_key_value_heads": 1, "intermediate_size": 32}
GPT: dict[str, Any] = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}
BERT: dict[str, Any] = {**WIDE, "intermediate_size": 32}
PLAYED: dict[str, dict[str, Any]] = {
    "GPT2": GPT,
    "GPTJ": {**GPT, "rotary_dim": 4},
    "GPTNeo": {
        "hidden_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": 256,
    },
    "OPT": {**WIDE, "ffn_dim": 32, "word_embed_proj_dim": 16, "max_position_embeddings": 256},
    "XGLM": {"d_model": 16, "ffn_dim": 32, "num_layers": 2, "attention_heads": 2},
    "BioGpt": {**BERT, "max_position_embeddings": 256},
    "Bloom": {"hidden_size": 16, "n_layer": 2, "n_head": 2},
    "Mpt": {"d_model": 16, "n_heads": 2, "n_layers": 2, "max_seq_len": 256},
    "GPTNeoX": BERT,
    "Falcon": WIDE,
    "Phi3": LLAMA,
    "Mixtral": {**LLAMA, "num_local_experts": 4, "num_experts_per_tok": 2},
    "Gemma3Text": {**LLAMA, "head_dim": 8},
    "Rwkv": {"hidden_size": 16, "num_hidden_layers": 2, "attention_hidden_size": 16},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "Mamba": ({**WIDE, "state_size": 4}, r"dt_proj' is not called .*\[in_proj, x_proj, out_proj\]"),
    "Jamba": (
        {**LLAMA, "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2,
         "expert_layer_period": 2, "expert_layer_offset": 1, "use_mamba_kernels": False},
        r"dt_proj' is not called as a layer",
    ),
    "Bert": (BERT, "reads the tokens that follow"),
    "RobertaDecoder": ({**BERT, "is_decoder": True}, "before its output head or its logits"),
    "XLNet": ({"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}, "tokens that follow"),
    "Bart": (
        {"d_model": 16, "decoder_layers": 1, "encoder_layers": 1, "decoder_attention_heads": 2,
         "encoder_attention_heads": 2, "decoder_ffn_dim": 32, "encoder_ffn_dim": 32},
        r"encoder_attn.k_proj' is not called .*self_attn.k_proj",
    ),
    "Gemma2": ({**LLAMA, "head_dim": 8}, "final_logit_softcapping"),
    "ModernBertDecoder": (BERT, "changes its hidden states before its output head"),
}  # fmt: skip


def made(kind: str, shape: dict[str, Any], device: str) -> Any:
    name = {"RobertaDecoder": "Roberta"}.get(kind, kind)
    config = getattr(transformers, f"{name}Config")(**{**IDS, **shape})
    how = {"attn_implementation": "eager", "experts_implementation": "batched_mm"}
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(3)
        return transformers.AutoModelForCausalLM.from_config(config, **how).eval()


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("kind", PLAYED)
def test_a_family_is_taken(kind: str, device: str) -> None:
    model = made(kind, PLAYED[kind], device)
    modules = adapted_modules(model)
    refuse_unfit(model, modules, reads_blocks=True)
    shape = Geometry.of(model)
    assert (shape.blocks, shape.hidden, shape.vocabulary) == (2, 16, 400)
    assert shape.heads == (0 if kind == "Rwkv" else 2)
    learned = ("GPT2", "GPTJ", "GPTNeo", "OPT", "BioGpt")
    assert positions(model) == (256 if kind in learned else None)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("kind", REFUSED)
def test_a_family_is_refused_in_one_sentence(kind: str, device: str) -> None:
    shape, said = REFUSED[kind]
    model = made(kind, shape, device)
    with pytest.raises(BaseModelError, match=said) as refused:
        refuse_unfit(model, adapted_modules(model), reads_blocks=False)
    assert "\n" not in str(refused.value)


def test_the_target_modules_that_a_refusal_names_are_taken() -> None:
    for kind, wanted in [("Mamba", ["in_proj", "x_proj", "out_proj"]), ("Jamba", ["q_proj"])]:
        model = made(kind, REFUSED[kind][0], "cpu")
        refuse_unfit(model, adapted_modules(model, wanted), reads_blocks=False)


def test_of_a_mixture_the_experts_of_a_token_are_counted() -> None:
    few, all_ = (
        multiplied(made("Mixtral", {**PLAYED["Mixtral"], "num_experts_per_tok": k}, "meta"))
        for k in (1, 4)
    )
    assert all_ - few == 2 * 3 * (3 * 16 * 32)  # blocks, experts, matrices


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["OPT", "GPTNeo", "GPT2", "Mixtral"])
def test_entropies_belong_to_their_modules_whatever_the_order(
    kind: str, save_model: Callable[..., Path], tmp_path: Path
) -> None:
    config = getattr(transformers, f"{kind}Config")(**{**IDS, **PLAYED[kind]})
    folder = save_model(config, tmp_path / "model")
    pools = small_pools(folder)
    for method in ("proposed", "proposed_single_cluster", "proposed_literal"):
        if kind != "OPT" and method != "proposed_literal":
            continue
        learner = small_learner(folder, pools, METHODS[method])
        assert len(one_round(learner)) == 3
    learner = small_learner(folder, pools, METHODS["proposed"])
    rows = learner.calibration_rows(0)
    found = learner.calibrator.calibrate_all([rows])[0].entropies
    assert found is not None
    plain = load(f"path:{folder}", "float32").model
    for entropy, module in zip(found, learner.layout.modules, strict=True):
        seen: list[Any] = []
        linear = plain.get_submodule(module.name)
        handle = linear.register_forward_pre_hook(
            lambda _, args, seen=seen: seen.append(args[0].reshape(-1, args[0].shape[-1]))
        )
        with torch.no_grad():
            for row in rows:
                plain(input_ids=torch.tensor([(row.prompt + row.answer)[:-1]]))
        handle.remove()
        X = torch.cat(seen).double().numpy()
        C = X.T @ X / len(X)
        C += RIDGE * np.diag(C).mean() * np.eye(len(C))
        W = weight_of(linear).detach().double().numpy()
        sigma = np.linalg.svd(W @ C, compute_uv=False)
        p = sigma / sigma.sum()
        assert entropy == pytest.approx(-(p[p > 0] * np.log(p[p > 0])).sum(), abs=2e-3)


def test_gpt2_answers_in_peft_as_it_does_here(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    folder = save_model(transformers.GPT2Config(**{**IDS, **GPT}), tmp_path / "model")
    model = AdaptedModel(load(f"path:{folder}", "float32").model)
    layout = Layout(model.modules, 2)
    assert all(module.transposed for module in layout.modules)
    assert len(layout.modules) == 8
    A = gaussian_projection(layout, 1, "a")
    B = 0.3 * torch.randn(layout.expansion_size, generator=torch.Generator().manual_seed(2))
    write_peft(tmp_path / "peft", layout, 2.0, Adapter(B, None, A), str(folder))
    assert '"fan_in_fan_out": true' in (tmp_path / "peft" / "adapter_config.json").read_text()
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(plain, tmp_path / "peft").eval()
    ids = torch.tensor([[0, 5, 77, 301, 12]])
    with torch.no_grad():
        wanted = theirs(input_ids=ids, use_cache=False).logits
        with model.adapters(layout.pairs(A, B), 2.0):
            found = model.logits(model.hidden(ids))
        without = model.logits(model.hidden(ids))
        merged = theirs.merge_and_unload()(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found, merged, atol=1e-4, rtol=1e-4)
    assert float((found - without).abs().max()) > 0.1


def test_work_of_gpt2_counts_its_layers() -> None:
    model = made("GPT2", GPT, "meta")
    layout = Layout(adapted_modules(model), 2)
    work = Work.of(model, layout, trainable_projection=False)
    assert work.frozen == 2 * (16 * 48 + 16 * 16 + 2 * 16 * 64)
    assert (work.head, work.attention) == (16 * 400, 2 * 16)
