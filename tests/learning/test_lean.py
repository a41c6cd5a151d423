"""The lean passes against the transformers model, row by row and by automatic differentiation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.packed_llama.model import LeanModel
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import candidates_reading, pack
from tests.learning.row_by_row import (
    RANK,
    SCALE,
    UNEQUAL,
    Groups,
    assert_near,
    both,
    factors,
    one_by_one,
    packed,
    rows,
)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        "all-linear",
        ["q_proj", "v_proj"],
        ["down_proj"],
        r".*layers\.1\..*(k|gate)_proj",
        r".*layers\.0\..*(o|up)_proj",
    ],
)
def test_states_and_gradients_are_those_of_the_transformers_model(
    known: Any, wanted: str | Sequence[str], projected: bool
) -> None:
    adapted, lean = both(known, wanted)
    found = []
    for way in ("lean", "one by one"):
        A, B = factors(adapted, len(UNEQUAL), projected=projected)
        pairs = list(zip(A.blocks, B.blocks, strict=True))
        buffers = [factor.gradient for factor in (A, B) if factor.gradient is not None]
        if way == "lean":
            states = lean.scored(packed(UNEQUAL), pairs, SCALE)
        else:
            states = one_by_one(adapted, UNEQUAL, pairs)
        weights = torch.linspace(-1, 1, states.numel()).view_as(states)
        for _ in range(2):  # gradients add up, in the buffers that the factors brought along
            (states * weights).sum().backward(retain_graph=True)
        found.append((states.detach(), buffers))
        of_first = B.blocks[0].grad
        assert of_first is not None
        assert not of_first[1].any()
    (states, gradients), (true_states, true_gradients) = found
    assert_near(states, true_states)
    assert len(gradients) == 1 + projected
    for gradient, true_gradient in zip(gradients, true_gradients, strict=True):
        assert true_gradient.any()
        assert_near(gradient, true_gradient)


@pytest.mark.parametrize("groups", [UNEQUAL, [rows(1, 1, 2), rows(2, 1, 2)]])
def test_one_projection_for_all_groups_is_one_each(known: Any, groups: Groups) -> None:
    adapted, lean = both(known)
    A, _ = factors(adapted, 1, projected=False)
    found = []
    for way in ("lean", "patched", "one by one"):
        _, B = factors(adapted, len(groups))
        pairs = list(zip(A.blocks, B.blocks, strict=True))
        if way == "one by one":
            own = [(a.expand(len(groups), -1, -1), b) for a, b in pairs]
            states = one_by_one(adapted, groups, own)
        else:
            states = (lean if way == "lean" else adapted).scored(packed(groups), pairs, SCALE)
        states.sin().sum().backward()
        assert B.gradient is not None
        found.append((states.detach(), B.gradient))
    *others, (true_states, true_gradient) = found
    for states, gradient in others:
        assert_near(states, true_states)
        assert_near(gradient, true_gradient)


def test_without_adapters_and_without_gradients(known: Any) -> None:
    adapted, lean = both(known)
    with torch.no_grad():
        assert_near(lean.scored(packed(UNEQUAL), None, 1.0), one_by_one(adapted, UNEQUAL, None))
    assert not lean.scored(packed(UNEQUAL), None, 1.0).requires_grad


def test_candidates_beside_each_other_equal_one_row_each(known: Any) -> None:
    adapted, lean = both(known)
    prompts = rows(5, 4, longest=20)
    answers = [[row.answer for row in rows(6 + n, 1 + n)] for n in range(4)]
    questions = [
        [Encoded(row.prompt, answer) for answer in own]
        for row, own in zip(prompts, answers, strict=True)
    ]
    together = pack(
        [
            [candidates_reading(q) for q in questions[:2]],
            [],
            [candidates_reading(q) for q in questions[2:]],
        ]
    )
    assert together.branched
    apart: Groups = [[*questions[0], *questions[1]], [], [*questions[2], *questions[3]]]
    gradients = []
    states = []
    for way in (together, packed(apart)):
        A, B = factors(adapted, 3)
        found = lean.scored(way, list(zip(A.blocks, B.blocks, strict=True)), SCALE)
        found.sin().sum().backward()
        states.append(found.detach())
        gradients.append((A.gradient, B.gradient))
    A, B = factors(adapted, 3)
    pairs = list(zip(A.blocks, B.blocks, strict=True))
    assert_near(states[0], one_by_one(adapted, apart, pairs).detach())
    for ours, theirs in zip(*gradients, strict=True):
        assert_near(ours, theirs)


def test_the_blocks_read_what_transformers_says(known: Any) -> None:
    adapted, lean = both(known)
    found = lean.states(packed(UNEQUAL), [1, 0])
    start = 0
    for row in [row for group in UNEQUAL for row in group]:
        ids = torch.tensor([(row.prompt + row.answer)[:-1]])
        true = adapted.model.base_model(
            input_ids=ids, use_cache=False, output_hidden_states=True
        ).hidden_states
        part = slice(start, start + ids.numel())
        assert_near(found[0][part], true[1][0])
        assert torch.equal(found[1][part], true[0][0])
        start += ids.numel()
    (last,) = lean.states(packed(UNEQUAL), [2])
    assert_near(known.model.norm(last)[packed(UNEQUAL).scored], one_by_one(adapted, UNEQUAL, None))


@pytest.mark.parametrize("wanted", ["all-linear", ["v_proj", "up_proj"], r".*layers\.0\.mlp.*"])
def test_a_walk_sees_what_each_adapted_layer_reads(known: Any, wanted: Any) -> None:
    adapted, lean = both(known, wanted)
    walked: list[tuple[int, Tensor, Tensor]] = []
    lean.walk(packed(UNEQUAL), lambda number, W, x: walked.append((number, W, x.clone())))
    assert [number for number, _, _ in walked] == list(range(len(adapted.modules)))
    watched: list[list[Tensor]] = [[] for _ in adapted.modules]
    with torch.no_grad(), adapted.watched(lambda number, W, x: watched[number].append(x[0])):
        one_by_one(adapted, UNEQUAL, None)
    for (number, W, x), parts in zip(walked, watched, strict=True):
        name = adapted.modules[number].name
        assert W.data_ptr() == adapted.model.get_submodule(name).base.weight.data_ptr()
        assert_near(x, torch.cat(parts))


def test_rows_weigh_the_ranks_of_an_expert(known: Any) -> None:
    adapted, lean = both(known)
    group = rows(9, 5)
    A, B = factors(adapted, 1)
    weights = torch.rand(len(group), RANK, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        pairs = [(a.detach(), b.detach()) for a, b in zip(A.blocks, B.blocks, strict=True)]
        found = lean.scored(packed([group]), pairs, SCALE, lambda z, of_row: z * weights[of_row])
        true = [
            one_by_one(adapted, [[row]], [(A, B * weight) for A, B in pairs])
            for row, weight in zip(group, weights, strict=True)
        ]
    assert_near(found, torch.cat(true))


def gradients_of(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Of the factors of all modules, flat."""
    found = []
    for pair in pairs:
        for factor in pair:
            assert factor.grad is not None
            found.append(factor.grad.flatten())
    return torch.cat(found)


@pytest.mark.parametrize("model", ["tiny_llama", "tiny_qwen2"])
def test_bfloat16_is_as_near_to_float32_as_the_transformers_model(
    model: str, request: pytest.FixtureRequest
) -> None:
    source = f"path:{request.getfixturevalue(model)}"
    exact, _ = both(load(source, "float32").model)
    adapted, lean = both(load(source, "bfloat16").model)
    A, B = factors(adapted, len(UNEQUAL))
    pairs = list(zip(A.blocks, B.blocks, strict=True))
    wide = [(A.detach().float(), B.detach().float()) for A, B in pairs]
    for a, b in wide:
        a.requires_grad_()
        b.requires_grad_()
    true = one_by_one(exact, UNEQUAL, wide)
    true.sin().sum().backward()
    gradients = []
    for way in ("lean", "one by one"):
        for factor in (A, B):
            assert factor.gradient is not None
            factor.gradient.zero_()
        if way == "lean":
            states = lean.scored(packed(UNEQUAL), pairs, SCALE)
        else:
            states = one_by_one(adapted, UNEQUAL, pairs)
        # Some ten roundings of 2⁻⁹ on the way through two blocks.
        assert states.dtype == torch.bfloat16
        assert_near(states.detach().float(), true.detach(), 10 * 2**-8)
        states.float().sin().sum().backward()
        gradients.append(gradients_of(pairs).float())
    wanted = gradients_of(wide)
    ours, theirs = (torch.linalg.vector_norm(g - wanted) for g in gradients)
    assert ours <= 1.5 * theirs


def test_long_rows_of_one_length_are_read_in_several_products(tiny_llama: Path) -> None:
    adapted, lean = both(load(f"path:{tiny_llama}", "float32").model)
    group = [Encoded((*range(5, 205), *range(5, 205)), (7, n)) for n in range(5)]
    with torch.no_grad():
        found = lean.scored(packed([group]), None, 1.0)
        assert_near(found, one_by_one(adapted, [group], None))


def changed(model: str, **changes: Any) -> Any:
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

    shape = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 24,
        "vocab_size": 50,
    }
    kind = {"llama": LlamaConfig, "qwen2": Qwen2Config}[model]
    return AutoModelForCausalLM.from_config(kind(**{**shape, **changes}))


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("llama", {"hidden_act": "gelu"}),
        ("llama", {"attention_dropout": 0.1}),
        (
            "llama",
            {
                "rope_parameters": {
                    "rope_type": "llama3",
                    "rope_theta": 1e4,
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 64,
                }
            },
        ),
        (
            "llama",
            {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
        ),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
    ],
)
def test_an_unknown_option_is_left_to_transformers(model: str, changes: dict[str, Any]) -> None:
    adapted = AdaptedModel(changed(model, **changes), lean=False)
    assert LeanModel.of(adapted.model, adapted.modules) is None
    known = AdaptedModel(changed(model), lean=False)
    assert LeanModel.of(known.model, known.modules) is not None


def test_an_unknown_architecture_is_left_to_transformers() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=16))
    assert LeanModel.of(model, ()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"attention_bias": True, "mlp_bias": True},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}},
        {"head_dim": 12},
    ],
)
def test_biases_linear_scaling_and_head_sizes(changes: dict[str, Any]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = changed("llama", initializer_range=0.3, **changes).requires_grad_(False).eval()
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(weight, std=0.3)
    adapted, lean = both(model)
    group = [Encoded(tuple(range(2, 2 + n)), (1,)) for n in (3, 30, 31)]
    with torch.no_grad():
        found = lean.scored(packed([group]), None, 1.0)
        assert_near(found, one_by_one(adapted, [group], None))
