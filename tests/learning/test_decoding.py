"""Greedy decoding writes what transformers' `generate` writes, in passes of any composition."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import encode, encode_prompts
from cosim.learning.evaluation.decoding import Decoder
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.storing.peft import write_peft
from cosim.methods.adapter import Adapter
from cosim.methods.composition.ranks import select_ranks
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout

RANK, SCALE, MOST = 3, 2.0, 6
# One begins with another, and one is there twice.
PROMPTS = [
    "Q: Name the planet",
    "The quick brown fox jumps over",
    "Q: Name the planet that is closest to the sun. A:",
    "Types of questions:\n",
    "Q: Name the planet",
    "7",
]


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def base(request: pytest.FixtureRequest) -> Any:
    return load(f"path:{request.getfixturevalue(request.param)}", "float32")


def adapter(layout: Layout, seed: int) -> Adapter:
    random = torch.Generator().manual_seed(seed)
    A = torch.randn(layout.projection_size, generator=random)
    return Adapter(0.1 * torch.randn(layout.expansion_size, generator=random), None, A)


def evaluator(base: Any, *, lean: bool = True) -> Evaluator:
    model = AdaptedModel(copy.deepcopy(base.model), lean=lean)
    return Evaluator(model, Layout(model.modules, RANK), torch.float32, SCALE)


def with_peft(base: Any, folder: Path, prompt: tuple[int, ...]) -> tuple[int, ...]:
    from peft import PeftModel

    model: Any = PeftModel.from_pretrained(copy.deepcopy(base.model), folder)
    ids = torch.tensor([prompt])
    found = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=MOST,
        do_sample=False,
        pad_token_id=base.tokenizer.eos_token_id,
    )
    written = found[0, len(prompt) :].tolist()
    end = base.tokenizer.eos_token_id
    return tuple(written[: written.index(end)] if end in written else written)


@pytest.mark.slow
def test_transformers_generates_the_same_tokens(base: Any, tmp_path: Path) -> None:
    ours = evaluator(base)
    ended = []
    for seed in range(2):
        own = adapter(ours.layout, seed)
        write_peft(tmp_path / str(seed), ours.layout, SCALE, own, None)
        prompts = encode_prompts(base.tokenizer, PROMPTS)
        decoder = Decoder(ours, base.tokenizer.eos_token_id)
        written = decoder.written(Expert((own,)), prompts, MOST)
        theirs = [with_peft(base, tmp_path / str(seed), prompt) for prompt in prompts]
        assert [one.tokens for one in written] == theirs
        assert len({one.tokens for one in written}) > 1
        ended += [one.ended for one in written]
        assert all(one.ended == (len(one.tokens) < MOST) for one in written)
    assert not all(ended)


def test_an_answer_ends_with_the_end_of_text_token(base: Any) -> None:
    """Whatever comes third is called the end."""
    ours = evaluator(base)
    expert = Expert((adapter(ours.layout, 0),))
    prompts = encode_prompts(base.tokenizer, PROMPTS)
    whole = Decoder(ours, None).written(expert, prompts, MOST)
    end = whole[1].tokens[2]
    for one, longer in zip(Decoder(ours, end).written(expert, prompts, MOST), whole, strict=True):
        cut = longer.tokens.index(end) if end in longer.tokens else MOST
        assert (one.tokens, one.ended) == (longer.tokens[:cut], cut < MOST)


def experts(layout: Layout, kind: str) -> tuple[Expert | None, torch.Tensor | None]:
    members = tuple(adapter(layout, seed) for seed in range(3))
    match kind:
        case "base":
            return None, None
        case "uniform":
            return Expert(members), None
        case "ranks":
            return Expert(members, share=1.0, select=lambda z: select_ranks(z, RANK)), None
    weights = torch.tensor([[0.7, 0.0, 0.3], [0.0, 1.0, 0.0], [0.2, 0.8, 0.0]]).repeat(2, 1)
    weights[4] = weights[0]
    return Expert(members, owners=(0, 1, 2), weigh=lambda cosines: cosines), weights


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["base", "uniform", "ranks", "gated"])
@pytest.mark.parametrize("lean", [True, False])
def test_a_prompt_is_answered_as_it_is_alone(base: Any, kind: str, lean: bool) -> None:
    """Beside others, by the lean passes and by padded ones."""
    ours, prompts = evaluator(base, lean=lean), encode_prompts(base.tokenizer, PROMPTS)
    expert, weights = experts(ours.layout, kind)
    decoder = Decoder(ours, base.tokenizer.eos_token_id)
    together = decoder.written(expert, prompts, MOST, weights)
    for number, prompt in enumerate(prompts):
        own = None if weights is None else weights[number : number + 1]
        assert decoder.written(expert, [prompt], MOST, own) == [together[number]]


def test_a_prompt_has_the_tokens_that_it_has_before_an_answer(base: Any) -> None:
    for prompt, tokens in zip(PROMPTS, encode_prompts(base.tokenizer, PROMPTS), strict=True):
        for answer in ("42", "Mercury, said the teacher"):
            assert encode(base.tokenizer, prompt, answer, terminated=True).prompt == tokens
