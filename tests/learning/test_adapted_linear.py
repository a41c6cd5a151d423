"""Which layers are adapted, as PEFT chooses them, and what an adapter adds to them."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.errors import BaseModelError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.target_modules import adapted_modules
from cosim.methods.layout import Layout

SCALE = 1.5


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def plain(request: pytest.FixtureRequest) -> Any:
    return load(f"path:{request.getfixturevalue(request.param)}", "float32").model


@pytest.fixture
def adapted(plain: Any) -> AdaptedModel:
    return AdaptedModel(copy.deepcopy(plain))


def random_pairs(layout: Layout, groups: int, seed: int = 3) -> list[tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(groups, *a, generator=random) / a[1] ** 0.5,
            torch.randn(groups, *b, generator=random) * 0.1,
        )
        for a, b in zip(layout.projection_shapes, layout.expansion_shapes, strict=True)
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        "all-linear",
        r".*\.(q|v)_proj",
        r".*layers\.1\..*_proj",
        r"model\.layers\.0\.mlp\.down_proj",
        ["q_proj", "v_proj"],
        ["mlp.up_proj", "model.layers.1.self_attn.o_proj"],
        ("down_proj",),
    ],
)
def test_the_same_modules_as_peft(plain: Any, wanted: str | Sequence[str]) -> None:
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import LoraLayer

    given = wanted if isinstance(wanted, str) else list(wanted)
    config = LoraConfig(r=2, target_modules=given, task_type="CAUSAL_LM")
    peft: Any = get_peft_model(copy.deepcopy(plain), config).base_model.model
    theirs = [
        (name, module.in_features, module.out_features)
        for name, module in peft.named_modules()
        if isinstance(module, LoraLayer)
    ]
    ours = adapted_modules(plain, wanted)
    assert [(m.name, m.in_features, m.out_features) for m in ours] == theirs
    assert all(f"layers.{m.layer}." in m.name for m in ours)
    assert len(ours) < 14 or wanted == "all-linear"


@pytest.mark.parametrize("wanted", ["q_proj", ["query"], ["proj"], ["lm_head"], "all_linear", []])
def test_a_name_of_no_layer_lists_the_layers(plain: Any, wanted: str | list[str]) -> None:
    with pytest.raises(BaseModelError) as refused:
        adapted_modules(plain, wanted)
    assert str(refused.value) == (
        f"adapter.target_modules: {wanted!r} names no linear layer of the base model; its layers "
        "end in down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
    )


@pytest.mark.slow
def test_a_broken_regular_expression_is_refused(plain: Any) -> None:
    with pytest.raises(BaseModelError, match=r"'\(' is not a regular expression: missing \)"):
        adapted_modules(plain, "(")
    with pytest.raises(BaseModelError, match=r"^adapter\.target_modules: .* takes too long: "):
        adapted_modules(plain, r"(.|..)+[^\w.]")


@pytest.mark.parametrize("wanted", ["all-linear", ["v_proj", "down_proj"]])
def test_groups_equal_one_by_one_and_merged_weights(plain: Any, wanted: str | list[str]) -> None:
    adapted = AdaptedModel(copy.deepcopy(plain), wanted)
    pairs = random_pairs(Layout(adapted.modules, 3), groups=4)
    ids = torch.randint(2, 400, (4 * 2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        base = adapted.hidden(ids)
        with adapted.adapters(pairs, SCALE):
            together = adapted.hidden(ids)
        for group in range(4):
            rows = slice(2 * group, 2 * group + 2)
            own = [(A[group : group + 1], B[group : group + 1]) for A, B in pairs]
            with adapted.adapters(own, SCALE):
                alone = adapted.hidden(ids[rows])
            merged = copy.deepcopy(plain)
            for module, (A, B) in zip(adapted.modules, own, strict=True):
                merged.get_submodule(module.name).weight += SCALE * B[0] @ A[0]
            dense = merged.model(input_ids=ids[rows], use_cache=False)[0]
            torch.testing.assert_close(together[rows], alone, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(together[rows], dense, atol=1e-4, rtol=1e-4)
            assert (dense - base[rows]).abs().max() > 0.1


def test_without_adapters_and_after_an_error_the_base_answers(
    plain: Any, adapted: AdaptedModel
) -> None:
    ids = torch.tensor([[0, 7, 42, 42, 301]])
    wanted = plain.model(input_ids=ids, use_cache=False)[0]
    pairs = random_pairs(Layout(adapted.modules, 2), groups=1)

    def interrupted() -> None:
        with adapted.adapters(pairs, SCALE):
            assert not torch.equal(adapted.hidden(ids), wanted)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert torch.equal(adapted.hidden(ids), wanted)
    with adapted.adapters(None, SCALE):
        assert torch.equal(adapted.hidden(ids), wanted)


def test_gradients_reach_every_factor_and_no_frozen_weight(adapted: AdaptedModel) -> None:
    pairs = [
        (A.requires_grad_(), B.requires_grad_())
        for A, B in random_pairs(Layout(adapted.modules, 2), groups=2)
    ]
    ids = torch.randint(2, 400, (2, 6), generator=torch.Generator().manual_seed(1))
    with adapted.adapters(pairs, SCALE):
        adapted.hidden(ids)[1].square().sum().backward()
    for A, B in pairs:
        for factor in (A, B):
            assert factor.grad is not None
            assert factor.grad[1].abs().sum() > 0
            assert not factor.grad[0].any()
    assert all(p.grad is None for p in adapted.model.parameters())


def test_a_list_of_names_keeps_the_models_order(tiny_llama: Path) -> None:
    model = load(f"path:{tiny_llama}", "float32").model
    names = [m.name for m in adapted_modules(model, ["up_proj", "q_proj"])]
    assert names == [
        f"model.layers.{layer}.{leaf}"
        for layer in (0, 1)
        for leaf in ("self_attn.q_proj", "mlp.up_proj")
    ]


def test_a_model_without_linear_layers_is_refused() -> None:
    class Headed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(2, 2)

        def get_output_embeddings(self) -> torch.nn.Module:
            return self.head

    model = Headed()
    with pytest.raises(BaseModelError, match="has no linear layer to adapt"):
        adapted_modules(model)
