"""Answers are ranked by float32 logits: no two of them tie by rounding."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from cosim.learning.adapters.adapter import Layout
from cosim.learning.base import answer_score as module
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.answer_score import answer_scores
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import candidates_reading, pack
from cosim.learning.data.pool import Question
from cosim.learning.evaluation.evaluator import Evaluator

HIDDEN, VOCABULARY = 12, 31
PROMPT = (0, 5, 9, 17)
FIRST, SECOND = 7, 8


class Head(nn.Linear):
    """One that is not known to be a product alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * 2


@pytest.mark.parametrize("at_once", [1, 50, 2**21])
@pytest.mark.parametrize("kind", [nn.Linear, Head])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_as_torch_has_it_in_float64(
    dtype: torch.dtype, bias: bool, kind: Any, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", at_once)
    torch.manual_seed(4)
    head = kind(HIDDEN, VOCABULARY, bias=bias).to(dtype).requires_grad_(False)
    hidden = (3 * torch.randn(5, HIDDEN)).to(dtype)
    places, targets = torch.tensor([0, 0, 1, 2, 3, 4, 4]), torch.tensor([0, 30, 4, 4, 9, 17, 2])
    logits = copy.deepcopy(head).double()(hidden.double())[places]
    targets[2] = logits[2].argmax()
    found = answer_scores(head, hidden, places, targets)
    wanted = torch.log_softmax(logits, 1).gather(1, targets[:, None]).squeeze(1)
    # Some 12 products and 31 exponentials of a relative error of 2**-24 each, at logits below 32.
    torch.testing.assert_close(found.log_likelihood, wanted, rtol=0, atol=1e-4)
    assert found.greedy.tolist() == (logits.argmax(1) == targets).tolist()
    assert found.greedy.any()
    alone = answer_scores(head, hidden, places, targets, ranks=False)
    assert torch.equal(alone.greedy, found.greedy)
    assert alone.log_likelihood.isnan().all()


@pytest.mark.parametrize("at_once", [1, 2**21])
def test_equal_logits_go_to_the_lowest_token_and_no_number_is_none(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", at_once)
    head = nn.Linear(2, 5, bias=False).requires_grad_(False)
    head.weight.copy_(torch.tensor([[0.0, 1], [1, 0], [0, 1], [1, 0], [0.5, 0]]))
    hidden = torch.tensor([[2.0, 0], [0, 2], [torch.nan, 0]])
    places, targets = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([1, 3, 0, 2, 0, 1])
    found = answer_scores(head, hidden, places, targets)
    assert found.greedy.tolist() == [True, False, True, False, False, False]
    assert found.log_likelihood[0] == found.log_likelihood[1]


@pytest.fixture(params=[True, False], ids=["lean", "transformers"])
def tied(request: pytest.FixtureRequest, tiny_llama: Any) -> Evaluator:
    """A bfloat16 model whose logits of the two highest tokens differ by less than bfloat16 has."""
    plain = load(f"path:{tiny_llama}", "bfloat16").model
    plain.lm_head.weight = nn.Parameter(plain.lm_head.weight.clone(), requires_grad=False)
    model = AdaptedModel(plain, lean=request.param)
    assert model.lean == request.param
    with torch.no_grad():
        read = candidates_reading([Encoded(PROMPT, (FIRST,))])
        (state,) = model.scored(pack([[read]], torch.device("cpu"), stems=model.lean))
        weight = plain.lm_head.weight
        for place in state.abs().argsort().tolist():
            weight[FIRST] = weight[SECOND] = 1.5 * state
            # One coordinate a step of bfloat16 farther along the state: that is the larger product.
            weight[SECOND, place] *= 1 + 2**-7
            rounded = (state @ weight.T).tolist()
            products = state.float() @ weight[[FIRST, SECOND]].float().T
            if rounded[FIRST] == rounded[SECOND] and products[1] - products[0] > 1e-3:
                break
        exact = (state.double() @ weight.double().T).tolist()
    assert rounded[FIRST] == rounded[SECOND] == max(rounded)
    assert exact[FIRST] < exact[SECOND] == max(exact)
    return Evaluator(model, Layout(model.modules, 2), torch.bfloat16, 1.0)


def choices(*tokens: int, right: int) -> Question:
    return Question(tuple(Encoded(PROMPT, (token,)) for token in tokens), right, (1,) * len(tokens))


def test_a_tie_by_rounding_does_not_go_to_the_first_choice(tied: Evaluator) -> None:
    for tokens in ((FIRST, SECOND), (SECOND, FIRST)):
        question = choices(*tokens, right=tokens.index(SECOND))
        assert [score.value for score in tied.scores(None, [question])] == [1.0, 1.0]


def test_a_tie_of_equal_choices_goes_to_the_first(tied: Evaluator) -> None:
    questions = [choices(FIRST, FIRST, right=right) for right in (0, 1)]
    assert [tied.scores(None, [one])[0].value for one in questions] == [1.0, 0.0]


def test_a_free_answer_is_what_float32_would_take(tied: Evaluator) -> None:
    for token, wanted in ((FIRST, 0.0), (SECOND, 1.0)):
        (score,) = tied.scores(None, [choices(token, right=0)])
        assert (score.metric, score.value) == ("exact_match", wanted)
