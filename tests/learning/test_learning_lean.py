"""The lean passes against the transformers model, row by row and by automatic differentiation."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cosim.learning.adapted_linear import AdaptedModel
from cosim.learning.adapter import Layout
from cosim.learning.base_model import load
from cosim.learning.encoding import Encoded
from cosim.learning.lean.model import LeanModel
from cosim.learning.packed import PackedRows, candidates_reading, pack, reading
from cosim.learning.stack import GroupedParameter

SCALE = 1.5
RANK = 4
# Float32 sums of some hundred terms in another order, through two blocks and back.
FLOAT32 = 1e-4

Groups = Sequence[Sequence[Encoded]]


def rows(seed: int, count: int, longest: int = 40) -> list[Encoded]:
    random = np.random.default_rng(seed)
    return [
        Encoded(
            tuple(random.integers(5, 200, random.integers(1, longest)).tolist()),
            tuple(random.integers(5, 200, random.integers(1, 5)).tolist()),
        )
        for _ in range(count)
    ]


UNEQUAL: Groups = [rows(1, 3), [], rows(2, 1), rows(3, 7, longest=9), []]


@pytest.fixture(scope="module")
def untied_qwen2(tmp_path_factory: Any, tiny_qwen2: Path, save_model: Any) -> Path:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(tiny_qwen2)
    config.tie_word_embeddings = False
    return save_model(config, tmp_path_factory.mktemp("untied-qwen2"))


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2", "untied_qwen2"])
def plain(request: pytest.FixtureRequest) -> Any:
    return load(f"path:{request.getfixturevalue(request.param)}", "float32").model


def both(plain: Any, wanted: str | Sequence[str] = "all-linear") -> tuple[AdaptedModel, LeanModel]:
    adapted = AdaptedModel(copy.deepcopy(plain), wanted, lean=False)
    lean = LeanModel.of(adapted.model, adapted.modules)
    assert lean is not None
    return adapted, lean


def packed(groups: Groups) -> PackedRows:
    return pack([[reading(row) for row in group] for group in groups])


def factors(
    adapted: AdaptedModel, groups: int, *, projected: bool = True, seed: int = 3
) -> tuple[GroupedParameter, GroupedParameter]:
    layout = Layout(adapted.modules, RANK)
    random = torch.Generator().manual_seed(seed)
    dtype = adapted.model.dtype
    A, B = (
        GroupedParameter(groups, shapes, dtype=dtype, device=torch.device("cpu"), trained=trained)
        for shapes, trained in (
            (layout.projection_shapes, projected),
            (layout.expansion_shapes, True),
        )
    )
    for factor, spread in ((A, 0.15), (B, 0.1)):
        factor.buffer.copy_(spread * torch.randn(factor.buffer.shape, generator=random))
    return A, B


def one_by_one(
    adapted: AdaptedModel, groups: Groups, pairs: Sequence[tuple[Tensor, Tensor]] | None
) -> Tensor:
    """The scored states of each row read alone, without padding, by the transformers model."""
    found = []
    for number, group in enumerate(groups):
        own = pairs and [(A[number : number + 1], B[number : number + 1]) for A, B in pairs]
        for row in group:
            ids = torch.tensor([(row.prompt + row.answer)[:-1]])
            with adapted.adapters(own, SCALE):
                found.append(adapted.hidden(ids)[0, len(row.prompt) - 1 :])
    return torch.cat(found)


def assert_near(found: Tensor, wanted: Tensor, relative: float = FLOAT32) -> None:
    """Equal in the size of the whole tensor."""
    assert torch.linalg.vector_norm(found - wanted) <= relative * torch.linalg.vector_norm(wanted)


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
    plain: Any, wanted: str | Sequence[str], projected: bool
) -> None:
    adapted, lean = both(plain, wanted)
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
        assert not B.blocks[0].grad[1].any()
    (states, gradients), (true_states, true_gradients) = found
    assert_near(states, true_states)
    assert len(gradients) == 1 + projected
    for gradient, true_gradient in zip(gradients, true_gradients, strict=True):
        assert true_gradient.any()
        assert_near(gradient, true_gradient)


def test_without_adapters_and_without_gradients(plain: Any) -> None:
    adapted, lean = both(plain)
    with torch.no_grad():
        assert_near(lean.scored(packed(UNEQUAL), None, 1.0), one_by_one(adapted, UNEQUAL, None))
    assert not lean.scored(packed(UNEQUAL), None, 1.0).requires_grad


def test_candidates_beside_each_other_equal_one_row_each(plain: Any) -> None:
    adapted, lean = both(plain)
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


def begun(seed: int, count: int, stem: int, longest: int = 9) -> list[Encoded]:
    """Rows that begin alike."""
    (first,) = rows(seed, 1, longest=2)
    stems = tuple(np.random.default_rng(seed).integers(5, 200, stem).tolist())
    return [
        Encoded(first.prompt + stems + row.prompt, row.answer)
        for row in rows(seed + 1, count, longest)
    ]


# Unequal groups of unlike stems, one long enough that its attention weights are not kept, one of
# rows that are nothing but their stem, and ones without a stem.
BEGUN: Groups = [
    begun(20, 3, 11),
    [],
    begun(22, 5, 30),
    rows(24, 1),
    begun(26, 2, 140),
    [Encoded((7, 8, 9), (3,)), Encoded((7, 8, 9), (4,)), Encoded((7, 8, 9), (5, 6))],
    [Encoded((7, 9), (3,)), Encoded((7, 9), (4,))],
    [Encoded((9,), (3,)), Encoded((8, 9), (4,))],
    begun(28, 4, 11),
]


@pytest.mark.parametrize("projected", [False, True])
def test_rows_that_continue_a_stem_are_read_as_if_whole(plain: Any, projected: bool) -> None:
    adapted, lean = both(plain)
    layouts = {
        stems: pack([[reading(row) for row in group] for group in BEGUN], stems=stems)
        for stems in (False, True)
    }
    lengths = {stems: one.ids.numel() for stems, one in layouts.items()}
    assert lengths[True] < 0.7 * lengths[False]
    assert layouts[True].scored.unique().numel() < layouts[True].scored.numel()
    found = []
    for way in ("stems", "one by one"):
        A, B = factors(adapted, len(BEGUN), projected=projected)
        pairs = list(zip(A.blocks, B.blocks, strict=True))
        if way == "stems":
            states = lean.scored(layouts[True], pairs, SCALE)
        else:
            states = one_by_one(adapted, BEGUN, pairs)
        weights = torch.linspace(-1, 1, states.numel()).view_as(states)
        (states * weights).sum().backward()
        found.append((states.detach(), [f.gradient for f in (A, B) if f.gradient is not None]))
    (states, gradients), (true_states, true_gradients) = found
    assert_near(states, true_states)
    for gradient, true_gradient in zip(gradients, true_gradients, strict=True):
        assert_near(gradient, true_gradient)
    with pytest.raises(ValueError, match="stems need the lean forward pass"):
        adapted.scored(layouts[True])


def test_candidates_of_questions_that_begin_alike_continue_a_stem(plain: Any) -> None:
    adapted, lean = both(plain)
    answers = [[row.answer for row in rows(40 + n, 2 + n)] for n in range(3)]
    questions = [
        [Encoded(row.prompt, answer) for answer in own]
        for row, own in zip(begun(30, 3, 12), answers, strict=True)
    ]
    # One is nothing but the stem and its answers.
    stem = questions[0][0].prompt[:13]
    questions.append([Encoded(stem, (3, 4)), Encoded(stem, (5, 6, 7))])
    packed_rows = pack([[candidates_reading(q) for q in questions]], stems=True)
    assert packed_rows.branched
    assert packed_rows.stemmed
    A, B = factors(adapted, 1)
    pairs = list(zip(A.blocks, B.blocks, strict=True))
    apart = [[row for question in questions for row in question]]
    with torch.no_grad():
        assert_near(lean.scored(packed_rows, pairs, SCALE), one_by_one(adapted, apart, pairs))


def test_the_blocks_read_what_transformers_says(plain: Any) -> None:
    adapted, lean = both(plain)
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
    assert_near(plain.model.norm(last)[packed(UNEQUAL).scored], one_by_one(adapted, UNEQUAL, None))


@pytest.mark.parametrize("wanted", ["all-linear", ["v_proj", "up_proj"], r".*layers\.0\.mlp.*"])
def test_a_walk_sees_what_each_adapted_layer_reads(plain: Any, wanted: Any) -> None:
    adapted, lean = both(plain, wanted)
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


def test_rows_weigh_the_ranks_of_an_expert(plain: Any) -> None:
    adapted, lean = both(plain)
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
            factor.gradient.zero_()
        if way == "lean":
            states = lean.scored(packed(UNEQUAL), pairs, SCALE)
        else:
            states = one_by_one(adapted, UNEQUAL, pairs)
        # Some ten roundings of 2⁻⁹ on the way through two blocks.
        assert states.dtype == torch.bfloat16
        assert_near(states.detach().float(), true.detach(), 10 * 2**-8)
        states.float().sin().sum().backward()
        gradients.append([factor.grad.float().flatten() for pair in pairs for factor in pair])
    wanted = torch.cat([factor.grad.flatten() for pair in wide for factor in pair])
    ours, theirs = (torch.linalg.vector_norm(torch.cat(g) - wanted) for g in gradients)
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
